"""Measurements of cervseg and a peer in alternation, and a check that both compute the same."""

from __future__ import annotations

import resource
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

GIB = 2**20 if sys.platform.startswith("linux") else 2**30  # ru_maxrss: KiB on Linux, bytes on macOS


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table.

    Args:
        work: the task.
        peer: the peer.
        ours: measurements of cervseg, in order of time.
        theirs: measurements of the peer, in order of time.
        reach: required ratio (theirs / ours).
        agreement: comparison of both results, with its value.
        is_same: the results agree.
        unit: unit of the measurements, such as "s" or "GiB".
        details: further results.
    """

    work: str
    peer: str
    ours: list[float]
    theirs: list[float]
    reach: float
    agreement: str
    is_same: bool
    unit: str = "s"
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def ratio(self) -> float:
        """Median of the peer divided by the median of cervseg."""
        return statistics.median(self.theirs) / statistics.median(self.ours)

    def as_json(self) -> dict[str, Any]:
        """Return the row with medians and ratio, as JSON values."""
        return {
            **asdict(self),
            "median_ours": statistics.median(self.ours),
            "median_theirs": statistics.median(self.theirs),
            "ratio": self.ratio,
            "is_reached": self.is_same and self.ratio >= self.reach,
        }


def in_turn(
    ours: Callable[[], Any], theirs: Callable[[], Any], *, repeats: int
) -> tuple[list[float], list[float]]:
    """Time two functions in alternation, after one warm-up call of each.

    Args:
        ours: function of cervseg.
        theirs: function of the peer.
        repeats: number of timed calls of each.

    Returns:
        Seconds of each call of ``ours`` and of ``theirs``.
    """
    ours(), theirs()
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeats):
        for call, taken in zip((ours, theirs), times, strict=True):
            started = time.perf_counter()
            call()
            taken.append(time.perf_counter() - started)
    return times


def peak_gib() -> float:
    """Return the peak memory of this process so far, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / GIB


def relative_difference(ours: Any, theirs: Any) -> float:
    """Compute max(abs(ours - theirs)) / max(abs(theirs))."""
    return float((ours - theirs).abs().max() / theirs.abs().max())
