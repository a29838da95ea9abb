"""Cases to show in figures, and how their pictures are cropped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import cv2
import numpy as np

from cervseg.core.scores import CaseScore, MetricValues, Summary
from cervseg.figures.overlays import to_grey
from cervseg.imageio.colour import grey_to_rgb

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MARGIN = 0.2  # around the structures, as a share of their box
_CELL_PX = 512
_RATIOS = (0.5, 2.2)  # of height to width


@dataclass(frozen=True, kw_only=True)
class ShownCase:
    """An image with its reference and the predictions of several systems.

    Args:
        case: id.
        image: H x W, any numeric type.
        reference: H x W label values.
        predictions: system -> H x W label values.
        metrics: system -> metric -> value, mean over labels.
        probabilities: system -> L x H x W in [0, 1], if they were saved; one plane per entry of ``labels``.
        labels: values of the foreground labels, ascending.
        remark: written before the id: "best", "median", "worst".
    """

    case: str
    image: np.ndarray
    reference: np.ndarray
    predictions: Mapping[str, np.ndarray]
    metrics: Mapping[str, MetricValues]
    probabilities: Mapping[str, np.ndarray] = field(default_factory=dict)
    labels: tuple[int, ...] = (1,)
    remark: str = ""

    @property
    def title(self) -> str:
        """Remark and id."""
        return " ".join(filter(None, (self.remark, self.case)))

    @property
    def grey(self) -> np.ndarray:
        """The image as H x W x 3 uint8."""
        return grey_to_rgb(to_grey(self.image))

    @property
    def box(self) -> tuple[slice, slice]:
        """Rows and columns of all structures, predicted ones included, with a margin; else the image."""
        anything: np.ndarray = self.reference > 0
        for mask in self.predictions.values():
            anything = anything | (mask > 0)
        rows, columns = np.flatnonzero(anything.any(axis=1)), np.flatnonzero(anything.any(axis=0))
        height, width = anything.shape
        if not len(rows):
            return slice(0, height), slice(0, width)
        margin = round(_MARGIN * max(rows[-1] - rows[0], columns[-1] - columns[0])) + 8
        return (
            slice(max(0, rows[0] - margin), min(height, rows[-1] + margin)),
            slice(max(0, columns[0] - margin), min(width, columns[-1] + margin)),
        )


@dataclass(frozen=True, kw_only=True)
class Frame:
    """A crop with the aspect ratio that all pictures of a figure share, so that panels align.

    Args:
        top: first row in px; negative rows are outside the image.
        left: first column in px.
        height: in px.
        width: in px.
    """

    top: int
    left: int
    height: int
    width: int

    def crop(self, picture: np.ndarray, *, fill: float = 0) -> np.ndarray:
        """Crop a picture and shrink it to the size of a panel.

        Args:
            picture: H x W or H x W x 3.
            fill: value outside the image.

        Returns:
            The crop, at most 512 px long.
        """
        shape = (self.height, self.width, *picture.shape[2:])
        framed = np.full(shape, fill, picture.dtype)
        bottom, right = self.top + self.height, self.left + self.width
        rows = slice(max(0, self.top), min(bottom, picture.shape[0]))
        columns = slice(max(0, self.left), min(right, picture.shape[1]))
        inside = (
            slice(rows.start - self.top, rows.stop - self.top),
            slice(columns.start - self.left, columns.stop - self.left),
        )
        framed[inside] = picture[rows, columns]
        factor = _CELL_PX / max(shape[:2])
        if factor >= 1:
            return framed
        size = (max(1, round(self.width * factor)), max(1, round(self.height * factor)))
        return cv2.resize(framed, size, interpolation=cv2.INTER_AREA)


def frames_of(cases: Sequence[ShownCase]) -> tuple[list[Frame], float]:
    """Choose a frame per case, all of the same aspect ratio.

    Args:
        cases: the cases of a figure.

    Returns:
        One frame per case, and the ratio of height to width.
    """
    ratios = [_length(case.box[0]) / _length(case.box[1]) for case in cases]
    ratio = float(np.clip(np.mean(ratios), *_RATIOS))
    return [_frame(case, ratio) for case in cases], ratio


def typical_cases(summary: Summary) -> dict[str, str]:
    """Choose the best, the median and the worst case by Dice, mean over labels.

    A missed structure has a Dice of 0; cases whose masks are both empty have none and are left out.

    Args:
        summary: scores.

    Returns:
        "best", "median", "worst" -> case; fewer entries if there are fewer than three cases.
    """
    scored = [(dice, score.case) for score in summary.scores if (dice := _dice(score)) is not None]
    ordered = [case for _, case in sorted(scored)]
    if not ordered:
        return {}
    found = {"best": ordered[-1], "median": ordered[len(ordered) // 2], "worst": ordered[0]}
    first = {case: remark for remark, case in reversed(found.items())}
    return {remark: case for remark, case in found.items() if first[case] == remark}


def show(axis: Axes, picture: np.ndarray) -> None:
    """Draw a picture without ticks and frame.

    Args:
        axis: where to draw.
        picture: H x W x 3 uint8.
    """
    axis.imshow(picture, interpolation="lanczos")
    axis.set_xticks([])
    axis.set_yticks([])
    axis.spines[:].set_visible(False)


def _frame(case: ShownCase, ratio: float) -> Frame:
    """Enlarge the box of a case to the ratio; stay inside the image if possible."""
    rows, columns = case.box
    height, width = _length(rows), _length(columns)
    height, width = max(height, round(width * ratio)), max(width, round(height / ratio))
    return Frame(
        top=_start(rows, height, limit=case.image.shape[0]),
        left=_start(columns, width, limit=case.image.shape[1]),
        height=height,
        width=width,
    )


def _start(box: slice, length: int, *, limit: int) -> int:
    centered = (box.start + box.stop - length) // 2
    if length >= limit:
        return (limit - length) // 2
    return int(np.clip(centered, 0, limit - length))


def _length(box: slice) -> int:
    return int(box.stop - box.start)


def _dice(score: CaseScore) -> float | None:
    values = [value for found in score.metrics.values() if (value := found.get("Dice")) is not None]
    return sum(values) / len(values) if values else None
