"""Validation of plans: a value that cannot work is refused with the field and a hint."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args

from cervseg.core.errors import PlanError
from cervseg.core.types import Augmentation, Configuration, Hyperparameters, Plan, Variant
from cervseg.losses.recipes import LOSSES
from cervseg.networks.sizes import MIT_ENCODERS, RESNET_ENCODERS
from cervseg.planning.constants import DEEPLAB, MULTIPLE_PX, SEGFORMER, whole_multiple

ENCODERS: Mapping[str, Sequence[str]] = {DEEPLAB: RESNET_ENCODERS, SEGFORMER: MIT_ENCODERS}
_SMALLEST = {
    "epochs": 1,
    "batch_size": 1,
    "accumulate": 1,
    "train_last_blocks": -1,
    "lora_rank": 0,
    "num_workers": 0,
    "seed": 0,
}


def check_plan(plan: Plan, *, where: str = "plan") -> None:
    """Check every value of a plan.

    Args:
        plan: the plan.
        where: its file, for messages.

    Raises:
        PlanError: the first invalid value, with its field and a hint.
    """
    if not plan.configurations:
        raise PlanError("the plan has no configuration", where=where, hint="Plan the dataset again.")
    if plan.cache_long_side_px < MULTIPLE_PX:
        _refuse(where, "cache_long_side_px", plan.cache_long_side_px, f"It must be {MULTIPLE_PX} or more.")
    checked_variants(plan.variants, where=where)
    for name, configuration in plan.configurations.items():
        if configuration.name != name:
            _refuse(where, f"configurations.{name}.name", configuration.name, f"It must be {name!r}.")
        check_configuration(configuration, where=f"{where}: {name}")


def checked_variants(variants: Sequence[str], *, where: str = "") -> tuple[Variant, ...]:
    """Check names of dataset variants: at least one, each known, none twice.

    Args:
        variants: names as the user gave them.
        where: their origin, for messages.

    Raises:
        PlanError: a name is unknown, given twice, or there is none.
    """
    if not variants or len(set(variants)) != len(variants):
        _refuse(where, "variants", list(variants), "Name at least one, and none twice.")
    return tuple(choice(Variant, name, where=where or "variants") for name in variants)


def choice(kind: Any, value: str, *, where: str) -> Any:
    """Return ``value`` if it is one of the values of the Literal type ``kind``.

    Args:
        kind: a ``Literal`` of strings.
        value: as the user gave it.
        where: name of the setting, for messages.

    Raises:
        PlanError: it is not; the hint suggests the nearest.
    """
    return one_of(value, get_args(kind), where=where)


def one_of(value: str, known: Iterable[str], *, where: str) -> str:
    """Return ``value`` if it is known.

    Args:
        value: as the user gave it.
        known: the valid values.
        where: name of the setting, for messages.

    Raises:
        PlanError: it is not; the hint suggests the nearest.
    """
    if value not in known:
        raise PlanError(f"unknown value {value!r}", where=where, hint=_suggestion(value, known))
    return value


def check_configuration(configuration: Configuration, *, where: str = "") -> None:
    """Check every value of a configuration.

    Args:
        configuration: the configuration.
        where: its file, for messages; by default its name.

    Raises:
        PlanError: the first invalid value, with its field and a hint.
    """
    check_values(configuration, where=where)
    _check_depth(configuration, where=where or configuration.name)


def check_values(configuration: Configuration, *, where: str = "") -> None:
    """Check everything but the network's depth; see :func:`check_configuration`.

    Args:
        configuration: the configuration.
        where: its file, for messages; by default its name.

    Raises:
        PlanError: the first invalid value, with its field and a hint.
    """
    where = where or configuration.name
    if any(side < MULTIPLE_PX or side % MULTIPLE_PX for side in configuration.input_size):
        hint = f"Each side must be a multiple of {MULTIPLE_PX}: take {_near(configuration, MULTIPLE_PX)}."
        _refuse(where, "input_size", _by(configuration.input_size), hint)
    top, left, bottom, right = configuration.crop
    if not (0 <= top < bottom <= 1 and 0 <= left < right <= 1):
        hint = "Give top, left, bottom and right as fractions of the image: crop=0.1,0.2,0.9,0.8."
        _refuse(where, "crop", str(configuration.crop), hint)
    if configuration.loss not in LOSSES:
        _refuse(where, "loss", repr(configuration.loss), _suggestion(configuration.loss, LOSSES))
    _check_network(configuration, where=where)
    _check_hyperparameters(configuration.hyperparameters, where=where)
    _check_augmentation(configuration.augmentation, where=where)


def _check_network(configuration: Configuration, *, where: str) -> None:
    network = configuration.network
    for name, value in network.items():
        if isinstance(value, int) and not isinstance(value, bool) and value < (name != "window_size"):
            _refuse(where, name, value, "It must be positive.")
        if value == "":
            _refuse(where, name, "empty", "Give a value, or keep the planned one.")
    encoders = ENCODERS.get(configuration.name, ())
    if encoders and "encoder" in network and network["encoder"] not in encoders:
        _refuse(where, "encoder", repr(network["encoder"]), _suggestion(str(network["encoder"]), encoders))
    width, heads = network.get("embed_dim", 0), network.get("num_heads", 1)
    if width % heads:
        _refuse(where, "embed_dim", width, f"It must be a multiple of num_heads ({heads}).")
    depth, layers = network.get("depth", 0), network.get("global_attn_indexes", [])
    if layers and max(layers) >= depth:
        _refuse(where, "global_attn_indexes", layers, f"With depth {depth} the last block is {depth - 1}.")


def _check_depth(configuration: Configuration, *, where: str) -> None:
    """Check that the network can halve its frame ``num_levels`` times."""
    levels = configuration.network.get("num_levels", 0)
    if any(side % 2**levels for side in configuration.input_size):
        fewer = max(n for n in range(levels) if not any(side % 2**n for side in configuration.input_size))
        hint = (
            f"{_by(configuration.input_size)} can be halved {fewer} times: take num_levels={fewer}, "
            f"or input_size={_near(configuration, 2**levels).replace(' ', '')}."
        )
        _refuse(where, "num_levels", levels, hint)


def _by(input_size: tuple[int, int]) -> str:
    return " x ".join(str(side) for side in input_size)


def _near(configuration: Configuration, multiple_px: int) -> str:
    """Format the nearest frame whose sides are multiples of ``multiple_px``."""
    height, width = (whole_multiple(side, of_px=multiple_px) for side in configuration.input_size)
    return _by((height, width))


def _check_hyperparameters(hyper: Hyperparameters, *, where: str) -> None:
    for name, smallest in _SMALLEST.items():
        _within(where, name, getattr(hyper, name), smallest, math.inf)
    for name in ("learning_rate", "gradient_clip"):
        if not 0 < getattr(hyper, name) < math.inf:
            _refuse(where, name, getattr(hyper, name), "It must be positive.")
    _within(where, "weight_decay", hyper.weight_decay, 0, math.inf)
    _within(where, "warmup_fraction", hyper.warmup_fraction, 0, 1)
    if not 0 <= hyper.ema_decay < 1:
        _refuse(where, "ema_decay", hyper.ema_decay, "It must be in [0, 1).")
    if not 0 < hyper.layer_decay <= 1:
        _refuse(where, "layer_decay", hyper.layer_decay, "It must be in (0, 1].")
    _within(where, "distill_weight", hyper.distill_weight, 0, 1)
    if (hyper.freeze_encoder, hyper.train_last_blocks >= 0, hyper.lora_rank > 0).count(True) > 1:
        raise PlanError(
            "more than one option chooses what trains in the encoder",
            where=where,
            hint="Set only one of freeze_encoder, train_last_blocks and lora_rank.",
        )


def _check_augmentation(ranges: Augmentation, *, where: str) -> None:
    chances = [name for name in vars(ranges) if name.endswith("probability")]
    for name in (*chances, "flip_horizontal", "flip_vertical", "translation", "strong", "impulse"):
        _within(where, name, getattr(ranges, name), 0, 1)
    _within(where, "collimation", ranges.collimation, 0, 0.45)
    for name in ("elastic", "curve", "bias", "bias_haze", "grain", "erase"):
        _within(where, name, getattr(ranges, name), 0, math.inf)
    low, high = ranges.sharpness
    if not -1 <= low <= high < math.inf:
        _refuse(where, "sharpness", f"{low} to {high}", "The smaller one first, -1 or more.")
    low, high = ranges.erase_size
    if not 0 < low <= high <= 1:
        _refuse(where, "erase_size", f"{low} to {high}", "Both must be in (0, 1], the smaller one first.")
    if ranges.resolution[0] < 1:
        _refuse(where, "resolution", ranges.resolution[0], "It must be 1 or more.")
    _within(where, "rotation_deg", ranges.rotation_deg, 0, 180)
    _within(where, "shear_deg", ranges.shear_deg, 0, 60)
    for name in ("brightness", "noise", "blur_px"):
        _within(where, name, getattr(ranges, name), 0, math.inf)
    for name in ("scale", "gamma", "contrast", "equalize", "sharpness_px", "resolution", "grain_px"):
        low, high = getattr(ranges, name)
        if not 0 < low <= high < math.inf:
            _refuse(where, name, f"{low} to {high}", "Both must be positive, the smaller one first.")


def _within(where: str, name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        hint = f"It must be {low} or more." if math.isinf(high) else f"It must be in [{low}, {high}]."
        _refuse(where, name, value, hint)


def _suggestion(value: str, known: Iterable[str]) -> str:
    """Suggest the nearest known name, and list all."""
    known = list(known)
    return f"{nearest(value, known)} There are: {', '.join(known)}.".strip()


def nearest(name: str, known: Iterable[str]) -> str:
    """Suggest the nearest known name in a sentence; empty if none is near.

    Args:
        name: as the user gave it.
        known: the valid names.
    """
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"Did you mean {near[0]}?" if near else ""


def _refuse(where: str, name: str, value: Any, hint: str) -> None:
    raise PlanError(f"{name} cannot be {value}", where=where, hint=hint)
