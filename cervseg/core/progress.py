"""Progress bars that know where they are: live on a terminal, a line now and then in a log."""

from __future__ import annotations

import sys
from typing import Any

from tqdm import tqdm

# tqdm's monitor is a thread, and a process with threads should not be forked.
tqdm.monitor_interval = 0
LOG_EVERY_S = 60.0


def progress_bar(*, total: int, label: str, unit: str, show: bool = True, log: bool = False) -> tqdm[Any]:
    """A bar over ``total`` units on standard error.

    Args:
        show: False draws nothing at all.
        log: where standard error is no terminal, print a line a minute; else nothing there.
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
    )
