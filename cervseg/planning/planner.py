"""Make a plan from a fingerprint and the hardware: ask the rules in order, then apply the user's settings."""

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
    Preset,
)
from cervseg.planning.checks import check_plan, check_values, checked_variants, choice
from cervseg.planning.constants import CACHE_LONG_SIDE_PX, CNN
from cervseg.planning.context import Rule, Situation
from cervseg.planning.families import FAMILIES
from cervseg.planning.paper import PAPER_RULES
from cervseg.planning.rules import DEFAULT_RULES
from cervseg.planning.settings import AUGMENTATION, change, parse, plain_name, refuse_unknown, settable

PRESETS: Mapping[Preset, Mapping[str, Rule]] = {"default": DEFAULT_RULES, "paper": PAPER_RULES}
CACHE = "cache_long_side_px"
BY_USER, SET_BY_USER = "set with --set", "Set with --set."
PARTS = ("network", AUGMENTATION)  # decided by one rule each; the user may set single entries


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
    """Plan a dataset for a machine: one configuration per family of networks.

    Args:
        description: the dataset.
        fingerprint: its statistics.
        hardware: the machine that trains.
        preset: "default", or "paper" for the published protocol.
        variants: the dataset variants to prepare.
        sam_checkpoint: whether SAM's ViT-B checkpoint is available to start from.
        overrides: the user's settings: "2d_vit.epochs" -> "5", or "epochs" -> "5" for every configuration
            that has the name; see :func:`cervseg.planning.settings.configure`. Later rules use them.

    Returns:
        A checked plan; every value in ``decisions`` has plain JSON types.

    Raises:
        PlanError: the preset, a variant or an override is unknown or invalid.
    """
    known_preset: Preset = choice(Preset, preset, where="preset")
    situations = [
        Situation(
            family=f,
            fingerprint=fingerprint,
            hardware=hardware,
            sam_checkpoint=sam_checkpoint,
            is_synthetic=description.synthetic,
        )
        for f in FAMILIES.values()
    ]
    rules, decisions, configurations = (
        PRESETS[known_preset],
        dict[str, Decision](),
        dict[str, Configuration](),
    )
    settings = _by_family(overrides, [_build(s.family.name, _ask(s, rules)) for s in situations])
    for situation in situations:
        family = situation.family.name
        configurations[family], decided = _planned(situation, rules, settings=settings[family])
        decisions |= {f"{family}.{name}": decision for name, decision in decided.items()}
    decisions[CACHE] = cache_long_side_px(list(configurations.values()), by_user=overrides.get(CACHE))
    plan = Plan(
        dataset=description,
        preset=known_preset,
        fingerprint=fingerprint,
        hardware=hardware,
        variants=checked_variants(variants),
        cache_long_side_px=decisions[CACHE].value,
        configurations=configurations,
        decisions=decisions,
    )
    check_plan(plan)
    return plan


def cache_long_side_px(configurations: Sequence[Configuration], *, by_user: str | None = None) -> Decision:
    """Decide the longest side in px of preprocessed images.

    Args:
        configurations: those of the plan.
        by_user: the value of the user, as typed.

    Raises:
        PlanError: the user's value is not a whole number.
    """
    if by_user is not None:
        return Decision(value=parse(by_user, int, where=CACHE), reason=SET_BY_USER, origin="user")
    longest = max(max(configuration.input_size) for configuration in configurations)
    return Decision(
        value=max(CACHE_LONG_SIDE_PX, longest),
        reason=f"All trainers share one cache; the longest input size is {longest} px.",
    )


def value_of(configuration: Configuration, name: str) -> Any:
    """Return the value of a configuration's field or hyperparameter, in plain JSON types."""
    holder = configuration if hasattr(configuration, name) else configuration.hyperparameters
    return to_json(getattr(holder, name))


def _planned(
    start: Situation, rules: Mapping[str, Rule], *, settings: Mapping[str, str]
) -> tuple[Configuration, dict[str, Decision]]:
    """Decide one configuration; return it with its decisions by field."""
    configuration = _build(start.family.name, _ask(start, rules))
    wanted = change(configuration, settings)
    _check_settings(wanted, settings)
    by_user: dict[str, Any] = {}
    for key in settings:
        name = plain_name(configuration, key)
        part = settable(configuration)[name]
        if name == AUGMENTATION:
            by_user.setdefault(name, {})[f"level {settings[key].strip()}"] = value_of(wanted, name)
        elif part in PARTS:
            by_user.setdefault(part, {})[name] = value_of(wanted, part)[name]
        else:
            by_user[name] = value_of(wanted, name)
    decisions = _ask(start, rules, by_user=by_user)
    return _build(start.family.name, decisions), decisions


def _check_settings(wanted: Configuration, settings: Mapping[str, str]) -> None:
    """Refuse invalid values; the hint says how to set a value for one configuration only."""
    try:
        check_values(wanted)
    except PlanError as problem:
        shared = [key for key in settings if not key.startswith(f"{wanted.name}.")]
        hint = f" To set a value for one configuration only, put its name in front: {CNN}.epochs=5."
        raise PlanError(
            problem.what, where=problem.where, hint=problem.hint + (hint if shared else "")
        ) from None


def _ask(
    start: Situation, rules: Mapping[str, Rule], *, by_user: Mapping[str, Any] = MappingProxyType({})
) -> dict[str, Decision]:
    """Ask every rule in order; the user's values replace theirs. Settings without a rule come last."""
    situation, decisions = start, dict[str, Decision]()
    for name, rule in rules.items():
        if name in by_user and name not in PARTS:
            decision = Decision(value=by_user[name], reason=SET_BY_USER, origin="user")
        else:
            decision = rule(situation)
        decision = replace(decision, value=to_json(decision.value))
        if name in by_user and name in PARTS:  # some of its entries
            decision = _mixed(decision, by_user[name])
        decisions[name] = decision
        situation = replace(situation, chosen={**situation.chosen, name: decision.value})
    others = {name: value for name, value in by_user.items() if name not in rules}
    return decisions | {
        name: Decision(value=value, reason=SET_BY_USER, origin="user") for name, value in others.items()
    }


def _mixed(decision: Decision, by_user: Mapping[str, Any]) -> Decision:
    """Replace some entries of a rule's value by the user's; a level of augmentation comes with all of its."""
    levels = {name: entries for name, entries in by_user.items() if isinstance(entries, dict)}
    entries = {name: value for name, value in by_user.items() if name not in levels}
    for level in levels.values():
        entries = {**level, **entries}
    reason = f"{', '.join(by_user)} {BY_USER}. The rest: {decision.reason}"
    return Decision(value={**decision.value, **entries}, reason=reason, origin="mixed")


def _build(family: str, decisions: Mapping[str, Decision]) -> Configuration:
    values = {name: decision.value for name, decision in decisions.items()}
    hyper = {f.name: values.pop(f.name) for f in fields(Hyperparameters) if f.name in values}
    return from_json(Configuration, {"name": family, **values, "hyperparameters": hyper}, error=PlanError)


def _by_family(
    overrides: Mapping[str, str], configurations: Sequence[Configuration]
) -> dict[str, dict[str, str]]:
    """Assign each override to the configurations that have its name; refuse it if there are none."""
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
