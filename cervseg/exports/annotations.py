"""Masks as annotation files, to be corrected by hand: LabelMe's and COCO's JSON."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cervseg.core.errors import DatasetError, as_cervseg_error, one_line
from cervseg.core.jsonio import write_json
from cervseg.core.notice import NOTICE
from cervseg.core.workers import map_cases
from cervseg.exports.outlines import TOLERANCE_PX, Outline, bridged, outlines
from cervseg.imageio import RASTER_SUFFIXES, list_images, read_image, read_mask, stem_of, write_gray

FORMATS = ("labelme", "coco")
COCO_FILE = "annotations.json"
_LABELME_VERSION = "5.5.0"
_WHITE = 255
_WINDOW_PERCENTILES = (0.5, 99.5)
_DIGITS = 3


@dataclass(frozen=True, kw_only=True)
class ExportReport:
    """The outcome of an export.

    Args:
        files: the annotation files.
        num_images: number of masks that were exported.
        num_areas: number of areas in them.
        left_out: one line for each mask that could not be read, with the reason.
        notes: remarks.
    """

    files: tuple[Path, ...]
    num_images: int
    num_areas: int
    left_out: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class _Image:
    """One mask, its image if there is one, and the path of the image in the annotation."""

    case: str
    mask: Path
    image: Path | None
    image_name: str


@dataclass(frozen=True, kw_only=True)
class _Done:
    """The annotation of one image, ready to be written; ``labels`` are those that it may have."""

    image: _Image
    size: tuple[int, int]
    labels: tuple[str, ...]
    areas: tuple[tuple[str, Outline], ...]
    unknown: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class _Outline:
    """Outline one mask, as a picklable call. Without ``labels`` each value is a label of its own."""

    labels: Mapping[str, int] | None
    tolerance_px: float
    copy_to: Path | None

    def __call__(self, image: _Image) -> _Done:
        mask = read_mask(image.mask)
        values = {int(value) for value in np.flatnonzero(np.bincount(mask.ravel()))} - {0}
        labels = {str(value): value for value in sorted(values)} if self.labels is None else self.labels
        known = set(labels.values())
        if values == {_WHITE} and _WHITE not in known and len(known) == 1:
            mask, values = (mask == _WHITE) * next(iter(known)), known
        if image.image is not None and self.copy_to is not None:
            pixels = read_image(image.image).pixels[0]
            if pixels.shape != mask.shape:
                raise DatasetError("image and mask have different sizes", where=image.mask)
            write_gray(self.copy_to / image.image_name, _shown(pixels))
        areas = [
            (name, outline)
            for name, value in labels.items()
            for outline in outlines(mask == value, tolerance_px=self.tolerance_px)
        ]
        return _Done(
            image=image,
            size=(mask.shape[0], mask.shape[1]),
            labels=tuple(labels),
            areas=tuple(areas),
            unknown=tuple(sorted(values - known)),
        )


def export_annotations(
    masks: Path,
    output: Path,
    *,
    file_format: str,
    labels: Mapping[str, int] | None = None,
    images: Path | None = None,
    tolerance_px: float = TOLERANCE_PX,
    copy_images: bool = False,
    workers: int = 1,
    progress: bool = True,
) -> ExportReport:
    """Write a folder of masks as LabelMe files, one per image, or as one COCO file.

    In LabelMe a hole is joined to its polygon by a line; in COCO an area with holes becomes run lengths.

    Args:
        masks: folder of masks: a dataset's labelsTr, or predictions.
        output: a folder, which is created; COCO's file in it is ``annotations.json``.
        file_format: "labelme" or "coco".
        labels: foreground names -> values; other values are left out, with a note. By default the labels are
            named by their values.
        images: folder of the images, named like the masks (with or without _0000). Annotations name them
            relative to ``output``.
        tolerance_px: how far outlines may deviate; see :data:`cervseg.exports.outlines.TOLERANCE_PX`.
        copy_images: write the images beside the annotations, as 8-bit PNG between their 0.5th and 99.5th
            percentile: annotation tools open neither DICOM nor NIfTI, and show 16 bits badly.
        workers: processes; fewer than 2 export in this one.
        progress: show a progress bar.

    Returns:
        What was written and what was left out.

    Raises:
        DatasetError: a folder is missing, there are no masks or none can be read, or ``output`` is one of the
            folders that are read.
    """
    if output.resolve() in {masks.resolve(), images.resolve() if images else None}:
        raise DatasetError(
            "the output folder is that of the masks or images", where=output, hint="Choose a new folder"
        )
    listed, notes = _images(masks, images, output, copy_images=copy_images)
    output.mkdir(parents=True, exist_ok=True)
    work = _Outline(labels=labels, tolerance_px=tolerance_px, copy_to=output if copy_images else None)
    outcomes = map_cases(work, listed, workers=workers, label="outline", progress=progress)
    done = [outcome.result for outcome in outcomes if outcome.result is not None]
    left_out = [
        one_line(as_cervseg_error(outcome.error, where=outcome.item.mask))
        for outcome in outcomes
        if outcome.error is not None
    ]
    if not done:
        raise DatasetError("no mask could be read" + "".join(f"\n  {line}" for line in left_out[:20]))
    if file_format == "coco":
        files = [output / COCO_FILE]
        found = sorted({name for item in done for name in item.labels}, key=lambda name: (len(name), name))
        write_json(files[0], _coco(done, found if labels is None else list(labels)))
    else:
        files = [output / f"{item.image.case}.json" for item in done]
        for path, item in zip(files, done):
            write_json(path, _labelme(item))
    unknown = Counter(value for item in done for value in item.unknown)
    notes += [
        f"value {value} has no label: left out of {num} mask(s)" for value, num in sorted(unknown.items())
    ]
    if labels is None:
        notes.append("the labels are named by their values; --labels NAME=VALUE gives them names")
    return ExportReport(
        files=tuple(files),
        num_images=len(done),
        num_areas=sum(len(item.areas) for item in done),
        left_out=tuple(left_out),
        notes=tuple(notes),
    )


def find_images(masks: Path) -> Path | None:
    """Find the images of a dataset's folder of masks: imagesTr beside labelsTr; None if there are none."""
    name = masks.resolve().name
    if name not in ("labelsTr", "labelsTs"):
        return None
    folder = masks.resolve().parent / name.replace("labels", "images")
    return folder if folder.is_dir() else None


