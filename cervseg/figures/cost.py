"""Scores against prediction time and network size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cervseg.figures.style import MARKERS, add_foot, colour_of, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, kw_only=True)
class SystemCost:
    """Score and cost of one system.

    Args:
        system: name.
        dice: mean Dice.
        image_s: prediction time in seconds per image, from file to file.
        num_parameters: size of the network.
    """

    system: str
    dice: float
    image_s: float
    num_parameters: int


def cost_figure(costs: Sequence[SystemCost], *, note: str = "") -> Figure:
    """Draw Dice against seconds per image; the area of a mark is the size of the network.

    Args:
        costs: one per system.
        note: sentences below the figure.

    Returns:
        The figure.
    """
    with styled():
        figure = new_figure(height_mm=85, width_mm=130)
        axis = figure.subplots()
        for index, cost in enumerate(costs):
            axis.scatter(
                cost.image_s,
                cost.dice,
                s=20 + 2.2 * math.sqrt(cost.num_parameters / 1e3),
                color=colour_of(index),
                marker=MARKERS[index % len(MARKERS)],
                alpha=0.85,
                edgecolor="white",
                linewidth=0.6,
                label=f"{cost.system} ({cost.num_parameters / 1e6:.2g} M)",
            )
        axis.set_xlabel("seconds per image")
        axis.set_ylabel("mean Dice")
        axis.margins(0.18)  # room for the largest mark
        axis.locator_params(axis="x", nbins=5)
        axis.grid(linewidth=0.4, color="#dddddd")
        axis.set_axisbelow(True)
        legend = axis.legend(frameon=False, loc="center left", bbox_to_anchor=(1.02, 0.5), labelspacing=1.0)
        for mark in legend.legend_handles:
            mark.set_sizes([30])  # type: ignore[union-attr]
        add_foot(figure, note)
    return figure
