"""CPU cores, memory and bfloat16 of this machine, without torch; the limits of containers count."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

_CPUINFO = Path("/proc/cpuinfo")
_BFLOAT16_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}  # the last is Arm's name


@dataclass(frozen=True, kw_only=True)
class SystemFiles:
    """The paths of Linux's system files; tests replace them by a folder of their own."""

    cgroup_root: Path = Path("/sys/fs/cgroup")
    own_cgroups: Path = Path("/proc/self/cgroup")
    cpuinfo: Path = Path("/proc/cpuinfo")
    meminfo: Path = Path("/proc/meminfo")
    devices: Path = Path("/dev")


def num_cores(files: SystemFiles | None = None) -> int:
    """Count the cores of this process: its affinity, or the control group's quota if that is less."""
    files = files or SystemFiles()
    # os.sched_getaffinity is missing on macOS and Windows.
    affinity: Callable[[int], set[int]] | None = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else (os.cpu_count() or 1)
    quotas = [*_quotas_v2(files), *_quotas_v1(files)]
    return max(1, int(min([float(cores), *quotas])))


def memory_bytes(files: SystemFiles) -> int:
    """Return the memory of the machine, or the control group's limit if that is less."""
    limits = [
        int(text)
        for controller, name in (("", "memory.max"), ("memory", "memory.limit_in_bytes"))
        for text in _read_upwards(files, controller, name)
        if text.isdigit()
    ]
    return min([_total_memory(files.meminfo), *limits])


def cpu_has_bfloat16(cpuinfo: Path = _CPUINFO) -> bool:
    """Check whether the CPU multiplies bfloat16 natively; False if that is unknown (no /proc)."""
    try:
        text = cpuinfo.read_text(errors="replace")
    except OSError:
        return False
    for line in text.splitlines():
        name, _, flags = line.partition(":")
        if name.strip() in ("flags", "Features"):
            return bool(_BFLOAT16_FLAGS & set(flags.split()))
    return False


def _total_memory(meminfo: Path) -> int:
    for line in (_read(meminfo) or "").splitlines():
        name, _, amount = line.partition(":")
        if name == "MemTotal":
            return int(amount.split()[0]) * 1024
    return int(psutil.virtual_memory().total)


def _quotas_v2(files: SystemFiles) -> Iterator[float]:
    for text in _read_upwards(files, "", "cpu.max"):
        quota, _, period = text.partition(" ")
        if quota.isdigit() and period.strip().isdigit() and int(period) > 0:
            yield int(quota) / int(period)


def _quotas_v1(files: SystemFiles) -> Iterator[float]:
    quotas = _read_upwards(files, "cpu", "cpu.cfs_quota_us")
    periods = _read_upwards(files, "cpu", "cpu.cfs_period_us")
    for quota, period in zip(quotas, periods, strict=False):
        if quota.isdigit() and period.isdigit() and int(period) > 0:
            yield int(quota) / int(period)


def _read_upwards(files: SystemFiles, controller: str, name: str) -> Iterator[str]:
    """Read a control file of our group and of all groups above it; the tightest limit applies.

    ``controller`` is a version-1 controller ("cpu"), empty for version 2.
    """
    # Version 1 mounts joint controllers under all their names ("cpu,cpuacct") and links each to it.
    mount = files.cgroup_root / controller
    group = Path(_own_group(files.own_cgroups, controller).lstrip("/"))
    for folder in (group, *group.parents):
        text = _read(mount / folder / name)
        if text is not None:
            yield text.strip()


def _own_group(own_cgroups: Path, controller: str) -> str:
    """Our path in the hierarchy of ``controller``; "/" if it is not mounted, as in many containers."""
    for line in (_read(own_cgroups) or "").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        is_ours = controller in controllers.split(",") if controller else number == "0"
        if is_ours and ".." not in path:
            return path
    return "/"


def _read(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return None
