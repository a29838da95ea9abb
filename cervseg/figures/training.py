"""Training curves.

matplotlib is imported only where it draws, and needs no display.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cervseg.core.atomic import atomic_path
from cervseg.figures.overlays import PALETTE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Rows = Sequence[Mapping[str, Any]]

_COLOURS = [f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in PALETTE]
_ORANGE, _SKY, _GREEN, _YELLOW, _VERMILION, _PURPLE, _BLUE = _COLOURS
_TERM_COLOURS = (_ORANGE, _SKY, _GREEN, _VERMILION, _PURPLE, _BLUE, "#000000")  # yellow is faint on white
_LINE = {"linewidth": 1.6}
_ROOM = 0.04  # below zero, as a share of the axis, so that marks at zero are whole


def progress_figure(rows: Rows, path: Path) -> None:
    """Write the curves of a training run; without rows nothing is written.

    Args:
        rows: rows of log.jsonl; see :func:`training_curves`.
        path: PNG file.
    """
    if not rows:
        return
    with atomic_path(path) as temporary:
        training_curves(rows).savefig(temporary)


def training_curves(rows: Rows) -> Figure:
    """Draw loss, validation Dice, the share of each loss term, and learning rate.

    Args:
        rows: rows of log.jsonl, at least one: ``epoch, loss, val_dice, learning_rate, seconds`` and
            optionally ``val_loss`` and ``terms`` (name -> value). None is a gap.

    Returns:
        The figure, 1210 x 770 px.
    """
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
        room = max(0.5, 0.02 * (max(epochs) - min(epochs)))
        axis.set_xlim(min(epochs) - room, max(epochs) + room)
        axis.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    return figure


def _plot_loss(axis: Any, rows: Rows, epochs: Sequence[int]) -> None:
    axis.plot(epochs, _column(rows, "loss"), color=_BLUE, label="training", marker=_marker(rows), **_LINE)
    if any(row.get("val_loss") is not None for row in rows):
        losses = _column(rows, "val_loss")
        axis.plot(epochs, losses, color=_VERMILION, label="validation", marker=_marker(rows), **_LINE)
        axis.legend(frameon=False)
    axis.set_title("loss")


def _plot_dice(axis: Any, rows: Rows, epochs: Sequence[int]) -> None:
    axis.set_title("validation Dice (network frame)")
    values = _column(rows, "val_dice")
    defined = [(value, epoch) for value, epoch in zip(values, epochs) if not math.isnan(value)]
    if not defined:
        axis.text(0.5, 0.5, "no validation", transform=axis.transAxes, ha="center", color="grey")
        return
    axis.plot(epochs, values, color=_GREEN, marker=_marker(rows), **_LINE)
    best, epoch = max(defined, key=lambda point: point[0])
    axis.plot([epoch], [best], marker="*", markersize=13, color=_VERMILION, linestyle="none")
    axis.axvline(epoch, color=_VERMILION, linewidth=0.8, linestyle=":")
    axis.margins(y=0.08)
    axis.set_title(f"validation Dice (network frame), best {best:.4f} in epoch {epoch}")


def _plot_terms(axis: Any, rows: Rows, epochs: Sequence[int]) -> None:
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
    axis.set_ylim(-_ROOM, 1 + _ROOM)
    axis.legend(frameon=False, ncols=2, fontsize="small")


def _plot_rate(axis: Any, rows: Rows, epochs: Sequence[int]) -> None:
    rates = _column(rows, "learning_rate")
    axis.plot(epochs, rates, color=_PURPLE, marker=_marker(rows), **_LINE)
    top = max((rate for rate in rates if not math.isnan(rate)), default=0.0) or 1.0
    axis.set_ylim(-_ROOM * top, (1 + 2 * _ROOM) * top)
    axis.ticklabel_format(axis="y", style="sci", scilimits=(-2, 3))
    seconds = [value for value in _column(rows, "seconds") if not math.isnan(value)]
    note = f", {sum(seconds) / len(seconds):.1f} s per epoch" if seconds else ""
    axis.set_title(f"learning rate{note}")


def _column(rows: Rows, key: str) -> list[float]:
    values = [row.get(key) for row in rows]
    return [math.nan if value is None else float(value) for value in values]


def _marker(rows: Rows) -> str:
    return "o" if len(rows) < 12 else ""  # a line through one point is no line
