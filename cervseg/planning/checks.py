"""What a plan may ask for; anything else is refused with the field and the mend."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable
from typing import Any

from cervseg.core.errors import PlanError
from cervseg.core.types import Augmentation, Configuration, Hyperparameters, Plan
from cervseg.losses.recipes import LOSSES
from cervseg.planning.constants import ENCODERS, MULTIPLE_PX, whole_multiple

RESIZES = ("pad", "stretch")
NORMALIZATIONS = ("zscore", "unit", "sam")
PRECISIONS = ("float32", "bfloat16", "float16")
_LEAST = {
    "epochs": 1,
    "batch_size": 1,
    "accumulate": 1,
    "train_last_blocks": -1,
    "lora_rank": 0,
    "num_workers": 0,
    "seed": 0,
}


def check_plan(plan: Plan, *, where: str = "plan") -> None:
    """Refuse a plan that cannot be carried out.

    Raises:
        PlanError: the first field that asks for something impossible, and how to mend it.
    """
    if not plan.configurations:
        raise PlanError("there is no configuration", where=where, hint="Plan the dataset again.")
    if plan.cache_long_side_px < MULTIPLE_PX:
        _refuse(where, "cache_long_side_px", plan.cache_long_side_px, f"It must be {MULTIPLE_PX} or more.")
    if not plan.variants or len(set(plan.variants)) != len(plan.variants):
        _refuse(where, "variants", list(plan.variants), "Name at least one, each once.")
    for name, configuration in plan.configurations.items():
        if configuration.name != name:
            _refuse(where, f"configurations.{name}.name", configuration.name, f"It must be {name!r}.")
        check_configuration(configuration, where=f"{where}: {name}")


def check_configuration(configuration: Configuration, *, where: str = "") -> None:
    """Refuse a configuration that cannot be carried out; see :func:`check_plan`."""
    check_values(configuration, where=where)
    _check_depth(configuration, where=where or configuration.name)


def check_values(configuration: Configuration, *, where: str = "") -> None:
    """Refuse values that are impossible whatever the network's depth; see :func:`check_plan`."""
    where = where or configuration.name
    if any(side < MULTIPLE_PX or side % MULTIPLE_PX for side in configuration.input_size):
        hint = f"Each side must be a multiple of {MULTIPLE_PX}: take {_near(configuration, MULTIPLE_PX)}."
        _refuse(where, "input_size", _by(configuration.input_size), hint)
    _one_of(where, "resize", configuration.resize, RESIZES)
    _one_of(where, "normalization", configuration.normalization, NORMALIZATIONS)
    _one_of(where, "loss", configuration.loss, LOSSES)
    _check_network(configuration, where=where)
    _check_hyperparameters(configuration.hyperparameters, where=where)
    _check_augmentation(configuration.augmentation, where=where)


def _check_network(configuration: Configuration, *, where: str) -> None:
    network = configuration.network
    for name, value in network.items():
        if isinstance(value, int) and not isinstance(value, bool) and value < (name != "window_size"):
            _refuse(where, name, value, "It must be positive.")
        if value == "":
            _refuse(where, name, "empty", "Write something, or leave the planned value.")
    if "encoder" in network and configuration.name in ENCODERS:
        _one_of(where, "encoder", network["encoder"], ENCODERS[configuration.name])
    width, heads = network.get("embed_dim", 0), network.get("num_heads", 1)
    if width % heads:
        _refuse(where, "embed_dim", width, f"It must be a multiple of num_heads ({heads}).")
    depth, layers = network.get("depth", 0), network.get("global_attn_indexes", [])
    if layers and max(layers) >= depth:
        _refuse(where, "global_attn_indexes", layers, f"With depth {depth} the last block is {depth - 1}.")


def _check_depth(configuration: Configuration, *, where: str) -> None:
    """A network that halves its frame must be able to."""
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
    """The nearest frame of whole multiples, in words."""
    height, width = (whole_multiple(side, of_px=multiple_px) for side in configuration.input_size)
    return _by((height, width))


def _check_hyperparameters(hyper: Hyperparameters, *, where: str) -> None:
    for name, least in _LEAST.items():
        _within(where, name, getattr(hyper, name), least, math.inf)
    for name in ("learning_rate", "gradient_clip"):
        if not 0 < getattr(hyper, name) < math.inf:
            _refuse(where, name, getattr(hyper, name), "It must be positive.")
    _within(where, "weight_decay", hyper.weight_decay, 0, math.inf)
    _within(where, "warmup_fraction", hyper.warmup_fraction, 0, 1)
    if not 0 <= hyper.ema_decay < 1:
        _refuse(where, "ema_decay", hyper.ema_decay, "It must lie in 0 to below 1.")
    if not 0 < hyper.layer_decay <= 1:
        _refuse(where, "layer_decay", hyper.layer_decay, "It must lie in above 0 to 1.")
    _within(where, "distill_weight", hyper.distill_weight, 0, 1)
    if (hyper.freeze_encoder, hyper.train_last_blocks >= 0, hyper.lora_rank > 0).count(True) > 1:
        hint = "Set one of freeze_encoder, train_last_blocks and lora_rank."
        raise PlanError("there is more than one rule for what trains of the encoder", where=where, hint=hint)
    _one_of(where, "precision", hyper.precision, PRECISIONS)


def _check_augmentation(ranges: Augmentation, *, where: str) -> None:
    for name in ("probability", "flip_horizontal", "flip_vertical", "translation"):
        _within(where, name, getattr(ranges, name), 0, 1)
    _within(where, "rotation_deg", ranges.rotation_deg, 0, 180)
    _within(where, "shear_deg", ranges.shear_deg, 0, 60)
    for name in ("brightness", "noise", "blur_px"):
        _within(where, name, getattr(ranges, name), 0, math.inf)
    for name in ("scale", "gamma", "contrast"):
        low, high = getattr(ranges, name)
        if not 0 < low <= high < math.inf:
            _refuse(where, name, f"{low} to {high}", "It must go upwards from more than 0.")


def _within(where: str, name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        hint = f"It must be {low} or more." if math.isinf(high) else f"It must lie in {low} to {high}."
        _refuse(where, name, value, hint)


def _one_of(where: str, name: str, value: str, known: Iterable[str]) -> None:
    if value not in known:
        _refuse(where, name, repr(value), f"{nearest(value, known)} There are: {', '.join(known)}.".strip())


def nearest(name: str, known: Iterable[str]) -> str:
    """A sentence that suggests the nearest known name; empty if none is near."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"Did you mean {near[0]}?" if near else ""


def _refuse(where: str, name: str, value: Any, hint: str) -> None:
    raise PlanError(f"{name} cannot be {value}", where=where, hint=hint)
