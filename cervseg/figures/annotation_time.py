"""Time per image of human raters and of models (Fig. 9)."""

from __future__ import annotations

import csv
import math
import textwrap
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cervseg.core.errors import DatasetError
from cervseg.figures.style import add_foot, colour_of, new_figure, panel_titles, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLUMNS = "the columns are rater, case, annotation_s and optionally mask_s"
_FOOT = (
    "Raters: mean and standard deviation over images, times as given in the file. "
    "Models: from image file to mask file."
)


@dataclass(frozen=True, kw_only=True)
class ManualTime:
    """Time that a rater took for one image.

    Args:
        rater: name.
        case: image.
        annotation_s: seconds to draw the outlines.
        mask_s: seconds to turn them into a mask; None if unknown.
    """

    rater: str
    case: str
    annotation_s: float
    mask_s: float | None


def read_manual_times(path: Path) -> list[ManualTime]:
    """Read a CSV file with the columns rater, case, annotation_s and optionally mask_s.

    Args:
        path: the file.

    Returns:
        One entry per row.

    Raises:
        DatasetError: the file is missing, lacks a column, has no rows, or has an invalid time.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError) as problem:
        raise DatasetError(f"the file cannot be read ({problem})", where=path) from None
    if not rows or not {"rater", "case", "annotation_s"} <= rows[0].keys():
        raise DatasetError("no annotation times", where=path, hint=_COLUMNS)
    times = []
    for number, row in enumerate(rows, start=2):
        where = f"{path}, line {number}"
        mask = (row.get("mask_s") or "").strip()
        times.append(
            ManualTime(
                rater=(row["rater"] or "").strip(),
                case=(row["case"] or "").strip(),
                annotation_s=_seconds(row["annotation_s"], where),
                mask_s=_seconds(mask, where) if mask else None,
            )
        )
    return times


def time_figure(manual: Sequence[ManualTime], automatic: Mapping[str, float], *, note: str = "") -> Figure:
    """Draw times of raters beside those of models on a log axis: annotation alone, and with the mask.

    Args:
        manual: times of raters; each rater is a bar: mean over images with standard deviation.
        automatic: system -> seconds per image, from file to file.
        note: sentences below the figure.

    Returns:
        The figure.
    """
    panels = {
        "annotation": _by_rater(manual, lambda time: time.annotation_s),
        "annotation and mask": _by_rater(
            manual, lambda time: None if time.mask_s is None else time.annotation_s + time.mask_s
        ),
    }
    panels = {title: found for title, found in panels.items() if found}
    with styled():
        figure = new_figure(height_mm=95)
        axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for axis, title, people in zip(axes, panel_titles(list(panels)), panels.values()):
            _draw_bars(axis, people, automatic)
            axis.set_title(f"{title}{_saved(people, automatic)}", loc="left", fontweight="bold")
        axes[0].set_ylabel("seconds per image (log scale)")
        add_foot(figure, _FOOT, note)
    return figure


def _draw_bars(axis: Any, people: Mapping[str, Sequence[float]], automatic: Mapping[str, float]) -> None:
    names = [*people, *automatic]
    means = [float(np.mean(times)) for times in people.values()] + list(automatic.values())
    spread = [_deviation(times) for times in people.values()] + [math.nan] * len(automatic)
    colours = ["#999999"] * len(people) + [colour_of(index) for index in range(len(automatic))]
    axis.bar(range(len(names)), means, yerr=spread, color=colours, width=0.65, capsize=2)
    for place, mean in enumerate(means):
        top = (place, mean + np.nan_to_num(spread[place]))
        axis.annotate(_time_text(mean), top, (0, 3), textcoords="offset points", ha="center", fontsize=6.5)
    axis.set_yscale("log")
    labels = ["\n".join(textwrap.wrap(name, 18)) for name in names]
    axis.set_xticks(range(len(names)), labels, rotation=90, linespacing=0.95)
    axis.margins(y=0.15)


def _by_rater(
    manual: Sequence[ManualTime], seconds: Callable[[ManualTime], float | None]
) -> dict[str, list[float]]:
    found: dict[str, list[float]] = defaultdict(list)
    for time in manual:
        value = seconds(time)
        if value is not None:
            found[time.rater].append(value)
    return dict(found)


def _saved(people: Mapping[str, Sequence[float]], automatic: Mapping[str, float]) -> str:
    if not automatic:
        return ""
    manual = float(np.mean([np.mean(times) for times in people.values()]))
    share = 1 - min(automatic.values()) / manual
    return f"\nfastest model: {100 * share:.1f} % less" if share > 0 else ""


def _deviation(times: Sequence[float]) -> float:
    return float(np.std(times, ddof=1)) if len(times) > 1 else math.nan


def _time_text(seconds: float) -> str:
    return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"


def _seconds(text: str | None, where: str) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise DatasetError(f"{text!r} is not a time in seconds", where=where, hint=_COLUMNS)
    return value