def _images(
    masks: Path, images: Path | None, output: Path, *, copy_images: bool
) -> tuple[list[_Image], list[str]]:
    for folder in (masks, images):
        if folder is not None and not folder.is_dir():
            raise DatasetError("no such folder", where=folder)
    paths = list_images(masks)
    if not paths:
        raise DatasetError("no masks in this folder", where=masks)
    known = {stem_of(path): path for path in ([] if images is None else list_images(images))}
    listed = []
    for path in paths:
        case = stem_of(path)
        image = known.get(case) or known.get(f"{case}_0000")
        if image is None or copy_images:
            name = f"{case}.png"
        else:
            name = Path(os.path.relpath(image.resolve(), output.resolve())).as_posix()
        listed.append(_Image(case=case, mask=path, image=image, image_name=name))
    notes = []
    if num := sum(item.image is None for item in listed):
        notes.append(
            f"{num} image(s) were not found; add them as <case>.png beside the annotations, or use --images"
        )
    strange = [f for f in listed if f.image is not None and f.image.suffix.lower() not in RASTER_SUFFIXES]
    if strange and not copy_images:
        notes.append(
            f"{len(strange)} image(s) have a format that annotation tools cannot open; use --copy-images"
        )
    return listed, notes


def _labelme(item: _Done) -> dict[str, Any]:
    height, width = item.size
    shapes = [
        {
            "label": label,
            "points": np.round(bridged(area.outer, area.holes), _DIGITS).tolist(),
            "group_id": None,
            "description": "",
            "shape_type": "polygon",
            "flags": {},
            "mask": None,
        }
        for label, area in item.areas
    ]
    return {
        "version": _LABELME_VERSION,
        "flags": {},
        "shapes": shapes,
        "imagePath": item.image.image_name,
        "imageData": None,
        "imageHeight": height,
        "imageWidth": width,
    }


def _coco(done: Sequence[_Done], labels: Sequence[str]) -> dict[str, Any]:
    numbers = {label: number for number, label in enumerate(labels, start=1)}
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, item in enumerate(done, start=1):
        height, width = item.size
        images.append({"id": number, "file_name": item.image.image_name, "height": height, "width": width})
        for label, area in item.areas:
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": numbers[label],
                    "segmentation": _segmentation(area, item.size),
                    "area": area.area_px,
                    "bbox": list(area.box),
                    "iscrowd": 0,
                }
            )
    categories = [{"id": number, "name": label, "supercategory": ""} for label, number in numbers.items()]
    return {
        "info": {"description": f"written by cervseg. {NOTICE}"},
        "licenses": [],
        "images": images,
        "annotations": annotations,
        "categories": categories,
    }


def _segmentation(area: Outline, size: tuple[int, int]) -> Any:
    if not area.holes:
        return [np.round(area.outer, _DIGITS).ravel().tolist()]
    whole = np.zeros(size, bool)
    whole[area.place] = area.inside
    return {"size": list(size), "counts": run_lengths(whole)}


def run_lengths(mask: np.ndarray) -> list[int]:
    """Encode H x W bool as COCO's run lengths: alternating 0 and 1, down the columns, starting with 0."""
    flat = np.concatenate([[False], mask.T.ravel()])
    changes = np.flatnonzero(flat[1:] != flat[:-1])
    return [int(run) for run in np.diff(np.concatenate([[0], changes, [mask.size]]))]


def _shown(pixels: np.ndarray) -> np.ndarray:
    """Convert an image to H x W uint8: 8 bits are kept, others are scaled between two percentiles."""
    if pixels.dtype == np.uint8:
        return pixels
    low, high = np.percentile(pixels, _WINDOW_PERCENTILES)
    scaled = (pixels.astype(np.float32) - low) * (255 / max(float(high - low), 1e-12))
    return np.asarray(np.clip(np.rint(scaled), 0, 255).astype(np.uint8))
