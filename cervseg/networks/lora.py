"""Low-rank updates of linear layers (LoRA, Hu et al. 2022): W x + b + (alpha / rank) B A x, W and b frozen.

A library would bring a network of its own around ours. This is one layer: it keeps the names of the layer
that it replaces, so checkpoints load key by key, and adding B A to W leaves no trace of it.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

ALPHA = 8.0  # under Adam a constant like the learning rate (Hu et al., 4.1), which is what to tune
LAYERS = ("qkv", "q", "kv")  # the linear layers of an attention, as SAM's encoder and MiT call them


class LoraLinear(nn.Module):
    """A linear layer with a low-rank update, ... x in to ... x out; at first it computes what the layer did.

    Args:
        linear: gives its weight and bias away.
        rank: of the update; A is rank x in (normal, so that A x is about as large as x), B out x rank (zero).
    """

    def __init__(self, linear: nn.Linear, *, rank: int) -> None:
        super().__init__()
        weight = linear.weight
        self.weight, self.bias, self.scale = weight, linear.bias, ALPHA / rank
        self.lora_a = nn.Parameter(
            weight.new_empty(rank, linear.in_features).normal_(std=weight.shape[1] ** -0.5)
        )
        self.lora_b = nn.Parameter(weight.new_zeros(linear.out_features, rank))

    def forward(self, token: torch.Tensor) -> torch.Tensor:
        """W x + b + scale B A x."""
        update = functional.linear(functional.linear(token, self.lora_a), self.lora_b)
        return functional.linear(token, self.weight, self.bias) + self.scale * update

    @torch.no_grad()
    def merged_weight(self) -> torch.Tensor:
        """W + scale B A: the weight of a plain layer that computes the same."""
        return self.weight + self.scale * (self.lora_b @ self.lora_a)


def add_lora(module: nn.Module, *, rank: int) -> int:
    """Give every attention below ``module`` a low-rank update; returns how many layers got one.

    Only A and B of these layers train from now on, nothing else of ``module``.
    """
    module.requires_grad_(False)
    found = [
        (parent, name, child)
        for parent in module.modules()
        for name, child in parent.named_children()
        if name in LAYERS and isinstance(child, nn.Linear)
    ]
    for parent, name, child in found:
        setattr(parent, name, LoraLinear(child, rank=rank))
    return len(found)


def merged_state(network: nn.Module) -> dict[str, torch.Tensor]:
    """The network's state under its own names, low-rank updates added to the weights that they update."""
    state = network.state_dict()
    for name, module in network.named_modules():
        if isinstance(module, LoraLinear):
            state[f"{name}.weight"] = module.merged_weight()
            del state[f"{name}.lora_a"], state[f"{name}.lora_b"]
    return state
