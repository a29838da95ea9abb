"""When a run stops: its time is over, or somebody wants it to."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class Clock:
    """Seconds trained so far, the time before an interruption counted in."""

    def __init__(self, *, already_s: float, limit_s: float | None) -> None:
        self._start, self._limit_s = time.monotonic() - already_s, limit_s

    @property
    def elapsed_s(self) -> float:
        """Since the run began, without the time in which it was interrupted."""
        return time.monotonic() - self._start

    @property
    def share(self) -> float:
        """Of the limit; 0 where there is none."""
        return self.elapsed_s / self._limit_s if self._limit_s else 0.0

    @property
    def over(self) -> bool:
        """Has the limit been reached?"""
        return self.share >= 1


@contextmanager
def stop_at_step_end() -> Iterator[Callable[[], bool]]:
    """Turn the first SIGINT or SIGTERM into a question to ask after each step; a second one acts at once."""
    wanted = False
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return

    def remember(_signal: int, _frame: Any) -> None:
        nonlocal wanted
        if wanted:
            raise KeyboardInterrupt
        wanted = True

    previous = {number: signal.signal(number, remember) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: wanted
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
