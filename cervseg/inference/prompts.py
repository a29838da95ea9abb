"""Points for promptable models, from a file or from masks of the same images."""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from cervseg.core.errors import CervsegError, DatasetError, ImageError
from cervseg.core.jsonio import read_json
from cervseg.imageio import list_images, read_mask, stem_of
from cervseg.inference.inputs import ImageJob
from cervseg.inference.prompt_source import PromptSource
from cervseg.preprocessing.centroids import find_components

_EXAMPLES = 'write {"image.png": [[812, 406], [790, 511]]} as JSON, or a table image,x,y as CSV'


class Prompts(Protocol):
    """Points of images, and their source."""

    @property
    def source(self) -> PromptSource:
        """The file or folder that the points come from."""

    def __call__(self, job: ImageJob, size: tuple[int, int]) -> np.ndarray:
        """Return the points of one image.

        Args:
            job: the image.
            size: (height, width) of the image in px.

        Returns:
            N x 3 float64, rows (x, y, label value), x and y in px of the image.

        Raises:
            ImageError: the source has no points for this image, or they are invalid.
        """


@dataclass(frozen=True, kw_only=True)
class PointsFile:
    """Points from a file; ``images`` maps an image's name, with or without suffix, to N x 3 points."""

    source: PromptSource
    images: Mapping[str, np.ndarray]

    @classmethod
    def read(cls, path: Path, *, labels: Mapping[str, int]) -> PointsFile:
        """Read JSON ``{image: [[x, y], [x, y, label], ...]}`` or CSV with the columns image, x, y (, label).

        Args:
            path: the file; its suffix decides between JSON and CSV.
            labels: foreground names -> values; the file may use either. With one label, the file needs none.

        Raises:
            CervsegError: the file is missing or invalid, or a row is not a point.
        """
        rows = _json_rows(path) if path.suffix.lower() == ".json" else _csv_rows(path)
        found: dict[str, list[list[float]]] = {}
        for image, row, where in rows:
            points = found.setdefault(image, [])
            if row is not None:
                points.append(_point(row, labels=labels, where=where))
        return cls(
            source=PromptSource(
                kind="points",
                path=str(path.resolve()),
                digest=hashlib.sha256(path.read_bytes()).hexdigest(),
            ),
            images={image: np.array(points, np.float64).reshape(-1, 3) for image, points in found.items()},
        )

    def __call__(self, job: ImageJob, size: tuple[int, int]) -> np.ndarray:
        """Return the points of one image; see :class:`Prompts`."""
        names = [path.name for path in job.images] + _stems(job)
        for name in names:
            if name in self.images:
                return self.images[name]
        raise ImageError(
            "no points for this image",
            where=job.images[0],
            hint=f"add {names[0]!r}, in JSON with an empty list if there is nothing to segment",
        )


@dataclass(frozen=True, kw_only=True)
class MaskFolder:
    """A folder of masks; each connected component gives one point.

    See :func:`cervseg.preprocessing.centroids.find_components`. With one label, components of every value
    give points of this label; with several, the values must be those of the labels. Components of auxiliary
    labels give no points. An empty mask gives no points.
    """

    source: PromptSource
    files: Mapping[str, Path]
    labels: Mapping[str, int]
    ignored: frozenset[int] = frozenset()

    @classmethod
    def read(cls, folder: Path, *, labels: Mapping[str, int], ignored: Collection[int] = ()) -> MaskFolder:
        """List the masks of a folder; a mask is read together with its image.

        Args:
            folder: the masks, named like the images.
            labels: foreground names -> values of the model.
            ignored: values of its auxiliary labels.

        Raises:
            DatasetError: the folder is missing or has no masks, or two masks have the same name.
        """
        if not folder.is_dir():
            raise DatasetError("no such folder", where=folder)
        paths = list_images(folder)
        doubled = [stem for stem, count in Counter(map(stem_of, paths)).items() if count > 1]
        if not paths or doubled:
            raise DatasetError(
                f"two masks are named {doubled[0]!r}" if doubled else "no masks in this folder", where=folder
            )
        stats = [(path.name, path.stat()) for path in paths if path.exists()]
        listing = "\n".join(f"{name} {stat.st_size} {stat.st_mtime_ns}" for name, stat in stats)
        return cls(
            source=PromptSource(
                kind="masks",
                path=str(folder.resolve()),
                digest=hashlib.sha256(listing.encode()).hexdigest(),
            ),
            files={stem_of(path): path for path in paths},
            labels=labels,
            ignored=frozenset(ignored),
        )

    def __call__(self, job: ImageJob, size: tuple[int, int]) -> np.ndarray:
        """Return the centroids of the image's mask; see :class:`Prompts`."""
        path = next((self.files[stem] for stem in _stems(job) if stem in self.files), None)
        if path is None:
            raise ImageError("no mask of this name to take points from", where=job.images[0])
        mask = read_mask(path)
        if mask.shape != tuple(size):
            raise ImageError(
                f"the mask has {mask.shape[1]} x {mask.shape[0]} px, its image {size[1]} x {size[0]}",
                where=path,
                hint="give masks of the same size as the images",
            )
        points = [np.zeros((0, 3))]
        for value in sorted(set(np.unique(mask).tolist()) - {0, *self.ignored}):
            centroids = find_components(mask == value)[1]
            points.append(np.insert(centroids, 2, self._label(value, path), axis=1))
        return np.concatenate(points)

    def _label(self, value: int, path: Path) -> int:
        values = set(self.labels.values())
        if len(values) == 1:
            return next(iter(values))
        if value not in values:
            raise ImageError(f"the value {value} is not a label of this model", where=path)
        return value


