"""How the figures of a study look: sizes for print, colours for every eye, PNG and SVG alike."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

from cervseg.core.paths import atomic_path

NOTICE = "Research software, not a medical device."
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


def new_figure(*, height_mm: float, width_mm: float = WIDTH_MM) -> Any:
    """An empty figure of this size in mm; use it inside ``with styled():``."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width_mm / 25.4, height_mm / 25.4), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def styled() -> Any:
    """The context in which a figure is made and saved."""
    import matplotlib

    return matplotlib.rc_context(_STYLE)


def save_figure(figure: Any, path: Path, *, note: str = "") -> list[Path]:
    """Write a figure as PNG and SVG, with a note and the notice at its foot.

    Args:
        path: without suffix.

    Returns:
        Both files.
    """
    foot = "\n".join(textwrap.wrap(" ".join(filter(None, (note, NOTICE))), round(figure.get_figwidth() * 21)))
    figure.supxlabel(foot, fontsize=6.5, color="#555555", x=0.99, ha="right")
    written = []
    for suffix, options in ((".png", {"dpi": DPI}), (".svg", {"metadata": {"Date": None}})):
        file = path.with_name(path.name + suffix)
        with atomic_path(file) as temporary:
            figure.savefig(temporary, format=suffix[1:], **options)
        written.append(file)
    return written


def colour_of(index: int) -> str:
    """The colour of the system number ``index``."""
    return COLOURS[index % len(COLOURS)]
