"""Fingerprint of a dataset: every image is read once, in parallel, and merged into a few numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import cv2
import numpy as np

from cervseg.core.errors import CervsegError, DatasetError
from cervseg.core.geometry import Box, around
from cervseg.core.types import Appearance, Case, Fingerprint, LabelFingerprint, SpacingMm
from cervseg.core.workers import Outcome, map_cases
from cervseg.imageio import read_channels, read_mask
from cervseg.planning.histogram import Histogram, distribution
from cervseg.preprocessing.appearance import mean_thumbnail, similarity, thumbnail

# Cases whose results are in memory at a time; a full 16-bit histogram takes 0.5 MB.
_CASES_AT_ONCE = 512
# Grid on which positions of labels are counted, (columns, rows).
_CELLS = (8, 8)


@dataclass(frozen=True, kw_only=True)
class LabelMeasure:
    """One label in one image: fraction of the area and, per component, area in px and thickness in px.

    ``place`` is the fraction of each of 8 x 8 cells of the image that the label covers, (row, column);
    ``extent`` the box around it, (top, left, bottom, right) as fractions of the image, None without a pixel.
    """

    area_fraction: float
    component_area_px: np.ndarray
    thickness_px: np.ndarray
    place: np.ndarray
    extent: Box | None


@dataclass(frozen=True, kw_only=True)
class CaseMeasure:
    """Measurements of one image; ``labels`` is None if the case has no mask."""

    size: tuple[int, int]
    num_channels: int
    bit_depth: int
    row_spacing_mm: float | None
    histogram: Histogram
    labels: dict[str, LabelMeasure] | None
    is_colour: bool
    thumbnail: np.ndarray


@dataclass
class _Totals:
    """Sums over the cases so far."""

    sizes: list[tuple[int, int]] = field(default_factory=list)
    channels: Counter[int] = field(default_factory=Counter)
    bit_depth: int = 0
    spacings_mm: list[float] = field(default_factory=list)
    histogram: Histogram | None = None
    masks: list[dict[str, LabelMeasure]] = field(default_factory=list)
    num_colour: int = 0
    thumbnails: list[np.ndarray] = field(default_factory=list)

    def add(self, measure: CaseMeasure) -> None:
        """Add one case."""
        self.sizes.append(measure.size)
        self.channels[measure.num_channels] += 1
        self.bit_depth = max(self.bit_depth, measure.bit_depth)
        self.num_colour += measure.is_colour
        self.thumbnails.append(measure.thumbnail)
        if measure.row_spacing_mm is not None:
            self.spacings_mm.append(measure.row_spacing_mm)
        self.histogram = measure.histogram if self.histogram is None else self.histogram + measure.histogram
        if measure.labels is not None:
            self.masks.append(measure.labels)


def compute_fingerprint(
    cases: Sequence[Case],
    *,
    labels: Mapping[str, int],
    workers: int,
    auxiliary: Collection[str] = (),
    spacing_mm: Mapping[str, SpacingMm] | None = None,
    progress: bool = True,
) -> Fingerprint:
    """Measure every image and mask of a dataset in one pass over the files.

    Call it before torch is imported: then worker processes are forked and start fast.

    Args:
        cases: training cases; a case without a mask does not count for the labels.
        labels: foreground label names and their values in the masks.
        workers: number of processes; with fewer than 2, no process is started.
        auxiliary: those of the labels that are neither shown nor scored.
        spacing_mm: case id -> (row, column) spacing; overrides the spacing in the image file.
        progress: show a progress bar.

    Returns:
        Intensities in the units of the files (floating-point images binned to 16 bit over their range), sizes
        and areas in px of the files, components by 8-connectivity, thickness as twice the radius of the
        largest inscribed circle. ``bit_depth`` is 8 for 8-bit images, the number of used bits for 16-bit
        images (10, 12, ... 16) and 32 for floating point; the largest over all images.

    Raises:
        DatasetError: there are no cases, or files cannot be read; the message names all of them.
    """
    if not cases:
        raise DatasetError("there are no training cases", hint="imagesTr must contain at least one image.")
    known = dict(spacing_mm or {})
    measure = partial(measure_case, labels=dict(labels), spacing_mm=known)
    totals, failed = _Totals(), list[Outcome[Case, CaseMeasure]]()
    for start in range(0, len(cases), _CASES_AT_ONCE):
        part = cases[start : start + _CASES_AT_ONCE]
        title = "fingerprint" if len(cases) <= _CASES_AT_ONCE else f"fingerprint, from case {start + 1}"
        for outcome in map_cases(measure, part, workers=workers, label=title, progress=progress):
            if outcome.result is None:
                failed.append(outcome)
            else:
                totals.add(outcome.result)
    if failed:
        raise _unreadable(failed, num_cases=len(cases))
    return _fingerprint(totals, labels=labels, auxiliary=auxiliary)


def measure_case(
    case: Case, *, labels: Mapping[str, int], spacing_mm: Mapping[str, SpacingMm]
) -> CaseMeasure:
    """Read and measure one case.

    Args:
        case: its files.
        labels: foreground label names and their values in the mask.
        spacing_mm: case id -> (row, column) spacing; overrides the spacing in the image file.

    Raises:
        ImageError: a file cannot be read, or the channels differ in size.
        DatasetError: the mask differs in size from the image.
    """
    image = read_channels(case.images)
    num_channels, height, width = image.pixels.shape
    mask = read_mask(case.mask) if case.mask is not None else None
    if mask is not None and mask.shape != (height, width):
        raise DatasetError(
            f"the image has {width} x {height} pixels, its mask {mask.shape[1]} x {mask.shape[0]}",
            where=case.id,
        )
    spacing = spacing_mm.get(case.id) or image.spacing_mm
    return CaseMeasure(
        size=(height, width),
        num_channels=num_channels,
        bit_depth=_bit_depth(image.pixels),
        row_spacing_mm=spacing[0] if spacing else None,
        histogram=Histogram.of(image.pixels),
        labels=None if mask is None else measure_labels(mask, labels=labels),
        is_colour=image.is_colour,
        thumbnail=thumbnail(image.pixels),
    )


def measure_labels(mask: np.ndarray, *, labels: Mapping[str, int]) -> dict[str, LabelMeasure]:
    """Measure area, components (8-connectivity) and thickness of every label.

    Args:
        mask: H x W uint8 of label values.
        labels: foreground label names and their values.
    """
    return {name: _measure_label((mask == value).view(np.uint8)) for name, value in labels.items()}


def _measure_label(binary: np.ndarray) -> LabelMeasure:
    left, top, width, height = cv2.boundingRect(binary)
    if width == 0:
        nothing, nowhere = np.empty(0), np.zeros(_CELLS[::-1])
        return LabelMeasure(
            area_fraction=0.0, component_area_px=nothing, thickness_px=nothing, place=nowhere, extent=None
        )
    rows, columns = binary.shape
    crop = np.ascontiguousarray(binary[top : top + height, left : left + width])
    num, components, boxes, _ = cv2.connectedComponentsWithStats(crop, connectivity=8, ltype=cv2.CV_32S)
    thickness = np.empty(num - 1)
    for index in range(1, num):
        x, y, w, h = boxes[index, :4]
        # Pad by one px of background: the edge of the image ends a structure.
        alone = np.pad((components[y : y + h, x : x + w] == index).view(np.uint8), 1)
        distance = cv2.distanceTransform(alone, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        thickness[index - 1] = 2.0 * float(distance.max())
    areas = boxes[1:, cv2.CC_STAT_AREA].astype(np.float64)
    return LabelMeasure(
        area_fraction=float(areas.sum() / binary.size),
        component_area_px=areas,
        thickness_px=thickness,
        place=cv2.resize(binary * np.uint8(255), _CELLS, interpolation=cv2.INTER_AREA) / 255.0,
        extent=(top / rows, left / columns, (top + height) / rows, (left + width) / columns),
    )


def _bit_depth(pixels: np.ndarray) -> int:
    if pixels.dtype == np.uint8:
        return 8
    return max(8, int(pixels.max()).bit_length()) if pixels.dtype == np.uint16 else 32


def _fingerprint(totals: _Totals, *, labels: Mapping[str, int], auxiliary: Collection[str]) -> Fingerprint:
    heights, widths = np.array(totals.sizes, dtype=np.float64).T
    histogram = totals.histogram
    assert histogram is not None
    return Fingerprint(
        num_cases=len(totals.sizes),
        num_channels=totals.channels.most_common(1)[0][0],
        height_px=distribution(heights),
        width_px=distribution(widths),
        aspect=distribution(heights / widths),
        spacing_mm=distribution(totals.spacings_mm) if totals.spacings_mm else None,
        num_with_spacing=len(totals.spacings_mm),
        bit_depth=totals.bit_depth,
        intensity=histogram.distribution(),
        intensity_percentile_0_5=histogram.percentile(0.5),
        intensity_percentile_99_5=histogram.percentile(99.5),
        labels={
            name: replace(
                _label_fingerprint([mask[name] for mask in totals.masks]), is_auxiliary=name in auxiliary
            )
            for name in labels
        },
        num_empty_masks=sum(
            all(measure.area_fraction == 0 for name, measure in mask.items() if name not in auxiliary)
            for mask in totals.masks
        ),
        appearance=_appearance(totals),
    )


def _appearance(totals: _Totals) -> Appearance:
    mean = mean_thumbnail(totals.thumbnails)
    return Appearance(
        num_colour=totals.num_colour,
        thumbnail=tuple(round(float(cell), 4) for cell in mean.ravel()),
        similarity=distribution([similarity(mean, each) for each in totals.thumbnails]),
    )


def _label_fingerprint(measures: list[LabelMeasure]) -> LabelFingerprint:
    """Pool one label over the images that show it; ``num_cases`` counts these."""
    present = [measure for measure in measures if measure.area_fraction > 0]
    return LabelFingerprint(
        num_cases=len(present),
        area_fraction=distribution([measure.area_fraction for measure in present]),
        num_components=distribution([len(measure.component_area_px) for measure in present]),
        component_area_px=distribution(_joined([measure.component_area_px for measure in present])),
        thickness_px=distribution(_joined([measure.thickness_px for measure in present])),
        mirror_overlap=_mirror_overlap([measure.place for measure in present]),
        extent=around([measure.extent for measure in present if measure.extent is not None]),
    )


def _mirror_overlap(places: list[np.ndarray]) -> float:
    total = np.sum(places, axis=0) if places else np.zeros(_CELLS[::-1])
    area = float(total.sum())
    return float(np.minimum(total, total[:, ::-1]).sum()) / area if area else 0.0


def _joined(arrays: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(arrays) if arrays else np.empty(0)


def _unreadable(failed: Sequence[Outcome[Case, CaseMeasure]], *, num_cases: int) -> DatasetError:
    named = "; ".join(f"{outcome.item.id} ({_problem(outcome.error)})" for outcome in failed)
    return DatasetError(
        f"{len(failed)} of {num_cases} cases cannot be used: {named}",
        hint="Repair these files or remove the cases from the dataset.",
    )


def _problem(error: Exception | None) -> str:
    if isinstance(error, CervsegError):
        return error.what
    return f"{type(error).__name__}: {error}"
