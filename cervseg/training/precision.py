"""The number format of forward passes, and the scaling of losses that float16 needs."""

from __future__ import annotations

import contextlib
from typing import Any

import torch
from torch.amp.grad_scaler import GradScaler


def autocast(device: torch.device, precision: str) -> contextlib.AbstractContextManager[Any]:
    """Mixed precision by name: "bfloat16", "float16", or "float32" for none."""
    if precision == "float32":
        return contextlib.nullcontext()
    return torch.autocast(device.type, dtype=getattr(torch, precision))


def grad_scaler(device: torch.device, precision: str) -> GradScaler:
    """What keeps small gradients of float16 from vanishing; it does nothing in other formats."""
    return GradScaler(device.type, enabled=precision == "float16")
