"""Points for networks that segment what a point marks: out of a file, or out of masks of the same images."""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from cervseg.core.errors import CervsegError, DatasetError, ImageError
from cervseg.core.jsonio import read_json
from cervseg.imageio import list_images, read_mask, stem_of
from cervseg.inference.run_record import recorded_prompts
from cervseg.preprocessing.centroids import find_components

if TYPE_CHECKING:  # torch comes with it
    from cervseg.inference.stream import ImageJob

ORACLE = "oracle: centroids of the reference masks"
WHITE = 255  # many binary masks hold 0 and 255
_EXAMPLES = 'Write {"image.png": [[812, 406], [790, 511]]} as JSON, or a table image,x,y as CSV.'


class Prompts(Protocol):
    """Points of images, and where they come from."""

    @property
    def source(self) -> str:
        """Where they come from, for people."""

    @property
    def digest(self) -> str:
        """A sum that is another one when the points are."""

    def __call__(self, job: ImageJob, size: tuple[int, int]) -> np.ndarray:
        """N x 3 float64, rows (x, y, label value), x and y in px of an image of ``size`` = (height, width).

        Raises:
            ImageError: there is nothing for this image, or nothing usable.
        """


@dataclass(frozen=True, kw_only=True)
class PointsFile:
    """Points that a user gives; ``images`` maps an image's name, with or without ending, to N x 3 points."""

    source: str
    digest: str
    images: Mapping[str, np.ndarray]

    @classmethod
    def read(cls, path: Path, *, labels: Mapping[str, int]) -> PointsFile:
        """Read JSON ``{image: [[x, y], [x, y, label], ...]}`` or CSV with the columns image, x, y (, label).

        Args:
            labels: foreground names and values; either names a label in the file. Where there is one label
                it need not be named.

        Raises:
            CervsegError: the file is missing, is neither, or a row of it is no point.
        """
        rows = _json_rows(path) if path.suffix.lower() == ".json" else _csv_rows(path)
        found: dict[str, list[list[float]]] = {}
        for image, row, where in rows:
            points = found.setdefault(image, [])
            if row is not None:
                points.append(_point(row, labels=labels, where=where))
        return cls(
            source=f"points in {path.resolve()}",
            digest=hashlib.sha256(path.read_bytes()).hexdigest(),
            images={image: np.array(points, np.float64).reshape(-1, 3) for image, points in found.items()},
        )

    def __call__(self, job: ImageJob, size: tuple[int, int]) -> np.ndarray:
        """The image's points, see :class:`Prompts`."""
        names = [path.name for path in job.images] + _stems(job)
        for name in names:
            if name in self.images:
                return self.images[name]
        raise ImageError(
            "no points for this image",
            where=job.images[0],
            hint=f"Add {names[0]!r}, with an empty list in JSON if there is nothing to segment.",
        )


@dataclass(frozen=True, kw_only=True)
class MaskFolder:
    """Masks whose components give a point each, see :func:`cervseg.preprocessing.centroids.find_components`.

    With one label every component of every value stands for it, whoever made the masks; with several the
    values are those of the labels. A mask without any component gives no point: an empty mask again.
    """

    source: str
    digest: str
    files: Mapping[str, Path]
    labels: Mapping[str, int]

    @classmethod
    def read(cls, folder: Path, *, labels: Mapping[str, int]) -> MaskFolder:
        """List the masks of a folder; each is read when its image is.

        Raises:
            DatasetError: there is no such folder, no mask in it, or two of one name.
        """
        if not folder.is_dir():
            raise DatasetError("no such folder", where=folder)
        paths = list_images(folder)
        doubled = [stem for stem, count in Counter(map(stem_of, paths)).items() if count > 1]
        if not paths or doubled:
            raise DatasetError(
                f"two masks are called {doubled[0]!r}" if doubled else "no masks in this folder", where=folder
            )
        stats = [(path.name, path.stat()) for path in paths if path.exists()]
        listing = "\n".join(f"{name} {stat.st_size} {stat.st_mtime_ns}" for name, stat in stats)
        return cls(
            source=centroids_of(folder),
            digest=hashlib.sha256(listing.encode()).hexdigest(),
            files={stem_of(path): path for path in paths},
            labels=labels,
        )

    def __call__(self, job: ImageJob, size: tuple[int, int]) -> np.ndarray:
        """The centroids of the image's mask, see :class:`Prompts`."""
        path = next((self.files[stem] for stem in _stems(job) if stem in self.files), None)
        if path is None:
            raise ImageError("no mask of this name to take points from", where=job.images[0])
        mask = read_mask(path)
        if mask.shape != tuple(size):
            raise ImageError(
                f"is {mask.shape[1]} x {mask.shape[0]} px, its image {size[1]} x {size[0]}",
                where=path,
                hint="A mask to take points from must have its image's size.",
            )
        points = [np.zeros((0, 3))]
        for value in np.unique(mask[mask > 0]).tolist():
            centroids = find_components(mask == value)[1]
            points.append(np.insert(centroids, 2, self._label(value, path), axis=1))
        return np.concatenate(points)

    def _label(self, value: int, path: Path) -> int:
        values = set(self.labels.values())
        if len(values) == 1:
            return next(iter(values))
        if value not in values:
            raise ImageError(f"holds the value {value}, which is no label of this model", where=path)
        return value


