"""Wall time of whole commands, and peak memory over all their processes."""

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
    """A command of this Python environment.

    Args:
        arguments: name of the command and its arguments.
        environment: environment variables to add.
        watch_memory: measure the peak memory, too.
    """

    arguments: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    watch_memory: bool = False


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Time and memory of a command.

    Args:
        seconds: wall time.
        peak_gib: peak memory in GiB, shared memory counted once; 0 if it was not measured.
    """

    seconds: float
    peak_gib: float


def measured(command: Command) -> Measured:
    """Run a command and measure it.

    Args:
        command: the command.

    Raises:
        RuntimeError: the command failed; the message has the end of its output.
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
            output, peak = _watched(process)
        else:
            output = process.communicate()[0]
    seconds = time.perf_counter() - started
    if process.returncode:
        raise RuntimeError(f"{' '.join(command.arguments)} failed:\n{output[-2000:]}")
    return Measured(seconds=seconds, peak_gib=peak / 2**30)


def _watched(process: subprocess.Popen[str]) -> tuple[str, int]:
    """Wait for a process; return its output and the peak memory of it and its children in bytes."""
    peak = 0
    while True:
        peak = max(peak, _held_bytes(process.pid))
        try:
            return process.communicate(timeout=_LOOK_EVERY_S)[0], peak
        except subprocess.TimeoutExpired:
            continue


def _held_bytes(pid: int) -> int:
    """Sum the proportional set size of a process and its children, which counts shared memory once."""
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