def read_prompts(
    *,
    points: Path | None,
    masks: Path | None,
    labels: Mapping[str, int],
    ignored: Collection[int] = (),
    wanted: bool,
    output: Path,
) -> Prompts | None:
    """Read the points for a promptable model; None if the model takes no points.

    Args:
        points: a file for :class:`PointsFile`.
        masks: a folder for :class:`MaskFolder`.
        labels: the model's foreground names -> values.
        ignored: values of its auxiliary labels; their components in ``masks`` give no points.
        wanted: does the model take points?
        output: the folder that masks are written to.

    Raises:
        CervsegError: the model needs points and there are none, points are given to a model that takes none,
            or they cannot be read.
    """
    if points is None and masks is None:
        if wanted:
            raise CervsegError(
                "this model needs points and none are given",
                hint="add --points FILE, or --prompts-from FOLDER with masks of another model",
            )
        return None
    if not wanted:
        raise CervsegError(
            "this model takes no points",
            where=points or masks or "",
            hint="remove --points and --prompts-from",
        )
    if points is not None and masks is not None:
        raise CervsegError("--points and --prompts-from exclude each other", hint="remove one of them")
    if points is not None:
        return PointsFile.read(points, labels=labels)
    assert masks is not None
    if masks.resolve() == output.resolve():
        raise CervsegError(
            "the output would overwrite the masks that give the points",
            where=output,
            hint="choose another folder with -o",
        )
    return MaskFolder.read(masks, labels=labels, ignored=ignored)


def _stems(job: ImageJob) -> list[str]:
    """Names of an image without suffix that select its points: that of its mask, then those with a channel.

    If images differ only in their suffix, the names of their masks contain it, and only these names select.
    """
    own, channels = stem_of(job.mask), [stem_of(path) for path in job.images]
    return [own, *(stem for stem in channels if stem.startswith(own) and stem != own)]


Row = tuple[str, "Sequence[object] | None", str]  # image, point (None: no points), place in the file


def _json_rows(path: Path) -> Iterable[Row]:
    content = read_json(path)
    if not isinstance(content, dict) or not all(isinstance(rows, list) for rows in content.values()):
        raise CervsegError("the file does not map images to lists of points", where=path, hint=_EXAMPLES)
    for image, rows in content.items():
        yield image, None, ""
        for row in rows:
            yield image, row if isinstance(row, list) else [row], f"{path}: {image}"


def _csv_rows(path: Path) -> Iterable[Row]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as problem:
        raise CervsegError(f"the file cannot be read ({problem})", where=path, hint=_EXAMPLES) from None
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    table = csv.DictReader(text.splitlines(), delimiter=delimiter, skipinitialspace=True)
    columns = {name.strip().lower(): name for name in table.fieldnames or [] if name}
    if not {"image", "x", "y"} <= set(columns):
        raise CervsegError("the columns image, x and y are missing", where=path, hint=_EXAMPLES)
    for row in table:
        label = row.get(columns.get("label", "")) or None
        yield (
            (row[columns["image"]] or "").strip(),
            [row[columns["x"]], row[columns["y"]], *([label.strip()] if label else [])],
            f"{path}: line {table.line_num}",
        )


def _point(row: Sequence[object], *, labels: Mapping[str, int], where: str) -> list[float]:
    try:
        x, y, *label = row
        place = [float(str(x)), float(str(y))]
        if len(label) > 1 or not np.isfinite(place).all():
            raise ValueError(row)
    except ValueError:
        raise CervsegError(f"{row} is not a point", where=where, hint=_EXAMPLES) from None
    if not label and len(labels) == 1:
        return [*place, next(iter(labels.values()))]
    known = {**labels, **{str(value): value for value in labels.values()}}
    value = known.get(str(label[0])) if label else None
    if value is None:
        raise CervsegError(
            f"unknown label {label[0]!r}" if label else "the label is missing",
            where=where,
            hint=f"labels: {', '.join(f'{name} ({number})' for name, number in labels.items())}",
        )
    return [*place, value]
