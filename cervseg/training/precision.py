"""Mixed precision: the number format of forward passes, and the loss scaling that float16 needs."""

from __future__ import annotations

import contextlib
from typing import Any

import torch
from torch.amp.grad_scaler import GradScaler


def autocast(device: torch.device, precision: str) -> contextlib.AbstractContextManager[Any]:
    """Return a context for forward passes in "bfloat16" or "float16"; "float32" changes nothing."""
    if precision == "float32":
        return contextlib.nullcontext()
    return torch.autocast(device.type, dtype=getattr(torch, precision))


def grad_scaler(device: torch.device, precision: str) -> GradScaler:
    """Return a loss scaler, so that small float16 gradients do not vanish; it is off in other formats."""
    return GradScaler(device.type, enabled=precision == "float16")