def read_prompts(
    *, points: Path | None, masks: Path | None, labels: Mapping[str, int], wanted: bool, output: Path
) -> Prompts | None:
    """What a user gives a model to go by; None if the model wants no points.

    Args:
        points: a file for :class:`PointsFile`.
        masks: a folder for :class:`MaskFolder`.
        labels: the model's foreground names and values.
        wanted: does the model take points?
        output: the folder that masks are written to.

    Raises:
        CervsegError: the model lacks points, or has no use for them, or they cannot be read.
    """
    if points is None and masks is None:
        if wanted:
            raise CervsegError(
                "this model segments what points mark, and there are none",
                hint="Give --points FILE, or --prompts-from FOLDER with masks of another model.",
            )
        return None
    if not wanted:
        raise CervsegError(
            "this model takes no points", where=points or masks, hint="Leave --points and --prompts-from out."
        )
    if points is not None and masks is not None:
        raise CervsegError("--points and --prompts-from exclude each other", hint="Leave one of them out.")
    if masks is not None and masks.resolve() == output.resolve():
        raise CervsegError(
            "the masks would overwrite those that points come from", where=output, hint="Name another -o."
        )
    if points is not None:
        return PointsFile.read(points, labels=labels)
    assert masks is not None
    return MaskFolder.read(masks, labels=labels)


def centroids_of(folder: Path) -> str:
    """The source, in words, of points that come from the masks in ``folder``."""
    return f"centroids of the masks in {folder.resolve()}"


def prompts_of(predictions: Path, *, references: Path) -> str:
    """Where a folder's masks had their points from, as a summary says it; empty if there were none."""
    source = recorded_prompts(predictions)
    return ORACLE if source == centroids_of(references) else source


def _stems(job: ImageJob) -> list[str]:
    """What an image may be called without its ending: as its mask is, or with its channel behind that.

    Of images that differ only in their ending, the masks keep it in their names, and so must who means them.
    """
    own, channels = stem_of(job.mask), [stem_of(path) for path in job.images]
    return [own, *(stem for stem in channels if stem.startswith(own) and stem != own)]


Row = tuple[str, "list[Any] | None", str]  # image, point (None: the image has no points), place in the file


def _json_rows(path: Path) -> Iterable[Row]:
    content = read_json(path)
    if not isinstance(content, dict) or not all(isinstance(rows, list) for rows in content.values()):
        raise CervsegError("is no list of points for each image", where=path, hint=_EXAMPLES)
    for image, rows in content.items():
        yield image, None, ""
        for row in rows:
            yield image, row if isinstance(row, list) else [row], f"{path}: {image}"


def _csv_rows(path: Path) -> Iterable[Row]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as problem:
        raise CervsegError(f"cannot be read ({problem})", where=path, hint=_EXAMPLES) from None
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    table = csv.DictReader(text.splitlines(), delimiter=delimiter, skipinitialspace=True)
    columns = {name.strip().lower(): name for name in table.fieldnames or [] if name}
    if not {"image", "x", "y"} <= set(columns):
        raise CervsegError("has no columns image, x and y", where=path, hint=_EXAMPLES)
    for row in table:
        label = row.get(columns.get("label", "")) or None
        yield (
            (row[columns["image"]] or "").strip(),
            [row[columns["x"]], row[columns["y"]], *([label.strip()] if label else [])],
            f"{path}: line {table.line_num}",
        )


def _point(row: list[Any], *, labels: Mapping[str, int], where: str) -> list[float]:
    try:
        x, y, *label = row
        place = [float(x), float(y)]
        if len(label) > 1 or not np.isfinite(place).all():
            raise ValueError(row)
    except (TypeError, ValueError):
        raise CervsegError(f"{row} is no point", where=where, hint=_EXAMPLES) from None
    if not label and len(labels) == 1:
        return [*place, next(iter(labels.values()))]
    known = {**labels, **{str(value): value for value in labels.values()}}
    value = known.get(str(label[0])) if label else None
    if value is None:
        raise CervsegError(
            f"{label[0]!r} is no label" if label else "a label is missing",
            where=where,
            hint=f"The labels are {', '.join(f'{name} ({number})' for name, number in labels.items())}.",
        )
    return [*place, value]
