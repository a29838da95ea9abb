"""Training curves. Overlays and sheets live in overlays.py and can be had from here too.

matplotlib is imported only where it draws, and needs no display.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cervseg.core.paths import atomic_path
from cervseg.figures.overlays import PALETTE, contact_sheet, overlay, write_overlay

__all__ = ["contact_sheet", "overlay", "progress_figure", "write_overlay"]

_COLOURS = [f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in PALETTE]
_ORANGE, _SKY, _GREEN, _YELLOW, _VERMILION, _PURPLE, _BLUE = _COLOURS
_TERM_COLOURS = (_ORANGE, _SKY, _GREEN, _VERMILION, _PURPLE, _BLUE, "#000000")  # yellow is faint on white
_LINE = {"linewidth": 1.6}


def progress_figure(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draw the curves of a training run: loss, validation Dice, each loss term's share, learning rate.

    Args:
        rows: log.jsonl's rows: ``epoch, loss, val_dice, learning_rate, seconds`` and, where there are any,
            ``val_loss`` and ``terms`` (name -> value). None is a gap; without rows nothing is drawn.
        path: .png.
    """
    if not rows:
        return
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 7), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, 2)
    epochs = [row["epoch"] + 1 for row in rows]
    _plot_loss(axes[0, 0], rows, epochs)
    _plot_dice(axes[0, 1], rows, epochs)
    _plot_terms(axes[1, 0], rows, epochs)
    _plot_rate(axes[1, 1], rows, epochs)
    for axis in axes.flat:
        axis.set_xlabel("epoch")
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
        axis.set_xlim(min(epochs) - 0.5, max(epochs) + 0.5)
        axis.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    with atomic_path(path) as temporary:
        figure.savefig(temporary)


def _plot_loss(axis: Any, rows: Sequence[Mapping[str, Any]], epochs: Sequence[int]) -> None:
    losses = _column(rows, "loss")
    axis.plot(epochs, losses, color=_BLUE, label="training", marker=_marker(rows), **_LINE)
    if any(row.get("val_loss") is not None for row in rows):
        checked = _column(rows, "val_loss")
        axis.plot(epochs, checked, color=_VERMILION, label="validation", marker=_marker(rows), **_LINE)
        axis.legend(frameon=False)
    axis.set_title("loss")


def _plot_dice(axis: Any, rows: Sequence[Mapping[str, Any]], epochs: Sequence[int]) -> None:
    axis.set_title("validation Dice (network frame)")
    values = _column(rows, "val_dice")
    defined = [(value, epoch) for value, epoch in zip(values, epochs) if not math.isnan(value)]
    if not defined:
        axis.text(0.5, 0.5, "no validation", transform=axis.transAxes, ha="center", color="grey")
        return
    axis.plot(epochs, values, color=_GREEN, marker=_marker(rows), **_LINE)
    best, epoch = max(defined, key=lambda point: point[0])
    axis.plot([epoch], [best], marker="*", markersize=13, color=_VERMILION, linestyle="none", clip_on=False)
    axis.axvline(epoch, color=_VERMILION, linewidth=0.8, linestyle=":")
    axis.set_title(f"validation Dice (network frame), best {best:.4f} in epoch {epoch}")


def _plot_terms(axis: Any, rows: Sequence[Mapping[str, Any]], epochs: Sequence[int]) -> None:
    axis.set_title("share of each loss term")
    names = list(dict.fromkeys(name for row in rows for name in row.get("terms") or {}))
    sums = [sum(abs(value or 0.0) for value in (row.get("terms") or {}).values()) for row in rows]
    if not names or not any(sums):
        axis.text(0.5, 0.5, "no terms logged", transform=axis.transAxes, ha="center", color="grey")
        return
    shares = {
        name: [
            abs((row.get("terms") or {}).get(name) or 0.0) / total if total else 0.0
            for row, total in zip(rows, sums)
        ]
        for name in names
    }
    for index, (name, share) in enumerate(shares.items()):
        colour = _TERM_COLOURS[index % len(_TERM_COLOURS)]
        axis.plot(epochs, share, color=colour, label=name, marker=_marker(rows), **_LINE)
    axis.set_ylim(0, 1.02)
    axis.legend(frameon=False, ncols=2, fontsize="small")


def _plot_rate(axis: Any, rows: Sequence[Mapping[str, Any]], epochs: Sequence[int]) -> None:
    axis.plot(epochs, _column(rows, "learning_rate"), color=_PURPLE, marker=_marker(rows), **_LINE)
    axis.set_ylim(bottom=0)
    axis.ticklabel_format(axis="y", style="sci", scilimits=(-2, 3))
    seconds = [value for value in _column(rows, "seconds") if not math.isnan(value)]
    note = f", {sum(seconds) / len(seconds):.1f} s an epoch" if seconds else ""
    axis.set_title(f"learning rate{note}")


def _column(rows: Sequence[Mapping[str, Any]], key: str) -> list[float]:
    values = [row.get(key) for row in rows]
    return [math.nan if value is None else float(value) for value in values]


def _marker(rows: Sequence[Mapping[str, Any]]) -> str:
    return "o" if len(rows) < 12 else ""  # a line through one point is no line
