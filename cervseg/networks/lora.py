"""Low-rank updates of linear layers (LoRA, Hu et al. 2022): W x + b + (alpha / rank) B A x, W and b frozen.

A LoRA library would wrap the whole network. Here one layer is enough: it keeps the parameter names of the
layer that it replaces, so checkpoints load key by key, and B A can be added to W.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

ALPHA = 8.0  # with Adam it acts like the learning rate (Hu et al., 4.1); tune that instead
LAYERS = ("qkv", "q", "kv")  # names of the linear layers of attention in SAM's encoder and in MiT


class LoraLinear(nn.Module):
    """Linear layer with a low-rank update, ... x in to ... x out.

    A is rank x in and starts with normal values, such that A x is about as large as x. B is out x rank and
    starts with zeros, so at first the result is that of the linear layer.

    Args:
        linear: the linear layer; its weight and bias are shared.
        rank: rank of the update.
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
        """Compute W x + b + scale B A x.

        Args:
            token: x, float, ... x in.
        """
        update = functional.linear(functional.linear(token, self.lora_a), self.lora_b)
        return functional.linear(token, self.weight, self.bias) + self.scale * update

    @torch.no_grad()
    def merged_weight(self) -> torch.Tensor:
        """Compute W + scale B A, the weight of a linear layer with the same result."""
        return self.weight + self.scale * (self.lora_b @ self.lora_a)


def add_lora(module: nn.Module, *, rank: int) -> int:
    """Add low-rank updates to all attention layers of a module and freeze its other parameters.

    Args:
        module: the module; changed in place.
        rank: rank of the updates.

    Returns:
        The number of layers with an update.
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
    """Return the state of a network with its low-rank updates merged into the weights.

    Args:
        network: the network; it is not changed.

    Returns:
        Parameter name -> tensor, with the names of the network without updates.
    """
    state = network.state_dict()
    for name, module in network.named_modules():
        if isinstance(module, LoraLinear):
            state[f"{name}.weight"] = module.merged_weight()
            del state[f"{name}.lora_a"], state[f"{name}.lora_b"]
    return state
