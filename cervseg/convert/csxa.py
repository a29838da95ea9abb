"""The Cervical Spine X-ray Atlas (Ran et al. 2024): images and key points; masks are the user's."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from cervseg.convert.keypoints import KEYPOINTS, Keypoints, read_keypoints
from cervseg.convert.labelling import Labelling
from cervseg.convert.source import CaseContent, ConvertedCase, Listing, Source, SourceCase, check_folders
from cervseg.convert.table import ImageTable
from cervseg.core.errors import DatasetError
from cervseg.core.types import SpacingMm
from cervseg.dataset.attributes import CaseAttributes
from cervseg.imageio import list_images, read_image, stem_of

_ID = re.compile(r"\d{7}")
_MAX_NAMED = 5


@dataclass(frozen=True, kw_only=True)
class CsxaCase(SourceCase[Keypoints | None]):
    """One image of the atlas; its fact: its key points, None if it has no file of them."""

    keypoints: Path | None
    mask: Path | None
    labelling: Labelling
    spacing_mm: SpacingMm | None
    attributes: CaseAttributes | None

    def read(self) -> CaseContent[Keypoints | None]:
        """Read image, mask and key points; see :meth:`SourceCase.read`."""
        image = read_image(self.path)
        mask = None if self.mask is None else self.labelling.read(self.mask, image=image)[0]
        keypoints = None if self.keypoints is None else read_keypoints(self.keypoints)
        return CaseContent(
            image=replace(image, spacing_mm=self.spacing_mm, spacing_source=""),
            mask=mask,
            facts=keypoints,
            landmarks=None if keypoints is None else keypoints.landmarks,
            attributes=self.attributes,
        )


@dataclass(frozen=True, kw_only=True)
class CsxaAtlas(Source[Keypoints | None]):
    """The atlas: one image per patient; the case is the seven digits of the file's name.

    Images with a mask in ``masks`` are training cases, all others test cases. Key points go to
    ``landmarks/<case>.json``, sex and age to ``cases.csv``.

    Args:
        images: folder of the images (datasets-PNG).
        keypoints: folder of the JSON files (datasets-JSON); by default ``images``.
        masks: folder of masks, named by the same digits; without it the dataset has no training cases.
        test_masks: folder of masks of held-out images.
        labelling: what the values in the masks mean.
        table: pixel sizes, sex and age by image.
        name_pattern: a regular expression with groups "sex" and "age" for the images' names.
    """

    images: Path
    keypoints: Path | None = None
    masks: Path | None = None
    test_masks: Path | None = None
    labelling: Labelling = field(default_factory=lambda: Labelling(label="spinous_process"))
    table: ImageTable | None = None
    name_pattern: str | None = None

    def list_cases(self) -> Listing[Keypoints | None]:
        """Match files by their digits; see :meth:`Source.list_cases`."""
        keypoints = self.keypoints or self.images
        check_folders(self.images, keypoints, self.masks, self.test_masks)
        paths = list_images(self.images)
        if not paths:
            raise DatasetError("no images in this folder", where=self.images)
        left_out: list[str] = []
        images = _by_id(paths, left_out)
        points = _by_id(sorted(keypoints.glob("*.json")), left_out)
        training = _by_id([] if self.masks is None else list_images(self.masks), left_out)
        testing = _by_id([] if self.test_masks is None else list_images(self.test_masks), left_out)
        if both := sorted(training.keys() & testing.keys()):
            raise DatasetError(
                f"{len(both)} image(s) have a mask in both folders, such as {both[0]}",
                where="--test-masks",
                hint="Remove the masks of held-out images from --masks",
            )
        for name, found in (("key points", points), ("mask", training), ("mask", testing)):
            left_out += [
                f"{name} without an image: {path}" for key, path in found.items() if key not in images
            ]
        attributes = _from_names(images, self.name_pattern) | (self.table.attributes if self.table else {})
        spacing_mm = self.table.spacing_mm if self.table else {}
        cases = tuple(
            CsxaCase(
                id=key,
                path=path,
                is_test=key not in training,
                keypoints=points.get(key),
                mask=training.get(key) or testing.get(key),
                labelling=self.labelling,
                spacing_mm=spacing_mm.get(key),
                attributes=attributes.get(key),
            )
            for key, path in images.items()
        )
        return Listing(
            cases=cases,
            labels=self.labelling.labels,
            auxiliary=self.labelling.auxiliary,
            left_out=tuple(left_out),
            needs_training=self.masks is not None,
        )

    def notes(self, cases: Sequence[ConvertedCase[Keypoints | None]]) -> list[str]:
        """List what is missing: masks, key points, pixel sizes."""
        return [*_of_masks(cases), *_of_keypoints(cases), *_of_table(cases, self.table)]


def _by_id(paths: Sequence[Path], left_out: list[str]) -> dict[str, Path]:
    """Key files by the seven digits of their names, sorted; append those without, or with the same digits."""
    found: dict[str, Path] = {}
    for path in paths:
        digits = _ID.match(stem_of(path))
        if digits is None:
            left_out.append(f"name does not begin with seven digits: {path}")
        elif digits[0] in found:
            left_out.append(f"has the same digits as {found[digits[0]].name}: {path}")
        else:
            found[digits[0]] = path
    return dict(sorted(found.items()))


def _from_names(images: Mapping[str, Path], pattern: str | None) -> dict[str, CaseAttributes]:
    """Read sex and age from file names."""
    if pattern is None:
        return {}
    try:
        expression = re.compile(pattern)
    except re.error as problem:
        raise DatasetError(f"invalid regular expression ({problem})", where="--name-pattern") from None
    if not {"sex", "age"} & expression.groupindex.keys():
        raise DatasetError(
            "no group called sex or age",
            where="--name-pattern",
            hint=r"Write, for instance, '\d{4}(?P<sex>\d)(?P<age>\d\d)'",
        )
    found = {}
    for case, path in images.items():
        match = expression.match(stem_of(path))
        if match is not None:
            parts = match.groupdict()
            age = parts.get("age") or ""
            found[case] = CaseAttributes(
                sex=parts.get("sex"), age_years=float(age) if age.isdecimal() else None
            )
    return found


def _of_masks(cases: Sequence[ConvertedCase[Keypoints | None]]) -> list[str]:
    if all(case.is_test for case in cases):
        return ["the dataset has no training cases: without masks all images are in imagesTs"]
    num_without = sum(not case.has_mask for case in cases)
    return [f"{num_without} image(s) without a mask are in imagesTs"] if num_without else []


def _of_keypoints(cases: Sequence[ConvertedCase[Keypoints | None]]) -> list[str]:
    marked = [case.facts for case in cases if case.facts is not None]
    notes = []
    if num := len(cases) - len(marked):
        notes.append(f"{num} image(s) have no key points")
    missing = Counter(name for item in marked for name in KEYPOINTS if name not in item.landmarks.points)
    if missing:
        num = sum(len(item.landmarks.points) < len(KEYPOINTS) for item in marked)
        notes.append(f"{num} image(s) lack some of the {len(KEYPOINTS)} key points: {_most(missing)}")
    for title, counts in (
        ("unknown key points", Counter(name for item in marked for name in item.unknown)),
        ("repeated key points (the first counts)", Counter(n for item in marked for n in item.repeated)),
    ):
        if counts:
            notes.append(f"{title}: {_most(counts)}")
    return notes


def _of_table(cases: Sequence[ConvertedCase[Keypoints | None]], table: ImageTable | None) -> list[str]:
    if table is None or not (table.spacing_mm or table.problems):
        return []
    num_with_spacing = sum(case.spacing_mm is not None for case in cases)
    notes = [f"{num_with_spacing} of {len(cases)} image(s) have a pixel size from the table"]
    notes += [f"table: {line}" for line in table.problems[:_MAX_NAMED]]
    if len(table.problems) > _MAX_NAMED:
        notes.append(f"table: ... and {len(table.problems) - _MAX_NAMED} more such cells")
    return notes


def _most(counts: Counter[str]) -> str:
    listed = ", ".join(f"{name} ({number})" for name, number in counts.most_common(_MAX_NAMED))
    return listed + (f" and {len(counts) - _MAX_NAMED} more" if len(counts) > _MAX_NAMED else "")
