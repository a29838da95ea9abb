"""Build networks from a NetworkSpec; the interface of a network.

A network is an ``nn.Module`` built by a factory in the entry-point group ``cervseg.networks``. The arguments
of the factory are keyword-only and include ``in_channels``, ``num_labels`` and ``input_size``.
``forward(image_BCHW)`` takes float images of ``input_size`` and returns ``logits_BLHW`` of the same height
and width: one plane per foreground label, each the input of an independent sigmoid.

Optional parts: ``encoder``, the part that can be loaded with pretrained weights and frozen (see
:mod:`cervseg.training.freezing`), and the methods of :class:`Splittable`. If ``takes_points`` is True,
``forward(image_BCHW, points)`` also takes one N x 3 tensor (x, y, label plane) per image.
"""

from __future__ import annotations

import inspect
from typing import Any, Protocol, get_args, get_type_hints, is_typeddict, runtime_checkable

import torch
from torch import nn

from cervseg.core.errors import PluginError
from cervseg.core.registry import NETWORKS, load
from cervseg.core.types import NetworkSpec

BYTES_PER_PARAMETER = 4  # float32


@runtime_checkable
class Splittable(Protocol):
    """Network whose ``forward`` is ``decode(encode(image_BCHW))``; ``encode`` uses only ``encoder``.

    If the encoder is frozen, its features can be cached over the epochs.
    """

    def encode(self, image_BCHW: torch.Tensor) -> torch.Tensor:
        """Compute features B x C x h x w of images.

        Args:
            image_BCHW: float images, as for ``forward``.
        """
        ...

    def decode(self, feature_BCHW: torch.Tensor) -> torch.Tensor:
        """Compute logits B x L x H x W of features.

        Args:
            feature_BCHW: the result of :meth:`encode`.
        """
        ...


def build_network(spec: NetworkSpec) -> nn.Module:
    """Build a network with random weights on the current default device.

    Args:
        spec: name and arguments of the network.

    Raises:
        PluginError: the name or an argument is unknown, or the arguments are incompatible.
    """
    factory = load(NETWORKS, spec.name)
    # JSON has no tuples: checkpoints and plans store them as lists.
    arguments = {key: _as_tuple(value) for key, value in spec.arguments.items()}
    _check_arguments(factory, arguments, name=spec.name)
    try:
        network = factory(**arguments)
    except (TypeError, ValueError, RuntimeError) as problem:
        raise PluginError(
            f"network {spec.name!r} cannot be built ({problem})",
            hint="Change its arguments in the plan or in the trainer's network_spec",
        ) from problem
    if not isinstance(network, nn.Module):
        raise PluginError(
            f"network {spec.name!r} is a {type(network).__name__}",
            hint="The registered factory must return a torch.nn.Module",
        )
    return network


def num_parameters(network: nn.Module) -> int:
    """Count the parameters, including frozen ones."""
    return sum(parameter.numel() for parameter in network.parameters())


def size_mib(network: nn.Module) -> float:
    """Compute the size of the parameters in float32, in MiB (2**20 bytes)."""
    return num_parameters(network) * BYTES_PER_PARAMETER / 2**20


def check_input(image_BCHW: torch.Tensor, *, in_channels: int, input_size: tuple[int, int]) -> None:
    """Check the shape of images.

    Args:
        image_BCHW: the images.
        in_channels: number of channels that the network takes.
        input_size: (height, width) in px that the network takes.

    Raises:
        ValueError: the shape is not B x ``in_channels`` x ``input_size``.
    """
    expected = (in_channels, *input_size)
    if image_BCHW.ndim != 4 or tuple(image_BCHW.shape[1:]) != expected:
        shape = " x ".join(str(side) for side in image_BCHW.shape)
        raise ValueError(
            f"this network takes B x {' x '.join(map(str, expected))} (C, H, W), not {shape}. "
            f"Resize or pad the images to {input_size[0]} x {input_size[1]}, "
            "or build the network with another in_channels or input_size"
        )


def check_divisible(input_size: tuple[int, int], *, by: int) -> None:
    """Check that both sides of an input size are positive multiples of a number.

    Args:
        input_size: (height, width) in px.
        by: the number.

    Raises:
        ValueError: a side is not a positive multiple; the message gives the nearest valid size.
    """
    if len(input_size) != 2 or any(side <= 0 or side % by for side in input_size):
        near = tuple(max(by, round(side / by) * by) for side in input_size)
        raise ValueError(f"input_size {tuple(input_size)} must be multiples of {by}. Use {near}")


def check_grey_or_rgb(in_channels: int) -> None:
    """Check the number of channels of a network whose encoder takes RGB.

    Args:
        in_channels: number of channels of the image.

    Raises:
        ValueError: the number is neither 1 nor 3.
    """
    if in_channels not in (1, 3):
        raise ValueError(f"in_channels must be 1 or 3 (grey or RGB), not {in_channels}")


def as_rgb(image_BCHW: torch.Tensor) -> torch.Tensor:
    """Repeat the channel of grey images three times.

    Args:
        image_BCHW: float images, B x 1 x H x W or B x 3 x H x W; RGB is returned unchanged.

    Returns:
        B x 3 x H x W.
    """
    return image_BCHW.expand(-1, 3, -1, -1) if image_BCHW.shape[1] == 1 else image_BCHW


def _check_arguments(factory: Any, arguments: dict[str, Any], *, name: str) -> None:
    signature = inspect.signature(factory)
    known = _argument_names(factory, signature)
    try:
        signature.bind(**arguments)
        if known and (unknown := sorted(arguments.keys() - known)):
            raise TypeError(f"got an unexpected keyword argument {unknown[0]!r}")
    except TypeError as problem:
        raise PluginError(
            f"network {name!r} has invalid arguments ({problem})",
            hint=f"Valid arguments are {', '.join(known or signature.parameters)}",
        ) from problem


def _argument_names(factory: Any, signature: inspect.Signature) -> list[str]:
    """List the arguments, including those of ``**name: Unpack[TypedDict]``; empty if any name is valid."""
    names: list[str] = []
    for parameter in signature.parameters.values():
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD:
            names.append(parameter.name)
            continue
        function = factory.__init__ if inspect.isclass(factory) else factory
        (passed_on,) = get_args(get_type_hints(function).get(parameter.name)) or (None,)
        if not is_typeddict(passed_on):
            return []
        names += passed_on.__annotations__
    return names


def _as_tuple(value: Any) -> Any:
    return tuple(_as_tuple(item) for item in value) if isinstance(value, list) else value
