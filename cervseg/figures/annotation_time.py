"""How long people take for an image, and a model (Fig. 9)."""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cervseg.core.errors import DatasetError
from cervseg.figures.style import colour_of, new_figure, save_figure, styled

_COLUMNS = "rater, case, annotation_s and, if known, mask_s"


@dataclass(frozen=True, kw_only=True)
class ManualTime:
    """Seconds that a rater took for an image: to draw, and to make a mask of it (None where not known)."""

    rater: str
    case: str
    annotation_s: float
    mask_s: float | None


def read_manual_times(path: Path) -> list[ManualTime]:
    """Read a CSV with the columns rater, case, annotation_s and, if known, mask_s.

    Raises:
        DatasetError: it is missing, lacks a column, holds no row, or a value is no time.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError) as problem:
        raise DatasetError(f"cannot be read ({problem})", where=path) from None
    if not rows or not {"rater", "case", "annotation_s"} <= rows[0].keys():
        raise DatasetError("holds no times", where=path, hint=f"The columns are {_COLUMNS}.")
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


def time_figure(
    manual: Sequence[ManualTime], automatic: Mapping[str, float], path: Path, *, note: str = ""
) -> list[Path]:
    """Two panels on a log axis: drawing alone, and with the making of the mask; people beside models.

    Args:
        manual: times of people; each rater a bar, the mean over its images, with its standard deviation.
        automatic: system -> seconds an image, files in to files out.
        path: without suffix.
    """
    panels = {
        "A  annotation": _by_rater(manual, lambda time: time.annotation_s),
        "B  annotation and mask": _by_rater(
            manual, lambda time: None if time.mask_s is None else time.annotation_s + time.mask_s
        ),
    }
    panels = {title: found for title, found in panels.items() if found}
    with styled():
        figure = new_figure(height_mm=80)
        axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for axis, (title, people) in zip(axes, panels.items()):
            names = [*people, *automatic]
            means = [float(np.mean(people[name])) for name in people] + list(automatic.values())
            spread = [_deviation(times) for times in people.values()] + [math.nan] * len(automatic)
            colours = ["#999999"] * len(people) + [colour_of(index) for index in range(len(automatic))]
            axis.bar(range(len(names)), means, yerr=spread, color=colours, width=0.65, capsize=2)
            for place, mean in enumerate(means):
                top = (place, mean + np.nan_to_num(spread[place]))
                axis.annotate(_in_words(mean), top, (0, 3), textcoords="offset points", ha="center")
            axis.set_yscale("log")
            axis.set_xticks(range(len(names)), names, rotation=90)
            axis.set_title(f"{title}{_saved(people, automatic)}", loc="left", fontweight="bold")
            axis.margins(y=0.15)
        axes[0].set_ylabel("seconds an image (log)")
        text = (
            "Manual times as given, mean and standard deviation over images; models: files in to files out."
        )
        return save_figure(figure, path, note=" ".join(filter(None, (text, note))))


def _by_rater(manual: Sequence[ManualTime], seconds: object) -> dict[str, list[float]]:
    found: dict[str, list[float]] = defaultdict(list)
    for time in manual:
        value = seconds(time)  # type: ignore[operator]
        if value is not None:
            found[time.rater].append(value)
    return dict(found)


def _saved(people: Mapping[str, Sequence[float]], automatic: Mapping[str, float]) -> str:
    if not automatic:
        return ""
    manual = float(np.mean([np.mean(times) for times in people.values()]))
    share = 1 - min(automatic.values()) / manual
    return f": {100 * share:.1f} % less" if share > 0 else ""


def _deviation(times: Sequence[float]) -> float:
    return float(np.std(times, ddof=1)) if len(times) > 1 else math.nan


def _in_words(seconds: float) -> str:
    return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"


def _seconds(text: str | None, where: str) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        hint = f"The columns are {_COLUMNS}."
        raise DatasetError(f"{text!r} is no time in seconds", where=where, hint=hint)
    return value
