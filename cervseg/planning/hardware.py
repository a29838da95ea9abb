"""What this machine offers, containers' limits taken into account."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from cervseg.core.processor import cpu_has_bfloat16
from cervseg.core.types import Hardware

_GIB = 1 << 30


@dataclass(frozen=True, kw_only=True)
class SystemFiles:
    """Where Linux tells about itself; tests point this at a folder of their own."""

    cgroup_root: Path = Path("/sys/fs/cgroup")
    own_cgroups: Path = Path("/proc/self/cgroup")
    cpuinfo: Path = Path("/proc/cpuinfo")
    meminfo: Path = Path("/proc/meminfo")
    devices: Path = Path("/dev")


@dataclass(frozen=True, kw_only=True)
class Accelerator:
    """A device that torch can compute on: "cuda" or "mps"."""

    kind: str
    name: str
    memory_gib: float
    bfloat16: bool


def detect_hardware(
    *,
    files: SystemFiles | None = None,
    find_accelerator: Callable[[SystemFiles], Accelerator | None] | None = None,
) -> Hardware:
    """Cores and memory that this process may really use, and the accelerator torch sees.

    torch is imported only where the machine may have an accelerator at all.
    """
    files = files or SystemFiles()
    accelerator = (find_accelerator or torch_accelerator)(files)
    if accelerator is None:
        accelerator = Accelerator(
            kind="cpu", name="", memory_gib=0.0, bfloat16=cpu_has_bfloat16(files.cpuinfo)
        )
    return Hardware(
        num_cores=num_cores(files),
        ram_gib=round(memory_bytes(files) / _GIB, 2),
        accelerator=accelerator.kind,
        accelerator_name=accelerator.name,
        accelerator_memory_gib=round(accelerator.memory_gib, 2),
        bfloat16=accelerator.bfloat16,
    )


def num_cores(files: SystemFiles) -> int:
    """Cores this process may run on: its affinity, or the control group's quota where that is less."""
    # os.sched_getaffinity is missing on macOS and Windows.
    affinity: Callable[[int], set[int]] | None = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else (os.cpu_count() or 1)
    quotas = [*_quotas_v2(files), *_quotas_v1(files)]
    return max(1, int(min([float(cores), *quotas])))


def memory_bytes(files: SystemFiles) -> int:
    """Memory of the machine, or the control group's limit where that is less."""
    limits = [
        int(text)
        for controller, name in (("", "memory.max"), ("memory", "memory.limit_in_bytes"))
        for text in _read_upwards(files, controller, name)
        if text.isdigit()
    ]
    return min([_total_memory(files.meminfo), *limits])


def torch_accelerator(files: SystemFiles) -> Accelerator | None:
    """The accelerator torch would use, None where there is none."""
    if sys.platform == "linux" and not _has_device_node(files.devices):
        return None  # spares the seconds that importing torch takes
    try:
        import torch
    except ImportError:
        return None
    if torch.cuda.is_available():
        properties = torch.cuda.get_device_properties(torch.cuda.current_device())
        return Accelerator(
            kind="cuda",
            name=str(properties.name),
            memory_gib=properties.total_memory / _GIB,
            bfloat16=torch.cuda.is_bf16_supported(including_emulation=False),
        )
    if torch.backends.mps.is_available():
        memory = torch.mps.recommended_max_memory() / _GIB
        # Training on MPS stays in float32: its autocast lacks operations that we use.
        return Accelerator(kind="mps", name="Apple GPU", memory_gib=memory, bfloat16=False)
    return None


def _has_device_node(devices: Path) -> bool:
    # nvidia0 ...: NVIDIA; kfd: AMD; dxg: NVIDIA under WSL; nvhost-...: Jetson.
    return any(any(devices.glob(pattern)) for pattern in ("nvidia*", "kfd", "dxg", "nvhost*", "nvmap"))


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
    """A control file of our group and of all groups above it: the tightest limit holds.

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
    """Our path in the hierarchy of ``controller``; inside a container often not what is mounted, then "/"."""
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
