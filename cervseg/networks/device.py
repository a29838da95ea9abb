"""Device and precision of a computation."""

from __future__ import annotations

import torch

from cervseg.core.errors import CervsegError
from cervseg.core.machine import cpu_has_bfloat16
from cervseg.core.types import Precision


def choose_device(name: str | None) -> torch.device:
    """Return the device of a name.

    Args:
        name: name of a device, such as "cpu" or "cuda:1". None or "auto" selects CUDA if it is available,
            else Apple's MPS, else the CPU.

    Raises:
        CervsegError: the name is unknown or the device is missing.
    """
    if name is None or name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise CervsegError(f"unknown device {name!r}", hint="Use cpu, cuda, cuda:1 or mps") from None
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there.get(device.type, False) or (device.index or 0) >= max(1, torch.cuda.device_count()):
        raise CervsegError(f"device {name!r} is not available", hint="Omit --device or use --device cpu")
    return device


def choose_precision(device: torch.device) -> Precision:
    """Choose bfloat16 if the device supports it natively, else float16 on CUDA and float32 elsewhere.

    Args:
        device: the device of the computation.
    """
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float16"
    return "bfloat16" if device.type == "cpu" and cpu_has_bfloat16() else "float32"
