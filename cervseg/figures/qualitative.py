"""Predictions of several systems side by side (Fig. 5)."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from cervseg.figures.cases import ShownCase, frames_of, show
from cervseg.figures.style import add_foot, new_figure, styled
from cervseg.metrics.table import METRICS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HIT_RGB, EXTRA_RGB, MISSED_RGB = (0, 158, 115), (213, 94, 0), (86, 180, 233)  # green, vermilion, sky blue
_HIT_OPACITY, _ERROR_OPACITY = 0.5, 0.9
_LEGEND = "Green: correct; vermilion: only in the prediction; sky blue: missed."


def qualitative_panel(cases: Sequence[ShownCase], *, note: str = "") -> Figure:
    """Draw rows of cases and columns of the image, the reference and every system.

    Every picture shows the structures of its case with a margin; all have the same aspect ratio.

    Args:
        cases: the rows.
        note: sentences below the figure.

    Returns:
        The figure.
    """
    systems = list(dict.fromkeys(name for shown in cases for name in shown.predictions))
    frames, ratio = frames_of(cases)
    num_columns = 2 + len(systems)
    with styled():
        figure = new_figure(height_mm=min(230.0, (165 / num_columns * ratio + 4) * len(cases) + 20))
        axes = figure.subplots(len(cases), num_columns, squeeze=False)
        for row, shown, frame in zip(axes, cases, frames):
            grey = shown.grey
            masks = [shown.reference, *(shown.predictions.get(name) for name in systems)]
            pictures = [grey, *(grey if m is None else _colored(grey, m, shown.reference) for m in masks)]
            for axis, picture in zip(row, pictures):
                show(axis, frame.crop(picture, fill=255))
            row[0].set_ylabel(shown.title.replace(" ", "\n", 1), fontsize=7)
            for axis, name in zip(row[2:], systems):
                dice = shown.metrics.get(name, {}).get("Dice")
                axis.set_xlabel(f"Dice {METRICS['Dice'].text(dice)}", fontsize=7)
        for axis, title in zip(axes[0], ["image", "reference", *systems]):
            axis.set_title("\n".join(textwrap.wrap(title, 14)), fontsize=7.5)
        add_foot(figure, _LEGEND, note)
    return figure


def _colored(grey: np.ndarray, mask: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Color correct, extra and missed pixels of an H x W x 3 picture."""
    picture = grey.copy()
    hit = (mask == reference) & (reference > 0)
    extra, missed = (mask > 0) & ~hit, (reference > 0) & ~hit
    for part, colour in ((hit, HIT_RGB), (missed, MISSED_RGB), (extra, EXTRA_RGB)):
        opacity = _HIT_OPACITY if part is hit else _ERROR_OPACITY
        picture[part] = np.rint((1 - opacity) * picture[part] + opacity * np.array(colour)).astype(np.uint8)
    return picture
