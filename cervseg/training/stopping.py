"""When a training stops: at its time limit, or at a signal."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class Clock:
    """Measure the time of a training and compare it with a limit.

    Args:
        already_s: seconds trained by earlier calls.
        limit_s: seconds that this call may train; None for no limit.
    """

    def __init__(self, *, already_s: float, limit_s: float | None) -> None:
        self.already_s, self.limit_s = already_s, limit_s
        self._start = time.monotonic()

    @property
    def call_s(self) -> float:
        """Seconds since this call began."""
        return time.monotonic() - self._start

    @property
    def elapsed_s(self) -> float:
        """Seconds trained, all calls together."""
        return self.already_s + self.call_s

    @property
    def share(self) -> float:
        """Share of the time that the training will have had when this call ends; 0 without a limit.

        elapsed_s / (already_s + limit_s): it reaches 1 at the limit, however much was trained before.
        """
        return 0.0 if self.limit_s is None else self.elapsed_s / (self.already_s + self.limit_s)

    @property
    def is_over(self) -> bool:
        """Whether this call has reached its limit."""
        return self.limit_s is not None and self.call_s >= self.limit_s


@contextmanager
def stop_at_step_end() -> Iterator[Callable[[], bool]]:
    """Delay the first SIGINT or SIGTERM to the end of a step; a second one raises KeyboardInterrupt at once.

    Yields:
        A function that tells whether a signal has arrived.
    """
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
