"""Where a run tells its user what it does."""

from __future__ import annotations

from collections.abc import Callable

Log = Callable[[str], None]


def quiet(_text: str) -> None:
    """Drop a message: the default of every ``log`` argument."""
