"""First weights from a shipped model: what a network has learnt on synthetic radiographs."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from cervseg.networks.checkpoint import read_checkpoint
from cervseg.networks.weights import LEAST_SHARE, fill
from cervseg.shipped import shipped_models

HEAD = "head"  # name of the last layer of our networks


def start_from_shipped(
    network: nn.Module, *, architecture: str, labels: Mapping[str, int], part: str = ""
) -> str | None:
    """Load the weights of the shipped model of this architecture, if there is one of the network's sizes.

    The planes of the last layer are taken over by the names of their labels; the others stay as initialized.

    Args:
        network: on the CPU; changed in place.
        architecture: registered name of the shipped network, such as "lite_unet".
        labels: name -> value of the labels that the network is trained for, one plane each.
        part: name of the part of the shipped network that ``network`` is; empty for the whole network.

    Returns:
        The source, in words; None, and an unchanged network, if no shipped model fits.
    """
    for folder in shipped_models().values():
        for fold in folder.trained_folds():
            checkpoint = read_checkpoint(fold.weights)
            if checkpoint.model.network.name != architecture:
                continue
            planes = _planes(labels, checkpoint.model.dataset.trained)
            own = network.state_dict()
            shipped = _of_part(checkpoint.state_dict, part)
            state = {
                name: _by_label(own[name], tensor, planes) if name in own and _is_last(name) else tensor
                for name, tensor in shipped.items()
            }
            if sum(_fits(own, name, tensor) for name, tensor in state.items()) >= LEAST_SHARE * len(own):
                report = fill(network, state, source=f"the shipped model {folder.name}")
                return f"{report}; it has seen synthetic radiographs alone"
    return None


def _of_part(state: Mapping[str, torch.Tensor], part: str) -> dict[str, torch.Tensor]:
    prefix = f"{part}." if part else ""
    return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}


def _planes(labels: Mapping[str, int], given: Mapping[str, int]) -> dict[int, int]:
    """Own plane -> plane of the shipped model, for labels of the same name."""
    ordered, others = (sorted(names, key=names.__getitem__) for names in (labels, given))
    return {ordered.index(name): others.index(name) for name in ordered if name in others}


def _is_last(name: str) -> bool:
    """Tell whether a tensor belongs to the last layer, which has one row per label."""
    return HEAD in name.split(".")


def _by_label(own: torch.Tensor, given: torch.Tensor, planes: Mapping[int, int]) -> torch.Tensor:
    """Take over the rows of a tensor that belong to the same labels."""
    if own.shape[1:] != given.shape[1:]:
        return given
    reordered = own.clone()
    for plane, source in planes.items():
        reordered[plane] = given[source]
    return reordered


def _fits(own: Mapping[str, torch.Tensor], name: str, tensor: torch.Tensor) -> bool:
    return name in own and own[name].shape == tensor.shape
