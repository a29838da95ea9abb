"""Print a plan as a table: rule, value, reason."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from itertools import zip_longest
from typing import Any

from cervseg.core.jsonio import to_json
from cervseg.core.types import Configuration, Plan
from cervseg.planning.constants import CNN, VIT, WIDE_AUGMENTATION
from cervseg.planning.families import FAMILIES
from cervseg.planning.planfile import Edit, as_words, find_edits
from cervseg.planning.planner import CACHE, value_of

_RULE, _VALUE, _REASON = 19, 24, 53  # characters; with two gaps of 2, 100 per line


def plan_table(plan: Plan, families: Iterable[str] | None = None) -> str:
    """Format the decisions of a plan with their reasons, 100 characters wide; edited values have a star.

    Args:
        plan: the plan.
        families: configurations to print in full (default: "2d_vit", "2d_cnn" and edited ones); each of
            the others gets one line.
    """
    edits = find_edits(plan)
    wanted = {VIT, CNN, *(_section(edit.rule) for edit in edits)} if families is None else set(families)
    full = [name for name in plan.configurations if name in wanted]
    brief = [name for name in plan.configurations if name not in wanted]
    lines = [f'Plan of {plan.dataset.name}, preset "{plan.preset}"', _row("rule", "value", "reason")]
    for name in ("", *full):
        lines += ["", name] if name else []
        lines += [_decision_row(plan, key, edits) for key in plan.decisions if _section(key) == name]
        lines += [
            _edit_row(edit) for edit in edits if _section(edit.rule) == name and not _has_row(plan, edit)
        ]
    if brief:
        lines += ["", "Other configurations (for their reasons, see plans.json or use --verbose)"]
        lines += [_brief_row(plan.configurations[name]) for name in brief]
    if edits:
        lines += ["", "* edited in plans.json"]
    return "\n".join(lines)


def _brief_row(configuration: Configuration) -> str:
    """Format one line: name, network, input size, batch size, epochs."""
    hyper, network = configuration.hyperparameters, configuration.network
    family = FAMILIES.get(configuration.name)
    columns = (
        (configuration.name, 14),
        (family.words.format_map(network) if family else as_words(network), 38),
        (as_words(configuration.input_size), 11),
        (f"batch {hyper.batch_size}", 9),
        (f"{hyper.epochs} epochs", 0),
    )
    return "  ".join(f"{text:<{width}}" for text, width in columns)


def _section(key: str) -> str:
    return key.partition(".")[0] if "." in key else ""


def _has_row(plan: Plan, edit: Edit) -> bool:
    """Tell whether the row of a decision shows this edit; weight_decay, for example, has no decision."""
    return edit.rule in plan.decisions or edit.rule.rpartition(".")[0] in plan.decisions


def _decision_row(plan: Plan, key: str, edits: list[Edit]) -> str:
    decision, section = plan.decisions[key], _section(key)
    name = key.partition(".")[2] or key
    value = plan.cache_long_side_px if key == CACHE else decision.value
    if section in plan.configurations:
        value = value_of(plan.configurations[section], name)
    mine = [edit for edit in edits if edit.rule == key or edit.rule.startswith(f"{key}.")]
    if not mine:
        return _row(name, _short(name, value), decision.reason)
    changes = "; ".join(_change(key, edit) for edit in mine)
    return _row(f"{name} *", _short(name, value), f"Edited ({changes}). {decision.reason}")


def _short(name: str, value: Any) -> str:
    """Format a value; of an augmentation, only the active entries."""
    if name != "augmentation":
        return as_words(value)
    flips = {key: item for key, item in value.items() if key.startswith("flip_") and item}
    if {**value, **dict.fromkeys(flips, 0.0)} == to_json(WIDE_AUGMENTATION):
        return ", ".join(filter(None, ("wide", as_words(flips))))
    active = {key: item for key, item in value.items() if item not in (0, [1.0, 1.0])}
    return as_words({key: item for key, item in active.items() if _is_drawn(key, value)}) or "off"


def _is_drawn(key: str, value: dict[str, Any]) -> bool:
    """Tell whether an entry of an augmentation has an effect: the probability of its change is not zero."""
    if key == "strong":
        return any(chance for name, chance in value.items() if name.endswith("_probability"))
    return value.get(f"{key.partition('_')[0]}_probability") != 0


def _change(key: str, edit: Edit) -> str:
    inner = edit.rule.removeprefix(key).lstrip(".")
    return f"{inner + ', ' if inner else ''}planned: {as_words(edit.planned)}"


def _edit_row(edit: Edit) -> str:
    return _row(
        f"{edit.rule.partition('.')[2]} *",
        as_words(edit.value),
        f"Edited (planned: {as_words(edit.planned)}).",
    )


def _row(rule: str, value: str, reason: str) -> str:
    columns = [
        textwrap.wrap(text, width) or [""]
        for text, width in ((rule, _RULE), (value, _VALUE), (reason, _REASON))
    ]
    return "\n".join(
        f"{a:<{_RULE}}  {b:<{_VALUE}}  {c}".rstrip() for a, b, c in zip_longest(*columns, fillvalue="")
    )
