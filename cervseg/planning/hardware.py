"""Cores, memory and GPU of this machine, within the limits of a container."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cervseg.core.machine import SystemFiles, cpu_has_bfloat16, memory_bytes, num_cores
from cervseg.core.types import AcceleratorKind, Hardware

_GIB = 1 << 30


@dataclass(frozen=True, kw_only=True)
class Accelerator:
    """Device that torch trains on, with its memory in GiB (0 for a CPU)."""

    kind: AcceleratorKind
    name: str
    memory_gib: float
    bfloat16: bool


def detect_hardware(
    *,
    files: SystemFiles | None = None,
    find_accelerator: Callable[[SystemFiles], Accelerator | None] | None = None,
) -> Hardware:
    """Detect the cores and the memory that this process may use, and the GPU that torch can use.

    torch is imported only if the machine may have a GPU, since the import takes seconds.

    Args:
        files: system files to read; by default those of this machine.
        find_accelerator: finds the GPU; by default :func:`torch_accelerator`.
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


def torch_accelerator(files: SystemFiles) -> Accelerator | None:
    """Return the GPU that torch uses by default, or None."""
    if sys.platform == "linux" and not _has_device_node(files.devices):
        return None  # importing torch would take seconds
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
        # MPS trains in float32: its autocast lacks operations that we use.
        return Accelerator(kind="mps", name="Apple GPU", memory_gib=memory, bfloat16=False)
    return None


def _has_device_node(devices: Path) -> bool:
    # nvidia0 ...: NVIDIA; kfd: AMD; dxg: NVIDIA under WSL; nvhost-...: Jetson.
    return any(any(devices.glob(pattern)) for pattern in ("nvidia*", "kfd", "dxg", "nvhost*", "nvmap"))
