"""The parts of a network that train, and their learning rates.

The rules concern ``network.encoder``, the part that may be pretrained. In a transformer, ``encoder.blocks``
are its blocks in order; parameters whose names begin with ``patch_embed`` or ``pos_embed`` come before them,
all others (a neck) after them. A rule that needs an encoder, or its blocks, is an error for a network without
them.
"""

from __future__ import annotations

from typing import Any, NoReturn

from torch import nn

from cervseg.core.errors import PlanError
from cervseg.core.types import Hyperparameters
from cervseg.networks.lora import add_lora

_BEFORE_BLOCKS = ("patch_embed", "pos_embed")


def choose_trained(network: nn.Module, hyper: Hyperparameters) -> None:
    """Freeze parts of a network and add low-rank updates; call it after the first weights are loaded.

    Args:
        network: changed in place.
        hyper: with ``freeze_encoder``, ``train_last_blocks``, ``lora_rank``, ``layer_decay`` and
            ``checkpoint_blocks``.

    Raises:
        PlanError: the network lacks the part that a rule needs.
    """
    if hyper.checkpoint_blocks:
        encoder = _encoder(network, "checkpoint_blocks")
        if not hasattr(encoder, "checkpoint_blocks"):
            _refuse(
                "checkpoint_blocks",
                f"the encoder of {_name(network)} does not support activation checkpointing",
            )
        encoder.checkpoint_blocks = True  # type: ignore[assignment]
    if hyper.layer_decay < 1:
        _layers(network, "layer_decay")
    if hyper.freeze_encoder:
        _encoder(network, "freeze_encoder").requires_grad_(False)
    if hyper.train_last_blocks >= 0:
        _freeze_before(network, num_last=hyper.train_last_blocks)
    if hyper.lora_rank and not add_lora(_encoder(network, "lora_rank"), rank=hyper.lora_rank):
        _refuse("lora_rank", f"the encoder of {_name(network)} has no attention")


def freezes(hyper: Hyperparameters) -> bool:
    """Whether a part of the encoder does not train."""
    return hyper.freeze_encoder or hyper.train_last_blocks >= 0 or hyper.lora_rank > 0


def train_mode(network: nn.Module) -> None:
    """Set training mode, but evaluation mode for parts without trainable parameters, statistics included."""
    network.train()
    for module in network.modules():
        needs = [parameter.requires_grad for parameter in module.parameters()]
        if needs and not any(needs):
            module.eval()


def num_trained(network: nn.Module) -> int:
    """Count the parameters that train."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)


def parameter_groups(
    network: nn.Module, hyper: Hyperparameters, *, encoder_factor: float = 1.0
) -> list[dict[str, Any]]:
    """Group the parameters that train for an optimizer.

    Weight decay acts on matrices and kernels, not on biases, norms and position embeddings. With
    ``layer_decay`` d each group has a ``factor`` of the learning rate: 1 for what follows the encoder's N
    blocks, d^(N - i) for block i = 0 .. N - 1, d^(N + 1) for the embeddings (Bao et al. 2022, BEiT).

    Args:
        network: after :func:`choose_trained`.
        hyper: ``weight_decay`` and ``layer_decay``.
        encoder_factor: learning rate of the encoder relative to the rest; multiplies ``layer_decay``'s.

    Returns:
        Groups with ``params``, ``weight_decay`` and ``factor``.
    """
    layers, groups = dict[int, int](), {1.0: (list[nn.Parameter](), list[nn.Parameter]())}
    last, in_encoder = 0, set[int]()
    if encoder_factor != 1:
        in_encoder = {id(parameter) for parameter in _encoder(network, "encoder_factor").parameters()}
    if hyper.layer_decay < 1:
        layers, last = _layers(network, "layer_decay")
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            factor = hyper.layer_decay ** (last - layers.get(id(parameter), last))
            factor *= encoder_factor if id(parameter) in in_encoder else 1.0
            decayed, free = groups.setdefault(factor, ([], []))
            is_free = parameter.ndim < 2 or "pos_embed" in name or "rel_pos" in name
            (free if is_free else decayed).append(parameter)
    return [
        {"params": parameters, "weight_decay": weight_decay, "factor": factor}
        for factor, (decayed, free) in groups.items()
        for parameters, weight_decay in ((decayed, hyper.weight_decay), (free, 0.0))
    ]


def _freeze_before(network: nn.Module, *, num_last: int) -> None:
    layers, last = _layers(network, "train_last_blocks")
    if num_last >= last:
        raise PlanError(
            f"the encoder of {_name(network)} has {last - 1} blocks",
            where=f"train_last_blocks={num_last}",
            hint=f"Use 0 to {last - 1}, or -1 to train everything",
        )
    for parameter in network.parameters():
        if layers.get(id(parameter), last) < last - num_last:
            parameter.requires_grad_(False)


def _layers(network: nn.Module, setting: str) -> tuple[dict[int, int], int]:
    """Map ids of an encoder's parameters to layers, 0 and 1 .. N for the blocks; and return N + 1."""
    encoder, layers = _encoder(network, setting), dict[int, int]()
    blocks = getattr(encoder, "blocks", None)
    if not isinstance(blocks, nn.ModuleList):
        _refuse(setting, f"the encoder of {_name(network)} has no transformer blocks")
    for name, parameter in encoder.named_parameters():
        if name.startswith(_BEFORE_BLOCKS):
            layers[id(parameter)] = 0
        elif name.startswith("blocks."):
            layers[id(parameter)] = int(name.split(".")[1]) + 1
    return layers, len(blocks) + 1


def _encoder(network: nn.Module, setting: str) -> nn.Module:
    encoder = getattr(network, "encoder", None)
    if not isinstance(encoder, nn.Module):
        _refuse(setting, f"{_name(network)} has no separate encoder")
    return encoder


def _refuse(setting: str, what: str) -> NoReturn:
    raise PlanError(what, where=setting, hint=f"Leave {setting} out, or use CervSpineNetTrainer")


def _name(network: nn.Module) -> str:
    return type(network).__name__
