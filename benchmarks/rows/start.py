"""Time of --help for every command, compared with nnU-Net's prediction command."""

from __future__ import annotations

import statistics
from importlib.metadata import entry_points

from benchmarks.commands import Command, measured
from benchmarks.harness import Row

WANTED_S = 0.3


def measure(*, repeats: int) -> list[Row]:
    """Time all commands in alternation; the row has the slowest of cervseg's commands."""
    names = sorted(p.name for p in entry_points(group="console_scripts") if p.name.startswith("cervseg_"))
    seconds: dict[str, list[float]] = {name: [] for name in (*names, "nnUNetv2_predict")}
    for _ in range(repeats):
        for name, taken in seconds.items():
            taken.append(measured(Command(arguments=[name, "-h"])).seconds)
    slowest = max(names, key=lambda name: statistics.median(seconds[name]))
    median = statistics.median(seconds[slowest])
    return [
        Row(
            work=f"--help of the slowest of {len(names)} commands, {slowest}",
            peer="nnUNetv2_predict -h",
            ours=seconds[slowest],
            theirs=seconds["nnUNetv2_predict"],
            reach=10.0,
            agreement=f"both print their help; {median:.2f} s ({WANTED_S} s allowed)",
            is_same=median <= WANTED_S,
        )
    ]
