"""How scores are spread over the images (Fig. 4), and what a model costs for what it scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cervseg.figures.style import MARKERS, colour_of, new_figure, save_figure, styled
from cervseg.metrics.table import METRICS

Scores = Mapping[str, Mapping[str, Sequence[float | None]]]  # variant -> system -> a value a case


def distribution_figure(scores: Scores, path: Path, *, metric: str = "Dice", note: str = "") -> list[Path]:
    """Every case a point beside a box of the quartiles: a panel a variant, a column a system.

    Args:
        scores: variant -> system -> values, None where undefined; those are counted below the column.
        path: without suffix.
        metric: name in ``METRICS``.
        note: text below the figure.

    Returns:
        The PNG and the SVG.
    """
    systems = list(dict.fromkeys(name for found in scores.values() for name in found))
    with styled():
        figure = new_figure(height_mm=88)
        axes = figure.subplots(1, len(scores), sharey=True, squeeze=False)[0]
        for letter, axis, (variant, found) in zip("ABCDEFGH", axes, scores.items()):
            for index, name in enumerate(systems):
                if name in found:
                    _draw_system(axis, index, found[name])
            axis.set_title(f"{letter}  {variant}", loc="left", fontweight="bold")
            axis.set_xticks(range(len(systems)), [_label(name, found.get(name)) for name in systems])
            axis.tick_params(axis="x", rotation=90, length=0)
            axis.set_xlim(-0.6, len(systems) - 0.4)
            axis.grid(axis="y", linewidth=0.4, color="#dddddd")
            axis.set_axisbelow(True)
        axes[0].set_ylabel(METRICS[metric].title)
        text = "Box: quartiles, line: median, whiskers: 1.5 quartile ranges, points: images; u: undefined."
        return save_figure(figure, path, note=" ".join(filter(None, (text, note))))


def cost_figure(
    points: Sequence[tuple[str, float, float | None, int]], path: Path, *, note: str = ""
) -> list[Path]:
    """Dice against seconds an image, both from files to files; the area of a mark is the network's size.

    Args:
        points: (system, mean Dice, seconds per image or None, parameters).
        path: without suffix.
        note: text below the figure.
    """
    timed = [point for point in points if point[2] is not None]
    with styled():
        figure = new_figure(height_mm=85, width_mm=120)
        axis = figure.subplots()
        for index, (name, dice, image_s, size) in enumerate(timed):
            area = 20 + 2.2 * np.sqrt(size / 1e3)
            axis.scatter(
                image_s,
                dice,
                s=area,
                color=colour_of(index),
                marker=MARKERS[index % len(MARKERS)],
                alpha=0.85,
                edgecolor="white",
                linewidth=0.6,
                label=f"{name} ({size / 1e6:.1f} M)",
            )
        axis.set_xlabel("seconds an image")
        axis.set_ylabel("mean Dice")
        axis.margins(0.15)
        axis.set_xlim(left=0)
        axis.grid(linewidth=0.4, color="#dddddd")
        axis.set_axisbelow(True)
        legend = axis.legend(frameon=False, loc="center left", bbox_to_anchor=(1.02, 0.5), labelspacing=1.0)
        for mark in legend.legend_handles:
            mark.set_sizes([30])
        return save_figure(figure, path, note=note)


def _draw_system(axis: Any, index: int, values: Sequence[float | None]) -> None:
    known = np.array([value for value in values if value is not None], dtype=np.float64)
    if not len(known):
        return
    colour = colour_of(index)
    axis.boxplot(
        known,
        positions=[index],
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
        index + sideways,
        np.sort(known),
        linestyle="none",
        marker=MARKERS[index % len(MARKERS)],
        markersize=2.4,
        markerfacecolor=colour,
        markeredgewidth=0,
        alpha=0.7,
    )


def _label(name: str, values: Sequence[float | None] | None) -> str:
    if values is None:
        return f"{name}\n-"
    undefined = sum(value is None for value in values)
    return f"{name}\nn = {len(values) - undefined}" + (f", {undefined} u" if undefined else "")
