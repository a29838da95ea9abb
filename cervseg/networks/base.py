"""What a network is here, and how one is built from data.

A network is an ``nn.Module`` made by a factory registered in the entry-point group ``cervseg.networks``.
Its arguments are keyword-only and always include ``in_channels``, ``num_labels`` and ``input_size``;
``forward(image_BCHW)`` takes float images of ``input_size`` and returns ``logits_BLHW`` of the same height
and width: one plane a foreground label, each an independent sigmoid's argument.

A network may have more, and training knows what to do with it: ``encoder``, the part that weights of its own
may be loaded into and that can be frozen (see :mod:`cervseg.training.freezing`), and :class:`Splittable`.
Where ``takes_points`` is True, ``forward(image_BCHW, points)`` wants an N x 3 tensor (x, y, label plane) an
image as well.
"""

from __future__ import annotations

import inspect
from typing import Any, Protocol, runtime_checkable

import torch
from torch import nn

from cervseg.core.errors import PluginError
from cervseg.core.registry import NETWORKS, load
from cervseg.core.types import NetworkSpec

BYTES_A_PARAMETER = 4  # float32


@runtime_checkable
class Splittable(Protocol):
    """A network whose ``forward`` is ``decode(encode(image_BCHW))``; ``encode`` uses ``encoder`` alone.

    Where the encoder is frozen, what it makes of an image can then be kept from epoch to epoch.
    """

    def encode(self, image_BCHW: torch.Tensor) -> torch.Tensor:
        """Features B x C x h x w of images as ``forward`` takes them."""
        ...

    def decode(self, feature_BCHW: torch.Tensor) -> torch.Tensor:
        """Logits B x L x H x W of such features."""
        ...


def build_network(spec: NetworkSpec) -> nn.Module:
    """The network that ``spec`` describes, freshly initialized, on the current default device.

    Raises:
        PluginError: there is no network of that name, or it does not take these arguments.
    """
    factory = load(NETWORKS, spec.name)
    # JSON knows no tuples: what a checkpoint or plan wrote as a list goes back to one.
    arguments = {key: _as_tuple(value) for key, value in spec.arguments.items()}
    _check_arguments(factory, arguments, name=spec.name)
    try:
        network = factory(**arguments)
    except (TypeError, ValueError, RuntimeError) as problem:
        raise PluginError(
            f"network {spec.name!r} cannot be built ({problem})",
            hint="Change its arguments in the plan or in the trainer's network_spec.",
        ) from problem
    if not isinstance(network, nn.Module):
        raise PluginError(
            f"network {spec.name!r} is a {type(network).__name__}",
            hint="The registered factory must return a torch.nn.Module.",
        )
    return network


def num_parameters(network: nn.Module) -> int:
    """The number of parameters, frozen ones included."""
    return sum(parameter.numel() for parameter in network.parameters())


def size_mib(network: nn.Module) -> float:
    """What the parameters take in float32, in MiB (2**20 bytes)."""
    return num_parameters(network) * BYTES_A_PARAMETER / 2**20


def check_input(image_BCHW: torch.Tensor, *, in_channels: int, input_size: tuple[int, int]) -> None:
    """Refuse images that a network was not built for.

    Raises:
        ValueError: ``image_BCHW`` is not B x ``in_channels`` x ``input_size``; says what to do.
    """
    expected = (in_channels, *input_size)
    if image_BCHW.ndim != 4 or tuple(image_BCHW.shape[1:]) != expected:
        shape = " x ".join(str(side) for side in image_BCHW.shape)
        raise ValueError(
            f"this network takes B x {' x '.join(map(str, expected))} (C, H, W), not {shape}. "
            f"Resize or pad the images to {input_size[0]} x {input_size[1]}, "
            "or build the network with another in_channels or input_size."
        )


def check_divisible(input_size: tuple[int, int], *, by: int) -> None:
    """Refuse an input size that a network cannot halve or cut into patches.

    Raises:
        ValueError: a side is no positive multiple of ``by``; names the nearest size that is.
    """
    if len(input_size) != 2 or any(side <= 0 or side % by for side in input_size):
        near = tuple(max(by, round(side / by) * by) for side in input_size)
        raise ValueError(f"input_size {tuple(input_size)} must be multiples of {by}. Use {near}.")


def _check_arguments(factory: Any, arguments: dict[str, Any], *, name: str) -> None:
    signature = inspect.signature(factory)
    try:
        signature.bind(**arguments)
    except TypeError as problem:
        raise PluginError(
            f"network {name!r} does not take these arguments ({problem})",
            hint=f"It takes {', '.join(signature.parameters)}.",
        ) from problem


def _as_tuple(value: Any) -> Any:
    return tuple(_as_tuple(item) for item in value) if isinstance(value, list) else value
