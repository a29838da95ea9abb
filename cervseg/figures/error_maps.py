"""Error heat maps of one system (Figs. 6-7)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np

from cervseg.core.scores import MetricValues
from cervseg.figures.cases import ShownCase, frames_of, show
from cervseg.figures.style import add_foot, new_figure, styled
from cervseg.metrics.table import METRICS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_METRICS = ("Dice", "HD95", "MAE", "MAE_foreground", "HD95_mm")  # below each map, if computed
_FAR = 0.02  # of the image's long side: errors beyond it share one color


def error_maps(cases: Sequence[ShownCase], system: str, *, note: str = "") -> Figure:
    """Draw the error of one system over each image; pixels without error are not colored.

    The error is |probability - reference|, or the distance of a wrong pixel to the outline of the reference
    if a case has no saved probabilities.

    Args:
        cases: one panel each.
        system: key of their predictions.
        note: sentences below the figure.

    Returns:
        The figure.
    """
    by_probability = all(system in shown.probabilities for shown in cases)
    frames, ratio = frames_of(cases)
    largest, floor = 1.0, 0.0
    if not by_probability:
        largest, floor = _FAR * max(max(shown.image.shape) for shown in cases), 0.7
    with styled():
        figure = new_figure(height_mm=min(200.0, 165 / max(2, len(cases)) * ratio + 32))
        axes = figure.subplots(1, len(cases), squeeze=False)[0]
        drawn = None
        for axis, shown, frame in zip(axes, cases, frames):
            show(axis, frame.crop(shown.grey, fill=255))
            error = frame.crop(_error(shown, system, by_probability=by_probability))
            opacity = np.where(error > 0, np.clip(error / largest * 3, floor, 0.95), 0)
            drawn = axis.imshow(error, cmap="plasma", vmin=0, vmax=largest, alpha=opacity)
            axis.set_title(shown.title, fontsize=8)
            axis.set_xlabel(_scores_text(shown.metrics.get(system, {})), fontsize=7)
        assert drawn is not None
        label = (
            "|probability - reference|" if by_probability else "wrong pixel: px to the reference's outline"
        )
        extend = "neither" if by_probability else "max"
        figure.colorbar(drawn, ax=list(axes), shrink=0.75, label=label, extend=extend)
        figure.suptitle(system, fontsize=9)
        add_foot(figure, note)
    return figure


def _error(shown: ShownCase, system: str, *, by_probability: bool) -> np.ndarray:
    """Return the largest error over labels, H x W float32."""
    if by_probability:
        planes = shown.probabilities[system].astype(np.float32)
        errors = [np.abs(plane - (shown.reference == value)) for plane, value in zip(planes, shown.labels)]
        largest: np.ndarray = np.max(errors, axis=0)
        return largest
    wrong = shown.predictions[system] != shown.reference
    inside = (shown.reference > 0).astype(np.uint8)
    away = cv2.distanceTransform(1 - inside, cv2.DIST_L2, 5) + cv2.distanceTransform(inside, cv2.DIST_L2, 5)
    distance: np.ndarray = np.where(wrong, away, 0).astype(np.float32)
    return distance


def _scores_text(metrics: MetricValues) -> str:
    texts = [f"{METRICS[n].title} {METRICS[n].text(metrics[n])}" for n in _METRICS if n in metrics]
    return "\n".join(", ".join(texts[first : first + 2]) for first in range(0, len(texts), 2))
