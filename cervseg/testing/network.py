"""Checks of the contract of networks, :mod:`cervseg.networks.base`."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import torch
from torch import nn

from cervseg.core.errors import PluginError
from cervseg.core.types import NetworkSpec
from cervseg.networks.base import build_network

FRAME = (128, 96)  # (height, width): small, not square
HINT_STATE = "its output must depend on its arguments and its state_dict only"
HINT_FINITE = "look for a division by zero, a logarithm or an overflow"


class BrokenPromiseError(PluginError, AssertionError):
    """A plug-in breaks its contract; the message has the plug-in, the failed check and a hint."""


def check_network(
    network: str | NetworkSpec | Callable[..., nn.Module],
    *,
    in_channels: int = 1,
    input_size: tuple[int, int] = FRAME,
    **arguments: Any,
) -> None:
    """Check a network with one label and with three: logits, gradients, and reloading from its weights.

    Args:
        network: the factory, the registered name, or a spec with arguments.
        in_channels: number of image channels.
        input_size: (height, width) of the frame, if the network does not support 128 x 96 px.
        **arguments: further arguments of the factory.

    Raises:
        BrokenPromiseError: a check fails.
        PluginError: the network is not registered or cannot be built.
    """
    given = network.name if isinstance(network, NetworkSpec) else network
    own = dict(network.arguments) if isinstance(network, NetworkSpec) else {}
    who = given if isinstance(given, str) else getattr(given, "__name__", str(given))
    for num_labels in (1, 3):
        shape = {"in_channels": in_channels, "num_labels": num_labels, "input_size": input_size}
        taken = {**own, **shape, **arguments}

        def build(taken: dict[str, Any] = taken) -> nn.Module:
            if isinstance(given, str):
                return build_network(NetworkSpec(name=given, arguments=taken))
            return given(**taken)

        with seeded():
            made, other = build(), build()
            image_BCHW = torch.randn(2, in_channels, *input_size)
        points = [torch.tensor([[input_size[1] / 2, input_size[0] / 2, 0.0]])] * 2
        extra = (points,) if getattr(made, "takes_points", False) else ()
        made.train()
        logits_BLHW = made(image_BCHW, *extra)
        check_logits(logits_BLHW, (2, num_labels, *input_size), who=who)
        logits_BLHW.float().square().mean().backward()
        check_gradients(made, who=who)
        kept = io.BytesIO()
        torch.save(made.state_dict(), kept)
        kept.seek(0)
        other.load_state_dict(torch.load(kept, weights_only=True))
        with torch.inference_mode():
            same = torch.equal(made.eval()(image_BCHW, *extra), other.eval()(image_BCHW, *extra))
        if not same:
            break_promise(who, "a second network with the same weights computes other logits", HINT_STATE)


@contextmanager
def seeded() -> Iterator[None]:
    """Seed torch's random numbers; the caller's random state is restored at the end."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def break_promise(who: str, what: str, hint: str) -> NoReturn:
    """Raise the error of a failed check.

    Args:
        who: name of the plug-in.
        what: the failure.
        hint: advice for the author of the plug-in.

    Raises:
        BrokenPromiseError: always.
    """
    raise BrokenPromiseError(what, where=who, hint=hint)


def check_logits(logits_BLHW: Any, shape: Sequence[int], *, who: str) -> None:
    """Check that logits are one finite tensor of the given shape.

    Args:
        logits_BLHW: return value of the network.
        shape: (batch, labels, height, width).
        who: name of the plug-in.

    Raises:
        BrokenPromiseError: they are not.
    """
    if not isinstance(logits_BLHW, torch.Tensor):
        break_promise(
            who, f"the output is a {type(logits_BLHW).__name__}", "a network must return one tensor of logits"
        )
    if tuple(logits_BLHW.shape) != tuple(shape):
        found, wanted = (" x ".join(map(str, sizes)) for sizes in (logits_BLHW.shape, shape))
        hint = "logits have one plane per label and the height and width of the image"
        break_promise(who, f"logits of {found}, not {wanted}", hint)
    if not torch.isfinite(logits_BLHW).all():
        break_promise(who, "logits that are not finite", HINT_FINITE)


def check_gradients(network: nn.Module, *, who: str) -> None:
    """Check that every trainable parameter has a finite gradient.

    Args:
        network: the network, after a backward pass.
        who: name of the plug-in.

    Raises:
        BrokenPromiseError: a gradient is missing or not finite.
    """
    trained = {name: p for name, p in network.named_parameters() if p.requires_grad}
    without = [name for name, parameter in trained.items() if parameter.grad is None]
    if without:
        what = f"{len(without)} trainable parameter(s) get no gradient: {some_of(without)}"
        break_promise(who, what, "use them, remove them, or set requires_grad to False")
    bad = [name for name, p in trained.items() if p.grad is not None and not torch.isfinite(p.grad).all()]
    if bad:
        break_promise(who, f"gradients are not finite: {some_of(bad)}", HINT_FINITE)


def some_of(names: Sequence[str]) -> str:
    """Join the first three names."""
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
