"""An exponential moving average of a network's weights: what is validated, kept as best and predicted with.

After each step average = decay * average + (1 - decay) * weights (Polyak & Juditsky 1992; Tarvainen & Valpola
2017), normalization statistics included. It looks back over about 1 / (1 - decay) steps; during the first of
them over those that there are.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel


def average_of(network: nn.Module, *, decay: float) -> AveragedModel | None:
    """An average to call ``update_parameters(network)`` on after each step; None where ``decay`` is 0."""
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
