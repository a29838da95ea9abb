"""Fingerprint and hardware in, plan out: the rules asked in order, hands put on top, each decision kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from types import MappingProxyType
from typing import Any

from cervseg.core.errors import PlanError
from cervseg.core.jsonio import from_json, to_json
from cervseg.core.types import (
    Configuration,
    DatasetDescription,
    Decision,
    Fingerprint,
    Hardware,
    Hyperparameters,
    Plan,
)
from cervseg.planning.checks import check_plan, check_values, nearest
from cervseg.planning.constants import CACHE_LONG_SIDE_PX, CNN
from cervseg.planning.context import Rule, Situation
from cervseg.planning.families import FAMILIES
from cervseg.planning.paper import PAPER_RULES
from cervseg.planning.rules import DEFAULT_RULES
from cervseg.planning.settings import change, parse, plain_name, refuse_unknown, settable

PRESETS: Mapping[str, Mapping[str, Rule]] = {"default": DEFAULT_RULES, "paper": PAPER_RULES}
CACHE = "cache_long_side_px"
BY_HAND = "set by hand"
PARTS = ("network", "augmentation")  # decided by one rule each, set by hand entry by entry


def make_plan(
    *,
    description: DatasetDescription,
    fingerprint: Fingerprint,
    hardware: Hardware,
    preset: str = "default",
    variants: Sequence[str] = ("original",),
    sam_checkpoint: bool = False,
    overrides: Mapping[str, str] = MappingProxyType({}),
) -> Plan:
    """Plan a dataset on a machine: a configuration for each family of networks.

    Args:
        preset: "default", or "paper" for the published protocol.
        variants: the dataset variants to prepare.
        sam_checkpoint: is SAM's ViT-B checkpoint at hand to start from?
        overrides: settings by hand: "2d_vit.epochs" -> "5", or "epochs" -> "5" for every configuration that
            knows the name; see :func:`cervseg.planning.settings.configure`. Rules asked later follow them.

    Returns:
        a checked plan; every value in ``decisions`` is of plain JSON types.

    Raises:
        PlanError: the preset or an override is unknown, or asks for something impossible.
    """
    if preset not in PRESETS:
        raise PlanError(
            f"no preset {preset!r}", hint=nearest(preset, PRESETS) or f"There are: {', '.join(PRESETS)}."
        )
    situations = [
        Situation(family=f, fingerprint=fingerprint, hardware=hardware, sam_checkpoint=sam_checkpoint)
        for f in FAMILIES.values()
    ]
    rules, decisions, configurations = PRESETS[preset], dict[str, Decision](), dict[str, Configuration]()
    settings = _by_family(overrides, [_build(s.family.name, _ask(s, rules)) for s in situations])
    for situation in situations:
        family = situation.family.name
        configurations[family], decided = _planned(situation, rules, settings=settings[family])
        decisions |= {f"{family}.{name}": decision for name, decision in decided.items()}
    decisions[CACHE] = cache_long_side_px(list(configurations.values()), by_hand=overrides.get(CACHE))
    plan = Plan(
        dataset=description,
        preset=preset,
        fingerprint=fingerprint,
        hardware=hardware,
        variants=tuple(variants),
        cache_long_side_px=decisions[CACHE].value,
        configurations=configurations,
        decisions=decisions,
    )
    check_plan(plan)
    return plan


def cache_long_side_px(configurations: Sequence[Configuration], *, by_hand: str | None = None) -> Decision:
    """How large preprocessing keeps each image."""
    if by_hand is not None:
        return Decision(value=parse(by_hand, int, where=CACHE), reason=BY_HAND)
    longest = max(max(configuration.input_size) for configuration in configurations)
    return Decision(
        value=max(CACHE_LONG_SIDE_PX, longest),
        reason=f"one cache for every trainer; the longest network frame is {longest} px.",
    )


def value_of(configuration: Configuration, name: str) -> Any:
    """The value of a rule's field, wherever the configuration keeps it, in plain JSON types."""
    holder = configuration if hasattr(configuration, name) else configuration.hyperparameters
    return to_json(getattr(holder, name))


def _planned(
    start: Situation, rules: Mapping[str, Rule], *, settings: Mapping[str, str]
) -> tuple[Configuration, dict[str, Decision]]:
    """One configuration and its decisions by field."""
    configuration = _build(start.family.name, _ask(start, rules))
    wanted = change(configuration, settings)
    _check_by_hand(wanted, settings)
    by_hand: dict[str, Any] = {}
    for key in settings:
        name = plain_name(configuration, key)
        part = settable(configuration)[name]
        if part in PARTS:
            by_hand.setdefault(part, {})[name] = value_of(wanted, part)[name]
        else:
            by_hand[name] = value_of(wanted, name)
    decisions = _ask(start, rules, by_hand=by_hand)
    return _build(start.family.name, decisions), decisions


def _check_by_hand(wanted: Configuration, settings: Mapping[str, str]) -> None:
    """Refuse impossible values; what was meant for another configuration gets the way to say so."""
    try:
        check_values(wanted)
    except PlanError as problem:
        shared = [key for key in settings if not key.startswith(f"{wanted.name}.")]
        hint = f" To set it for one configuration alone, put its name in front: {CNN}.epochs=5."
        raise PlanError(
            problem.what, where=problem.where, hint=problem.hint + (hint if shared else "")
        ) from None


def _ask(
    start: Situation, rules: Mapping[str, Rule], *, by_hand: Mapping[str, Any] = MappingProxyType({})
) -> dict[str, Decision]:
    """Every rule's decision in order, values set by hand instead of theirs; then what no rule decides."""
    situation, decisions = start, dict[str, Decision]()
    for name, rule in rules.items():
        if name in by_hand and name not in PARTS:
            decision = Decision(value=by_hand[name], reason=BY_HAND)
        else:
            decision = rule(situation)
        decision = replace(decision, value=to_json(decision.value))
        if name in by_hand and name in PARTS:  # some of its entries
            reason = f"{', '.join(by_hand[name])} {BY_HAND}; otherwise: {decision.reason}"
            decision = Decision(value={**decision.value, **by_hand[name]}, reason=reason)
        decisions[name] = decision
        situation = replace(situation, chosen={**situation.chosen, name: decision.value})
    others = {name: value for name, value in by_hand.items() if name not in rules}
    return decisions | {name: Decision(value=value, reason=BY_HAND) for name, value in others.items()}


def _build(family: str, decisions: Mapping[str, Decision]) -> Configuration:
    values = {name: decision.value for name, decision in decisions.items()}
    hyper = {f.name: values.pop(f.name) for f in fields(Hyperparameters) if f.name in values}
    return from_json(Configuration, {"name": family, **values, "hyperparameters": hyper}, error=PlanError)


def _by_family(
    overrides: Mapping[str, str], configurations: Sequence[Configuration]
) -> dict[str, dict[str, str]]:
    """Which override concerns which configuration; one that concerns none is an error."""
    found: dict[str, dict[str, str]] = {configuration.name: {} for configuration in configurations}
    for key, text in overrides.items():
        prefix = key.partition(".")[0]
        meant = [c for c in configurations if c.name == prefix] or list(configurations)
        knowing = [c for c in meant if plain_name(c, key) in settable(c)]
        if not knowing and key != CACHE:
            refuse_unknown(key, {CACHE, *(name for c in meant for name in settable(c))})
        for configuration in knowing:
            found[configuration.name][key] = text
    return found
