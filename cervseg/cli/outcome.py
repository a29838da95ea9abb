"""The end of a command that reads many files: its warnings, and the files that it left out."""

from __future__ import annotations

import sys
from collections.abc import Sequence

_MAX_LINES = 20


def print_outcome(warnings: Sequence[str], left_out: Sequence[str], *, verbose: bool) -> int:
    """Print warnings, and on standard error the files that were left out.

    Args:
        warnings: one line each.
        left_out: one line per file that was left out; without ``verbose`` at most 20 are printed.
        verbose: print all of them.

    Returns:
        The exit code: 1 if something was left out, else 0.
    """
    for warning in warnings:
        print(f"warning: {warning}")
    shown = left_out if verbose else left_out[:_MAX_LINES]
    for line in shown:
        print(f"left out: {line}", file=sys.stderr)
    if len(shown) < len(left_out):
        print(f"... and {len(left_out) - len(shown)} more (--verbose lists all)", file=sys.stderr)
    return 1 if left_out else 0
