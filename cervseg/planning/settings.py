"""Settings of the user: ``--set name=value`` replaces a value of a configuration, strictly typed."""

from __future__ import annotations

import math
import typing
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, NoReturn

from cervseg.core.errors import PlanError
from cervseg.core.types import Augmentation, Configuration, Hyperparameters
from cervseg.planning.checks import check_configuration, choice, nearest, one_of
from cervseg.planning.constants import AUGMENTATIONS

AUGMENTATION = "augmentation"
_OWN_FIELDS = ("input_size", "resize", "crop", "normalization", "loss")
_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def configure(configuration: Configuration, settings: Mapping[str, str]) -> Configuration:
    """Replace values of a configuration, and check the result.

    Args:
        configuration: the configuration to change; it stays as it is.
        settings: names and values as typed: a field of the configuration ("input_size": "384x288"), of its
            hyperparameters ("epochs": "5"), of its augmentation ("scale": "0.9,1.1"), a level for all of its
            augmentation but flips ("augmentation": "wide"), or an argument of its network ("depth": "4"); a
            leading "2d_vit." (the configuration's own name) is allowed.

    Returns:
        The changed configuration.

    Raises:
        PlanError: a name is unknown (the hint suggests the nearest), or a value is invalid.
    """
    changed = change(configuration, settings)
    check_configuration(changed)
    return changed


def change(configuration: Configuration, settings: Mapping[str, str]) -> Configuration:
    """Replace values of a configuration without checking the result; see :func:`configure`.

    Args:
        configuration: the configuration to change; it stays as it is.
        settings: names and values as typed.

    Returns:
        The changed configuration.

    Raises:
        PlanError: a name is unknown, or a value has the wrong type.
    """
    # A level of augmentation comes first: single entries replace its own.
    for key in sorted(settings, key=lambda key: plain_name(configuration, key) != AUGMENTATION):
        configuration = _set(configuration, key, settings[key])
    return configuration


def settable(configuration: Configuration) -> dict[str, str]:
    """Map every name that :func:`configure` knows to the part that holds it ("": the configuration)."""
    names = dict.fromkeys((*_OWN_FIELDS, AUGMENTATION), "")
    names |= {field.name: "hyperparameters" for field in fields(Hyperparameters)}
    names |= {field.name: "augmentation" for field in fields(Augmentation)}
    return names | dict.fromkeys(configuration.network, "network")


def plain_name(configuration: Configuration, key: str) -> str:
    """Strip the names of the configuration and of the part from the front of ``key``."""
    name = key.removeprefix(f"{configuration.name}.")
    part = settable(configuration).get(name.rpartition(".")[2])
    return name.removeprefix(f"{part}.") if part else name


def refuse_unknown(key: str, known: typing.Iterable[str]) -> NoReturn:
    """Raise the PlanError of an unknown name.

    Args:
        key: as the user gave it.
        known: the valid names.

    Raises:
        PlanError: always; the hint suggests the nearest name.
    """
    known = sorted(known)
    hint = nearest(key.rpartition(".")[2], known) or f"There are: {', '.join(known)}."
    raise PlanError("unknown setting", where=key, hint=hint)


def _set(configuration: Configuration, key: str, text: str) -> Configuration:
    known, name = settable(configuration), plain_name(configuration, key)
    if name not in known:
        refuse_unknown(key, known)
    part = known[name]
    if name == AUGMENTATION:
        return replace(configuration, augmentation=_level(text, configuration.augmentation, where=key))
    if not part:
        kind = typing.get_type_hints(Configuration)[name]
        return replace(configuration, **{name: parse(text, kind, where=key)})
    if part == "network":
        old = configuration.network[name]
        kind = list[int] if isinstance(old, list) else type(old)
        return replace(configuration, network={**configuration.network, name: parse(text, kind, where=key)})
    old_part = getattr(configuration, part)
    kind = typing.get_type_hints(type(old_part))[name]
    return replace(configuration, **{part: replace(old_part, **{name: parse(text, kind, where=key)})})


def _level(text: str, planned: Augmentation, *, where: str) -> Augmentation:
    """Return the level of that name with the planned flips: whether to flip depends on the anatomy."""
    level = AUGMENTATIONS[one_of(text.strip(), AUGMENTATIONS, where=where)]
    return replace(level, flip_horizontal=planned.flip_horizontal, flip_vertical=planned.flip_vertical)


def parse(text: str, kind: Any, *, where: str) -> Any:
    """Parse a value: "5", "1e-4", "true", "pad", "384x288" or "0.9,1.1".

    Args:
        text: the value as typed.
        kind: its type: int, float, bool, str, a Literal of strings, a tuple of two, or a list of int.
        where: name of the setting, for messages.

    Returns:
        The value, of type ``kind``.

    Raises:
        PlanError: the text is not of this type.
    """
    text = text.strip()
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Literal:
        return choice(kind, text, where=where)
    try:
        if origin in (tuple, list):
            parts = [part for part in text.strip("()[]").lower().replace("x", ",").split(",") if part.strip()]
            if origin is list:
                return [int(part) for part in parts]
            return tuple(_number(part, argument) for part, argument in zip(parts, arguments, strict=True))
        if kind is bool:
            return _TRUTH[text.lower()]
        return text if kind is str else _number(text, kind)
    except (ValueError, KeyError):
        wanted = {int: "a whole number", float: "a number", bool: "true or false"}.get(kind)
        wanted = wanted or (
            "whole numbers like 2,5,8" if origin is list else "two numbers like 384x288 or 0.9,1.1"
        )
        raise PlanError(f"{text!r} is not {wanted}", where=where) from None


def _number(text: str, kind: Any) -> int | float:
    if kind is int:
        return int(text)
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value
