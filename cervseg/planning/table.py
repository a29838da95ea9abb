"""A plan as a table for people: rule, value, reason."""

from __future__ import annotations

import textwrap
from itertools import zip_longest
from typing import Any

from cervseg.core.types import Plan
from cervseg.planning.planfile import Edit, as_words, find_edits
from cervseg.planning.planner import CACHE, value_of

_RULE, _VALUE, _REASON = 18, 26, 54  # characters; with two gaps of 2 about 100 a line


def plan_table(plan: Plan) -> str:
    """Every decision with its reason, about 100 characters wide; values changed by hand carry a star."""
    edits = find_edits(plan)
    lines = [f'Plan of {plan.dataset.name}, preset "{plan.preset}"', _row("rule", "value", "reason")]
    for name in ("", *plan.configurations):
        lines += ["", name] if name else []
        lines += [_decision_row(plan, key, edits) for key in plan.decisions if _section(key) == name]
        lines += [
            _edit_row(edit) for edit in edits if _section(edit.rule) == name and not _has_row(plan, edit)
        ]
    if edits:
        lines += ["", "* changed by hand in plans.json"]
    return "\n".join(lines)


def _section(key: str) -> str:
    return key.partition(".")[0] if "." in key else ""


def _has_row(plan: Plan, edit: Edit) -> bool:
    """Does a decision's row show this edit? Nobody decides weight_decay, for one."""
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
    return _row(f"{name} *", _short(name, value), f"by hand ({changes}). {decision.reason}")


def _short(name: str, value: Any) -> str:
    """A value in words; of an augmentation, what it does."""
    if name != "augmentation":
        return as_words(value)
    active = {key: item for key, item in value.items() if item not in (0, [1.0, 1.0])}
    return as_words(active) or "off"


def _change(key: str, edit: Edit) -> str:
    inner = edit.rule.removeprefix(key).lstrip(".")
    return f"{inner + ': ' if inner else ''}planned {as_words(edit.planned)}"


def _edit_row(edit: Edit) -> str:
    return _row(
        f"{edit.rule.partition('.')[2]} *",
        as_words(edit.value),
        f"by hand (planned {as_words(edit.planned)})",
    )


def _row(rule: str, value: str, reason: str) -> str:
    columns = [
        textwrap.wrap(text, width) or [""]
        for text, width in ((rule, _RULE), (value, _VALUE), (reason, _REASON))
    ]
    return "\n".join(
        f"{a:<{_RULE}}  {b:<{_VALUE}}  {c}".rstrip() for a, b, c in zip_longest(*columns, fillvalue="")
    )
