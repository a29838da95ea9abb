"""Sizes, colors and fonts of the figures, and how a figure is written."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cervseg.core.atomic import atomic_path
from cervseg.core.notice import NOTICE

if TYPE_CHECKING:  # matplotlib loads only where a figure is drawn
    from matplotlib.figure import Figure

WIDTH_MM = 180.0  # two columns of a journal
DPI = 220
# Okabe and Ito's palette; yellow, which is faint on white, comes last.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#000000", "#999999", "#f0e442")
MARKERS = "osD^vP*Xh<>dp8"
_STYLE: Any = {
    "font.size": 8.0,
    "axes.titlesize": 8.5,
    "axes.labelsize": 8.0,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "legend.fontsize": 7.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "cervseg",  # the same figure is the same file
}


def new_figure(*, height_mm: float, width_mm: float = WIDTH_MM) -> Figure:
    """Create an empty figure; use it inside ``with styled():``.

    Args:
        height_mm: height in mm.
        width_mm: width in mm.

    Returns:
        The figure. It needs no display.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width_mm / 25.4, height_mm / 25.4), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def styled() -> AbstractContextManager[None]:
    """Return the context in which a figure is drawn."""
    import matplotlib

    return matplotlib.rc_context(_STYLE)


def add_foot(figure: Figure, *sentences: str) -> None:
    """Write sentences and the notice below a figure.

    Args:
        figure: the figure.
        sentences: each with its full stop; empty ones are skipped.
    """
    text = " ".join(filter(None, (*sentences, NOTICE)))
    foot = "\n".join(textwrap.wrap(text, round(figure.get_figwidth() * 21)))
    figure.supxlabel(foot, fontsize=6.5, color="#555555", x=0.01, ha="left")


def save_figure(figure: Figure, path: Path) -> list[Path]:
    """Write a figure as PNG and SVG.

    Args:
        figure: the figure.
        path: file name without suffix.

    Returns:
        Both files.
    """
    written = []
    for suffix, options in ((".png", {"dpi": DPI}), (".svg", {"metadata": {"Date": None}})):
        file = path.with_name(path.name + suffix)
        with atomic_path(file) as temporary, styled():
            figure.savefig(temporary, format=suffix[1:], **options)
        written.append(file)
    return written


def colour_of(index: int) -> str:
    """Return the color of the system with this index; colors repeat after nine systems."""
    return COLOURS[index % len(COLOURS)]


def panel_titles(names: Sequence[str]) -> list[str]:
    """Put letters before the titles of panels: "A  original"; a single panel has no letter."""
    return [f"{chr(ord('A') + k)}  {name}" for k, name in enumerate(names)] if len(names) > 1 else list(names)
