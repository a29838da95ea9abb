"""Which device computes, and in which precision."""

from __future__ import annotations

import torch

from cervseg.core.errors import CervsegError
from cervseg.core.machine import cpu_has_bfloat16


def choose_device(name: str | None) -> torch.device:
    """The device called ``name``; None takes CUDA, then Apple's MPS, then the CPU.

    Raises:
        CervsegError: the name is unknown, or this machine has no such device.
    """
    if name is None or name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise CervsegError(f"no device {name!r}", hint="Use cpu, cuda, cuda:1 or mps.") from None
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there.get(device.type, False) or (device.index or 0) >= max(1, torch.cuda.device_count()):
        raise CervsegError(f"this machine has no {name}", hint="Leave --device out, or use --device cpu.")
    return device


def choose_precision(device: torch.device) -> str:
    """bfloat16 where the device computes in it natively, else float32."""
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float16"
    return "bfloat16" if device.type == "cpu" and cpu_has_bfloat16() else "float32"
