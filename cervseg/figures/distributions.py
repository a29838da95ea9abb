"""The spread of scores over images (Fig. 4)."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cervseg.figures.style import MARKERS, add_foot, colour_of, new_figure, panel_titles, styled
from cervseg.metrics.table import METRICS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Scores = Mapping[str, Mapping[str, Sequence[float | None]]]  # variant -> system -> one value per case

_LEGEND = "Box: quartiles; line: median; whiskers: 1.5 interquartile ranges; points: images; u: undefined."


def distribution_figure(scores: Scores, *, metric: str = "Dice", note: str = "") -> Figure:
    """Draw one point per image beside a box of the quartiles: one panel per variant, one column per system.

    Args:
        scores: variant -> system -> values; None is undefined and counted in the column's label.
        metric: key of ``METRICS``.
        note: sentences below the figure.

    Returns:
        The figure.
    """
    systems = list(dict.fromkeys(name for found in scores.values() for name in found))
    with styled():
        figure = new_figure(height_mm=95)
        widths = [len(found) + 0.4 for found in scores.values()]
        axes = figure.subplots(1, len(scores), sharey=True, squeeze=False, width_ratios=widths)[0]
        for axis, title, found in zip(axes, panel_titles(list(scores)), scores.values()):
            for place, (name, values) in enumerate(found.items()):
                _draw_system(axis, place, values, index=systems.index(name))
            axis.set_title(title, loc="left", fontweight="bold")
            labels = [_label(name, values) for name, values in found.items()]
            axis.set_xticks(range(len(found)), labels, rotation=90, linespacing=0.95)
            axis.tick_params(axis="x", length=0)
            axis.set_xlim(-0.6, len(found) - 0.4)
            axis.margins(y=0.07)  # no point lies on an axis
            axis.grid(axis="y", linewidth=0.4, color="#dddddd")
            axis.set_axisbelow(True)
        axes[0].set_ylabel(METRICS[metric].title)
        add_foot(figure, _LEGEND, note)
    return figure


def _draw_system(axis: Any, place: int, values: Sequence[float | None], *, index: int) -> None:
    known = np.array([value for value in values if value is not None], dtype=np.float64)
    if not len(known):
        return
    colour = colour_of(index)
    axis.boxplot(
        known,
        positions=[place],
        widths=0.56,
        showfliers=False,
        patch_artist=True,
        boxprops={"facecolor": colour, "alpha": 0.35, "edgecolor": colour},
        medianprops={"color": "black", "linewidth": 1.3},
        whiskerprops={"color": colour},
        capprops={"color": colour},
        manage_ticks=False,
    )
    # A golden-ratio walk spreads points evenly and is the same every time.
    sideways = ((np.arange(len(known)) * 0.618034) % 1 - 0.5) * 0.42
    axis.plot(
        place + sideways,
        np.sort(known),
        linestyle="none",
        marker=MARKERS[index % len(MARKERS)],
        markersize=2.4,
        markerfacecolor=colour,
        markeredgewidth=0,
        alpha=0.7,
    )


def _label(name: str, values: Sequence[float | None]) -> str:
    undefined = sum(value is None for value in values)
    count = f"n = {len(values) - undefined}" + (f", {undefined} u" if undefined else "")
    return "\n".join([*textwrap.wrap(name, 18), count])
