"""What a plan may ask for; anything else is refused with the field and the mend."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable
from typing import Any

from cervseg.core.errors import PlanError
from cervseg.core.types import Augmentation, Configuration, Hyperparameters, Plan
from cervseg.planning.sizes import MULTIPLE_PX, whole_multiple

RESIZES = ("pad", "stretch")
NORMALIZATIONS = ("zscore", "unit", "sam")
PRECISIONS = ("float32", "bfloat16", "float16")
LOSSES = (
    "cervspinenet",
    "cervspinenet_bce",
    "dice_ft_ssim",
    "dice_ssim",
    "dice_ft",
    "dice",
    "bce_dice",
    "bce",
)


def check_plan(plan: Plan, *, where: str = "plan") -> None:
    """Refuse a plan that cannot be carried out.

    Raises:
        PlanError: the first field that asks for something impossible, and how to mend it.
    """
    if not plan.configurations:
        raise PlanError("there is no configuration", where=where, mend="Plan the dataset again.")
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
    where = where or configuration.name
    for side in configuration.input_size:
        if side < MULTIPLE_PX or side % MULTIPLE_PX:
            near = " x ".join(str(whole_multiple(s)) for s in configuration.input_size)
            size = " x ".join(str(s) for s in configuration.input_size)
            _refuse(where, "input_size", size, f"Each side must be a multiple of {MULTIPLE_PX}: take {near}.")
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
    width, heads = network.get("embed_dim", 0), network.get("num_heads", 1)
    if width % heads:
        _refuse(where, "embed_dim", width, f"It must be a multiple of num_heads ({heads}).")
    depth, layers = network.get("depth", 0), network.get("global_attn_indexes", [])
    if layers and max(layers) >= depth:
        _refuse(where, "global_attn_indexes", layers, f"With depth {depth} the last block is {depth - 1}.")
    step = 2 ** network.get("num_levels", 0)
    if any(side % step for side in configuration.input_size):
        mend = f"Both sides of {configuration.input_size} must divide by {step}."
        _refuse(where, "num_levels", network["num_levels"], mend)


def _check_hyperparameters(hyper: Hyperparameters, *, where: str) -> None:
    for name, least in (("epochs", 1), ("batch_size", 1), ("num_workers", 0), ("seed", 0)):
        _within(where, name, getattr(hyper, name), least, math.inf)
    for name in ("learning_rate", "gradient_clip"):
        if not 0 < getattr(hyper, name) < math.inf:
            _refuse(where, name, getattr(hyper, name), "It must be positive.")
    _within(where, "weight_decay", hyper.weight_decay, 0, math.inf)
    _within(where, "warmup_fraction", hyper.warmup_fraction, 0, 1)
    if not 0 <= hyper.ema_decay < 1:
        _refuse(where, "ema_decay", hyper.ema_decay, "It must lie in 0 to below 1.")
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
        mend = f"It must be {low} or more." if math.isinf(high) else f"It must lie in {low} to {high}."
        _refuse(where, name, value, mend)


def _one_of(where: str, name: str, value: str, known: Iterable[str]) -> None:
    if value not in known:
        _refuse(where, name, repr(value), f"{nearest(value, known)} There are: {', '.join(known)}.".strip())


def nearest(name: str, known: Iterable[str]) -> str:
    """A sentence that suggests the nearest known name; empty if none is near."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"Did you mean {near[0]}?" if near else ""


def _refuse(where: str, name: str, value: Any, mend: str) -> None:
    raise PlanError(f"{name} cannot be {value}", where=where, mend=mend)
