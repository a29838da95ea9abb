"""Images, masks and errors side by side: the qualitative panel (Fig. 5) and error heat maps (Figs. 6-7)."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from cervseg.core.scores import CaseScore, MetricValues, Summary
from cervseg.figures.overlays import to_grey
from cervseg.figures.style import new_figure, save_figure, styled
from cervseg.metrics.table import METRICS

HIT_RGB, EXTRA_RGB, MISSED_RGB = (0, 158, 115), (213, 94, 0), (86, 180, 233)  # green, vermilion, sky blue
_FILL = 0.5
_FAR = 0.02  # of the image's long side
_MARGIN = 0.2  # of the structures' box, around it
_CELL_PX = 512
_CAPTION = ("Dice", "HD95", "MAE", "MAE_foreground", "HD95_mm")  # below an error map, where computed


@dataclass(frozen=True, kw_only=True)
class ShownCase:
    """An image with its reference and what systems made of it.

    Args:
        case: its id.
        image: H x W, any numeric type.
        reference: H x W label values.
        predictions: system -> H x W label values.
        metrics: system -> metric -> value, mean over labels.
        probabilities: system -> L x H x W in [0, 1], where they were kept; planes as in ``labels``.
        labels: values of the foreground labels, ascending.
        remark: before its id in figures: "best", "median", "worst".
    """

    case: str
    image: np.ndarray
    reference: np.ndarray
    predictions: Mapping[str, np.ndarray]
    metrics: Mapping[str, MetricValues]
    probabilities: Mapping[str, np.ndarray] = field(default_factory=dict)
    labels: tuple[int, ...] = (1,)
    remark: str = ""


def telling_cases(summary: Summary) -> dict[str, str]:
    """The best, the median and the worst case by Dice, mean over labels: remark -> case.

    A case in which a structure is missed altogether has a Dice of 0 and is the worst; one in which both masks
    are empty tells nothing and is left out. Fewer than three cases give fewer remarks.
    """
    scored = [(dice, score.case) for score in summary.scores if (dice := _dice(score)) is not None]
    ordered = [case for _, case in sorted(scored)]
    if not ordered:
        return {}
    found = {"best": ordered[-1], "median": ordered[len(ordered) // 2], "worst": ordered[0]}
    first = {case: remark for remark, case in reversed(found.items())}
    return {remark: case for remark, case in found.items() if first[case] == remark}


def qualitative_panel(cases: Sequence[ShownCase], path: Path, *, note: str = "") -> list[Path]:
    """Rows are cases, columns are the image, the truth and every system; hits, extras and misses by colour.

    Every picture shows the box of all structures of its case with a margin.

    Returns:
        The PNG and the SVG.
    """
    systems = list(dict.fromkeys(name for shown in cases for name in shown.predictions))
    num_columns = 2 + len(systems)
    ratio = float(np.mean([_shape_ratio(shown) for shown in cases]))
    with styled():
        figure = new_figure(height_mm=min(230.0, 180 / num_columns * ratio * len(cases) + 22))
        axes = figure.subplots(len(cases), num_columns, squeeze=False)
        for row, shown in zip(axes, cases):
            box = _box(shown)
            grey = cv2.cvtColor(to_grey(shown.image), cv2.COLOR_GRAY2RGB)
            pictures = [grey, _errors(grey, shown.reference, shown.reference)]
            pictures += [
                _errors(grey, shown.predictions[name], shown.reference) if name in shown.predictions else grey
                for name in systems
            ]
            for axis, picture in zip(row, pictures):
                _show(axis, _shrunk(picture[box]))
            row[0].set_ylabel(" ".join(filter(None, (shown.remark, shown.case))), fontsize=7)
            for axis, name in zip(row[2:], systems):
                dice = shown.metrics.get(name, {}).get("Dice")
                axis.set_xlabel("Dice -" if dice is None else f"Dice {dice:.3f}", fontsize=7)
        for axis, title in zip(axes[0], ["image", "truth", *systems]):
            axis.set_title("\n".join(textwrap.wrap(title, 14)), fontsize=7.5)
        text = "Green: hit, vermilion: only in the prediction, sky blue: missed."
        return save_figure(figure, path, note=" ".join(filter(None, (text, note))))


def error_maps(cases: Sequence[ShownCase], system: str, path: Path, *, note: str = "") -> list[Path]:
    """Images of one system with their error on them; what agrees is not coloured.

    The error is |probability - truth|, or, where probabilities were not kept, the distance of a wrong pixel
    to the outline of the reference.

    Returns:
        The PNG and the SVG.
    """
    by_probability = all(system in shown.probabilities for shown in cases)
    ratio = float(np.mean([_shape_ratio(shown) for shown in cases]))
    with styled():
        figure = new_figure(height_mm=min(200.0, 165 / max(2, len(cases)) * ratio + 30))
        axes = figure.subplots(1, len(cases), squeeze=False)[0]
        drawn, largest = None, 1.0
        errors = [_error(shown, system, by_probability=by_probability)[_box(shown)] for shown in cases]
        if not by_probability:  # far errors alike, so that near ones can be told apart
            largest = _FAR * max(max(shown.image.shape) for shown in cases)
        for axis, shown, error in zip(axes, cases, errors):
            _show(axis, _shrunk(cv2.cvtColor(to_grey(shown.image), cv2.COLOR_GRAY2RGB)[_box(shown)]))
            error, floor = _shrunk(error.astype(np.float32)), 0.0 if by_probability else 0.7
            drawn = axis.imshow(
                error,
                cmap="plasma",
                vmin=0,
                vmax=largest,
                alpha=np.where(error > 0, np.clip(error / largest * 3, floor, 0.95), 0),
            )
            axis.set_title(" ".join(filter(None, (shown.remark, shown.case))), fontsize=8)
            axis.set_xlabel(_in_words(shown.metrics.get(system, {})), fontsize=7)
        label = "|probability - truth|" if by_probability else "wrong pixel: px to the reference's outline"
        figure.colorbar(
            drawn, ax=list(axes), shrink=0.75, label=label, extend="neither" if by_probability else "max"
        )
        figure.suptitle(system, fontsize=9)
        return save_figure(figure, path, note=note)


def _error(shown: ShownCase, system: str, *, by_probability: bool) -> np.ndarray:
    """H x W float: the largest error over labels."""
    if by_probability:
        planes = shown.probabilities[system].astype(np.float32)
        errors = [np.abs(plane - (shown.reference == value)) for plane, value in zip(planes, shown.labels)]
        largest: np.ndarray = np.max(errors, axis=0)
        return largest
    wrong = shown.predictions[system] != shown.reference
    inside = (shown.reference > 0).astype(np.uint8)
    away = cv2.distanceTransform(1 - inside, cv2.DIST_L2, 5) + cv2.distanceTransform(inside, cv2.DIST_L2, 5)
    distance: np.ndarray = np.where(wrong, away, 0)
    return distance


def _errors(grey: np.ndarray, mask: np.ndarray, reference: np.ndarray) -> np.ndarray:
    picture = grey.copy()
    hit = (mask == reference) & (reference > 0)
    extra, missed = (mask > 0) & ~hit, (reference > 0) & ~hit
    for part, colour in ((hit, HIT_RGB), (missed, MISSED_RGB), (extra, EXTRA_RGB)):
        share = _FILL if part is hit else 0.9
        picture[part] = np.rint((1 - share) * picture[part] + share * np.array(colour)).astype(np.uint8)
    return picture


def _box(shown: ShownCase) -> tuple[slice, slice]:
    """Rows and columns of all structures, predicted ones included, with a margin; else the image."""
    anything = shown.reference > 0
    for mask in shown.predictions.values():
        anything = anything | (mask > 0)
    rows, columns = np.flatnonzero(anything.any(axis=1)), np.flatnonzero(anything.any(axis=0))
    if not len(rows):
        return slice(0, anything.shape[0]), slice(0, anything.shape[1])
    margin = round(_MARGIN * max(rows[-1] - rows[0], columns[-1] - columns[0])) + 8
    return (
        slice(max(0, rows[0] - margin), min(anything.shape[0], rows[-1] + margin)),
        slice(max(0, columns[0] - margin), min(anything.shape[1], columns[-1] + margin)),
    )


def _shape_ratio(shown: ShownCase) -> float:
    rows, columns = _box(shown)
    return float(np.clip((rows.stop - rows.start) / (columns.stop - columns.start), 0.5, 2.2))


def _shrunk(picture: np.ndarray) -> np.ndarray:
    factor = _CELL_PX / max(picture.shape[:2])
    if factor >= 1:
        return picture
    size = (max(1, round(picture.shape[1] * factor)), max(1, round(picture.shape[0] * factor)))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def _show(axis: Any, picture: np.ndarray) -> None:
    axis.imshow(picture, interpolation="lanczos")
    axis.set_xticks([])
    axis.set_yticks([])
    axis.spines[:].set_visible(False)


def _in_words(metrics: MetricValues) -> str:
    texts = [
        f"{METRICS[name].title} {METRICS[name].text(metrics[name])}" for name in _CAPTION if name in metrics
    ]
    return "\n".join(", ".join(texts[first : first + 2]) for first in range(0, len(texts), 2))


def _dice(score: CaseScore) -> float | None:
    values = [value for found in score.metrics.values() if (value := found.get("Dice")) is not None]
    return sum(values) / len(values) if values else None
