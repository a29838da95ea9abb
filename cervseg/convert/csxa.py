"""The Cervical Spine X-ray Atlas (Ran et al. 2024): images and key points; masks are the user's."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cervseg.convert.assembly import (
    ConversionReport,
    as_integers,
    check_same_size,
    check_target,
    failures,
    finish,
    new_dataset,
    nothing_converted,
)
from cervseg.convert.labelling import Labelling
from cervseg.convert.labelme import read_labelme
from cervseg.convert.table import ImageTable
from cervseg.core.errors import DatasetError
from cervseg.core.workers import map_cases
from cervseg.dataset.attributes import CaseAttributes, write_attributes
from cervseg.dataset.landmarks import Landmarks, write_landmarks
from cervseg.dataset.writer import DatasetWriter
from cervseg.imageio import list_images, read_image, read_mask, stem_of

# The corners of the vertebral bodies; left is anterior.
KEYPOINTS = (
    "C2 centroid",
    "C2 bottom left",
    "C2 bottom right",
    *(
        f"C{level} {place}"
        for level in range(3, 8)
        for place in ("top left", "top right", "bottom left", "bottom right")
    ),
)
_BY_PLAIN_NAME = {name.lower(): name for name in KEYPOINTS}
_ID = re.compile(r"\d{7}")
_MAX_NAMED = 5


@dataclass(frozen=True, kw_only=True)
class _Image:
    """One image with what belongs to it."""

    id: str
    image: Path
    keypoints: Path | None
    mask: Path | None
    test: bool


@dataclass(frozen=True, kw_only=True)
class _Done:
    """What the report needs to know of one image."""

    id: str
    test: bool
    has_mask: bool
    landmarks: Landmarks | None
    unknown: tuple[str, ...]
    twice: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class _ConvertImage:
    """The work on one image, as a picklable call."""

    writer: DatasetWriter
    labelling: Labelling

    def __call__(self, image: _Image) -> _Done:
        pixels, _ = as_integers(read_image(image.image).pixels[0])
        mask = None
        if image.mask is not None:
            stored = read_mask(image.mask)
            check_same_size(pixels, stored, where=image.image, what=f"its mask {image.mask.name}")
            try:
                mask, _ = self.labelling.apply(stored)
            except DatasetError as problem:
                raise DatasetError(problem.what, where=image.mask, hint=problem.hint) from None
        done = _Done(
            id=image.id,
            test=image.test,
            has_mask=mask is not None,
            landmarks=None,
            unknown=(),
            twice=(),
        )
        if image.keypoints is not None:
            landmarks, unknown, twice = read_keypoints(image.keypoints)
            done = replace(done, landmarks=landmarks, unknown=unknown, twice=twice)
        self.writer.add_case(image.id, channels=[pixels], mask=mask, test=image.test)
        if done.landmarks is not None:
            write_landmarks(self.writer.folder, image.id, done.landmarks)
        return done


def read_keypoints(path: Path) -> tuple[Landmarks, tuple[str, ...], tuple[str, ...]]:
    """The key points of one JSON file, found by their labels, never by their order.

    Returns:
        Those of the 23 that are there (the first, where one is there twice); labels that are none of them;
        labels that are there twice.

    Raises:
        DatasetError: it is no such file.
    """
    points: dict[str, tuple[float, float]] = {}
    unknown, twice = [], []
    for label, place in read_labelme(path).points:
        name = _BY_PLAIN_NAME.get(" ".join(re.split(r"[\s_-]+", label.lower())).strip())
        if name is None:
            unknown.append(label)
        elif name in points:
            twice.append(name)
        else:
            points[name] = place
    ordered = {name: points[name] for name in KEYPOINTS if name in points}
    return Landmarks(points=ordered, source="CSXA"), tuple(unknown), tuple(twice)


def convert_csxa(
    *,
    images: Path,
    folder: Path,
    keypoints: Path | None = None,
    masks: Path | None = None,
    test_masks: Path | None = None,
    labels: Mapping[int, str] | None = None,
    label: str = "spinous_process",
    table: ImageTable | None = None,
    name_pattern: str | None = None,
    channel_name: str = "xray",
    workers: int = 1,
    overwrite: bool = False,
    progress: bool = True,
) -> ConversionReport:
    """Make a dataset of the atlas: one image a patient, ids are the seven digits of the files' names.

    Images with a mask in ``masks`` are for training, all others become imagesTs. Key points go to
    ``landmarks/<case>.json``, sex and age to ``cases.csv``.

    Args:
        images: folder of the images (datasets-PNG).
        keypoints: folder of the JSON files (datasets-JSON); by default ``images``.
        masks: folder of masks, named by the same digits. Without it there is nothing to train on.
        test_masks: masks of held-out images, into labelsTs.
        labels, label: what the masks' values mean, as in ``convert_paired``.
        table: pixel sizes, sex and age by image.
        name_pattern: a regular expression with groups called sex and age, where file names carry them.

    Raises:
        DatasetError: a folder is missing, ``folder`` is there already, or no image at all could be converted.
    """
    labelling = Labelling(names=labels or {}, label=label)
    check_target(folder, overwrite=overwrite)
    listed, left_out = _list_images(images, keypoints or images, masks, test_masks)
    named = _from_names(listed, name_pattern)
    with new_dataset(folder) as writer:
        work = _ConvertImage(writer=writer, labelling=labelling)
        outcomes = map_cases(work, listed, workers=workers, label="convert", progress=progress)
        left_out += failures(outcomes, [image.image for image in listed])
        done = [outcome.result for outcome in outcomes if outcome.result is not None]
        if not done:
            raise nothing_converted(left_out)
        known = {image.id for image in done}
        attributes = {**named, **(table.attributes if table else {})}
        attributes = {case: item for case, item in attributes.items() if case in known}
        if any(item != CaseAttributes() for item in attributes.values()):
            write_attributes(writer.folder, attributes)
        spacing = {case: side for case, side in (table.spacing_mm if table else {}).items() if case in known}
        num_training = sum(not image.test for image in done)
        return finish(
            writer,
            num_training=num_training,
            num_test=len(done) - num_training,
            labels=labelling.labels,
            spacing_mm=spacing,
            channel_name=channel_name,
            left_out=left_out,
            notes=_notes(done, num_with_spacing=len(spacing), table=table),
            folder=folder,
        )


def _list_images(
    images: Path, keypoints: Path, masks: Path | None, test_masks: Path | None
) -> tuple[list[_Image], list[str]]:
    for folder in (images, keypoints, masks, test_masks):
        if folder is not None and not folder.is_dir():
            raise DatasetError("no such folder", where=folder)
    paths = list_images(images)
    if not paths:
        raise DatasetError("holds no images", where=images)
    left_out: list[str] = []
    by_id = _by_id(paths, left_out)
    points = _by_id(sorted(keypoints.glob("*.json")), left_out)
    training = _by_id([] if masks is None else list_images(masks), left_out)
    testing = _by_id([] if test_masks is None else list_images(test_masks), left_out)
    if both := sorted(training.keys() & testing.keys()):
        raise DatasetError(
            f"{len(both)} image(s) have a mask in both folders, such as {both[0]}",
            where="--test-masks",
            hint="A held-out image must not be trained on.",
        )
    for what, found in (("key points", points), ("a mask", training), ("a mask", testing)):
        left_out += [f"{path}: {what} without image" for key, path in found.items() if key not in by_id]
    listed = [
        _Image(
            id=key,
            image=path,
            keypoints=points.get(key),
            mask=training.get(key) or testing.get(key),
            test=key not in training,
        )
        for key, path in by_id.items()
    ]
    return listed, left_out


def _by_id(paths: Sequence[Path], left_out: list[str]) -> dict[str, Path]:
    """Files by the seven digits of their names, sorted; what has none or shares its digits is named."""
    found: dict[str, Path] = {}
    for path in paths:
        digits = _ID.match(stem_of(path))
        if digits is None:
            left_out.append(f"{path}: its name does not begin with seven digits")
        elif digits[0] in found:
            left_out.append(f"{path}: shares its digits with {found[digits[0]].name}")
        else:
            found[digits[0]] = path
    return dict(sorted(found.items()))


def _from_names(images: Sequence[_Image], pattern: str | None) -> dict[str, CaseAttributes]:
    """Sex and age out of file names."""
    if pattern is None:
        return {}
    try:
        expression = re.compile(pattern)
    except re.error as problem:
        raise DatasetError(f"is no regular expression ({problem})", where="--name-pattern") from None
    if not {"sex", "age"} & expression.groupindex.keys():
        raise DatasetError(
            "has no group called sex or age",
            where="--name-pattern",
            hint=r"Write, for instance, '\d{4}(?P<sex>\d)(?P<age>\d\d)'.",
        )
    found = {}
    for image in images:
        match = expression.match(stem_of(image.image))
        if match is not None:
            parts = match.groupdict()
            age = parts.get("age") or ""
            found[image.id] = CaseAttributes(
                sex=parts.get("sex"), age_years=float(age) if age.isdecimal() else None
            )
    return found


def _notes(done: Sequence[_Done], *, num_with_spacing: int, table: ImageTable | None) -> list[str]:
    notes = []
    if not any(not image.test for image in done):
        notes.append("there is nothing to train on: no masks were given, all images are in imagesTs")
    elif num := sum(not image.has_mask for image in done):
        notes.append(f"{num} image(s) without mask are in imagesTs")
    marked = [image.landmarks for image in done if image.landmarks is not None]
    if num := len(done) - len(marked):
        notes.append(f"{num} image(s) have no key points")
    lacking = Counter(name for item in marked for name in KEYPOINTS if name not in item.points)
    if lacking:
        num = sum(len(item.points) < len(KEYPOINTS) for item in marked)
        notes.append(f"{num} image(s) lack some of the {len(KEYPOINTS)} key points: {_most(lacking)}")
    for title, counts in (
        ("unknown labels of key points", Counter(name for image in done for name in image.unknown)),
        ("key points that are there twice (the first counts)", Counter(n for f in done for n in f.twice)),
    ):
        if counts:
            notes.append(f"{title}: {_most(counts)}")
    if table is not None and (table.spacing_mm or table.problems):
        notes.append(f"{num_with_spacing} of {len(done)} image(s) have a pixel size from the table")
        notes += [f"table: {line}" for line in table.problems[:_MAX_NAMED]]
        if len(table.problems) > _MAX_NAMED:
            notes.append(f"table: ... and {len(table.problems) - _MAX_NAMED} more such cells")
    return notes


def _most(counts: Counter[str]) -> str:
    listed = ", ".join(f"{name} ({number})" for name, number in counts.most_common(_MAX_NAMED))
    return listed + (f" and {len(counts) - _MAX_NAMED} more" if len(counts) > _MAX_NAMED else "")
