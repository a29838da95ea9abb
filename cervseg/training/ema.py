"""Exponential moving average of a network's weights; it is validated, kept as best and used for prediction.

After each step average = decay * average + (1 - decay) * weights (Polyak & Juditsky 1992; Tarvainen & Valpola
2017), normalization statistics included. It averages over about the last 1 / (1 - decay) steps, at first over
fewer: the decay of step n is at most (1 + n) / (10 + n).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel


def average_of(network: nn.Module, *, decay: float) -> AveragedModel | None:
    """Return an average whose ``update_parameters(network)`` follows each step; None if ``decay`` is 0.

    Args:
        network: is copied.
        decay: in [0, 1).
    """
    if not decay:
        return None

    @torch.no_grad()
    def blend(
        averages: Sequence[torch.Tensor] | tuple[torch.Tensor, ...],
        currents: Sequence[torch.Tensor] | tuple[torch.Tensor, ...],
        num_averaged: torch.Tensor | int,
    ) -> None:
        num = int(num_averaged)
        weight = 1 - min(decay, (1 + num) / (10 + num))
        if torch.is_floating_point(averages[0]):
            torch._foreach_lerp_(list(averages), list(currents), weight)
        else:
            for average, current in zip(averages, currents, strict=True):
                average.copy_(current)

    return AveragedModel(network, multi_avg_fn=blend, use_buffers=True)
