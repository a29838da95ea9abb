"""Whole commands, from the shell and back: their seconds, and the memory of all their processes together."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

_LOOK_EVERY_S = 0.1


@dataclass(frozen=True, kw_only=True)
class Command:
    """A command of this environment, by name, with what it finds in its own environment."""

    arguments: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    watch_memory: bool = False


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What a command took. ``peak_gib`` counts memory that processes share once; 0 where nobody looked."""

    seconds: float
    peak_gib: float


def measured(command: Command) -> Measured:
    """Run a command to its end.

    Raises:
        RuntimeError: it failed; with the end of what it said.
    """
    program = Path(sys.executable).with_name(command.arguments[0])
    environment = {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}", **command.environment}
    started, peak = time.perf_counter(), 0
    with subprocess.Popen(
        [str(program), *command.arguments[1:]],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        if command.watch_memory:
            said, peak = _watched(process)
        else:
            said = process.communicate()[0]
    seconds = time.perf_counter() - started
    if process.returncode:
        raise RuntimeError(f"{' '.join(command.arguments)} failed:\n{said[-2000:]}")
    return Measured(seconds=seconds, peak_gib=peak / 2**30)


def _watched(process: subprocess.Popen[str]) -> tuple[str, int]:
    """What the process said, and the most bytes that it and its children held."""
    peak = 0
    while True:
        peak = max(peak, _held_bytes(process.pid))
        try:
            return process.communicate(timeout=_LOOK_EVERY_S)[0], peak
        except subprocess.TimeoutExpired:
            continue


def _held_bytes(pid: int) -> int:
    """Proportional set size of a process and all its children: what several share is counted once."""
    try:
        parent = psutil.Process(pid)
        family = [parent, *parent.children(recursive=True)]
    except psutil.Error:
        return 0
    total = 0
    for member in family:
        try:
            total += member.memory_full_info().pss
        except (psutil.Error, AttributeError):
            continue
    return total
