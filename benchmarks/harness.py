"""How the benchmarks measure: ours and a peer in turn, several times, and whether both computed the same."""

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
        work, peer: what is done, and against what.
        unit: of the figures: "s", "GiB", ...
        ours, theirs: every measurement, in the order they were taken.
        reach: the ratio (theirs / ours) that is wanted.
        agreement: what was checked beside the ratio, mostly that both computed the same, with its figure.
        is_same: whether that holds.
        details: anything else that was seen.
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
        """The peer's median over ours."""
        return statistics.median(self.theirs) / statistics.median(self.ours)

    def as_json(self) -> dict[str, Any]:
        """The row with its medians and its ratio."""
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
    """Seconds of each call of both, one after the other, after one call of each to warm up."""
    ours(), theirs()
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeats):
        for call, taken in zip((ours, theirs), times, strict=True):
            started = time.perf_counter()
            call()
            taken.append(time.perf_counter() - started)
    return times


def peak_gib() -> float:
    """The most memory that this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / GIB


def relative_difference(ours: Any, theirs: Any) -> float:
    """Largest absolute difference of two tensors over the peer's largest absolute value."""
    return float((ours - theirs).abs().max() / theirs.abs().max())
