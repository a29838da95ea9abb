"""The end of a command that reads many files: its notes, and what it left out."""

from __future__ import annotations

import sys
from collections.abc import Sequence

_MAX_LINES = 20


def print_outcome(notes: Sequence[str], left_out: Sequence[str], *, verbose: bool) -> int:
    """Print notes, and on standard error what was left out.

    Args:
        notes: remarks, one line each.
        left_out: one line per file that was left out; without ``verbose`` at most 20 are printed.
        verbose: print all of them.

    Returns:
        The exit code: 1 if something was left out, else 0.
    """
    for note in notes:
        print(f"note: {note}")
    shown = left_out if verbose else left_out[:_MAX_LINES]
    for line in shown:
        print(f"left out: {line}", file=sys.stderr)
    if len(shown) < len(left_out):
        print(f"... and {len(left_out) - len(shown)} more (--verbose lists all)", file=sys.stderr)
    return 1 if left_out else 0
