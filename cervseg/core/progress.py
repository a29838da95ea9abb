"""Progress bars: live on a terminal, a line per minute in a log."""

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
        total: units of all work.
        label: the name of the stage.
        unit: the name of one unit.
        show: False draws nothing.
        log: where standard error is not a terminal, print a line per minute; else nothing there.
        done: units that are done already; they do not count in the rate.
        layout: tqdm's ``bar_format``.
        smoothing: weight of the latest rate in the estimate of the time left; 0 takes the mean rate.
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
