"""Progress bars: live on a terminal, one line per minute in a log file."""

from __future__ import annotations

import sys
from typing import Any

from tqdm import tqdm

# tqdm's monitor is a thread, and a process with threads should not be forked.
tqdm.monitor_interval = 0
LOG_EVERY_S = 60.0


def progress_bar(
    *,
    total: float,
    label: str,
    unit: str,
    show: bool = True,
    log: bool = False,
    done: float = 0,
    layout: str | None = None,
    smoothing: float = 0.3,
) -> tqdm[Any]:
    """Return a bar over ``total`` units on standard error.

    Args:
        total: number of units.
        label: name of the stage.
        unit: name of one unit.
        show: draw the bar.
        log: if standard error is not a terminal, print one line per minute; by default nothing.
        done: units that are finished already; they do not count in the rate.
        layout: tqdm's ``bar_format``.
        smoothing: weight of the latest rate in the estimate of the remaining time; 0 uses the mean rate.
    """
    is_terminal = sys.stderr.isatty()
    return tqdm(
        total=total,
        desc=label,
        unit=unit,
        disable=not show or not (is_terminal or log),
        dynamic_ncols=is_terminal,
        ncols=None if is_terminal else 160,
        mininterval=0.1 if is_terminal else LOG_EVERY_S,
        leave=log,
        initial=done,
        bar_format=layout,
        smoothing=smoothing,
    )
