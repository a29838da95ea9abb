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
from cervseg.planning.checks import check_plan, nearest
from cervseg.planning.paper import PAPER_RULES
from cervseg.planning.rules import DEFAULT_RULES
from cervseg.planning.settings import configure, parse, plain_name, refuse_unknown, settable
from cervseg.planning.situation import Rule, Situation
from cervseg.planning.sizes import CACHE_LONG_SIDE_PX, FAMILIES

PRESETS: Mapping[str, Mapping[str, Rule]] = {"default": DEFAULT_RULES, "paper": PAPER_RULES}
CACHE = "cache_long_side_px"
BY_HAND = "set by hand"


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
    """Plan a dataset on a machine: "2d_vit" for the SAM family, "2d_cnn" for the CNNs.

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
            f"no preset {preset!r}", mend=nearest(preset, PRESETS) or f"There are: {', '.join(PRESETS)}."
        )
    situations = [
        Situation(family=f, fingerprint=fingerprint, hardware=hardware, sam_checkpoint=sam_checkpoint)
        for f in FAMILIES
    ]
    rules, decisions, configurations = PRESETS[preset], dict[str, Decision](), dict[str, Configuration]()
    settings = _by_family(overrides, [_build(s.family, _ask(s, rules)) for s in situations])
    for situation in situations:
        family = situation.family
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
    """How large preprocessing keeps each film."""
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
    planned = _ask(start, rules)
    configuration = _build(start.family, planned)
    wanted = configure(configuration, settings)
    names = [plain_name(configuration, key) for key in settings]
    fixed = {_owner(configuration, name): value_of(wanted, _owner(configuration, name)) for name in names}
    decisions = _ask(start, rules, fixed=fixed)
    for part in ("network", "augmentation"):
        changed = [name for name in names if settable(configuration)[name] == part]
        if changed:
            reason = f"{', '.join(changed)} {BY_HAND}; otherwise: {planned[part].reason}"
            decisions[part] = replace(decisions[part], reason=reason)
    return _build(start.family, decisions), decisions


def _owner(configuration: Configuration, name: str) -> str:
    part = settable(configuration)[name]
    return part if part in ("network", "augmentation") else name


def _ask(
    start: Situation, rules: Mapping[str, Rule], *, fixed: Mapping[str, Any] = MappingProxyType({})
) -> dict[str, Decision]:
    """Every rule's decision in order, values of ``fixed`` instead of theirs; then what no rule decides."""
    situation, decisions = start, dict[str, Decision]()
    for name, rule in rules.items():
        decision = Decision(value=fixed[name], reason=BY_HAND) if name in fixed else rule(situation)
        decisions[name] = replace(decision, value=to_json(decision.value))
        situation = replace(situation, chosen={**situation.chosen, name: decisions[name].value})
    others = {name: value for name, value in fixed.items() if name not in rules}
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
