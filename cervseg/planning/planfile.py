"""Reading and writing of plans.json, and the values that were edited in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

from cervseg.core.errors import PlanError
from cervseg.core.jsonio import from_json, read_json, to_json, write_json
from cervseg.core.types import Augmentation, Configuration, Hyperparameters, Plan
from cervseg.planning.checks import check_plan
from cervseg.planning.planner import CACHE, value_of


@dataclass(frozen=True, kw_only=True)
class Edit:
    """One value of a plan that was changed after planning."""

    rule: str
    value: Any
    planned: Any

    def __str__(self) -> str:
        return f"{self.rule}: {as_words(self.value)} (planned: {as_words(self.planned)})"


def write_plan(path: Path, plan: Plan) -> None:
    """Check a plan and write it, completely or not at all.

    Args:
        path: the file, plans.json.
        plan: the plan.

    Raises:
        PlanError: a value of the plan is invalid.
    """
    check_plan(plan, where=str(path))
    write_json(path, plan)


def read_plan(path: Path) -> Plan:
    """Read and check a plan; it may have been edited. Trainers use ``configurations``, not ``decisions``.

    Args:
        path: the file, plans.json.

    Raises:
        PlanError: the file is missing or unreadable, or a value is invalid.
    """
    if not path.is_file():
        raise PlanError("the plan is missing", where=path, hint="Run cervseg_plan_and_preprocess first.")
    try:
        content = _with_origins(read_json(path, error=PlanError))
        plan = from_json(Plan, content, where=str(path), error=PlanError)
    except PlanError as problem:
        hint = f"{problem.hint} Correct the file, or run cervseg_plan_and_preprocess --replan.".strip()
        raise PlanError(problem.what, where=problem.where, hint=hint) from None
    check_plan(plan, where=str(path))
    return plan


def edited(plan: Plan) -> list[str]:
    """List the values that were edited in the file after planning, one phrase each."""
    return [str(edit) for edit in find_edits(plan)]


def user_settings(plan: Plan) -> list[str]:
    """List the decisions that the user made, in whole or in part, when the plan was made (``--set``)."""
    return [rule for rule, decision in plan.decisions.items() if decision.origin != "rule"]


def find_edits(plan: Plan) -> list[Edit]:
    """List the values that differ from their decisions; for networks and augmentations, the entries."""
    edits = []
    if CACHE in plan.decisions and plan.decisions[CACHE].value != plan.cache_long_side_px:
        edits.append(Edit(rule=CACHE, value=plan.cache_long_side_px, planned=plan.decisions[CACHE].value))
    for configuration in plan.configurations.values():
        for name, planned in _planned_values(plan, configuration):
            edits += _differences(f"{configuration.name}.{name}", value_of(configuration, name), planned)
    return edits


def as_words(value: Any) -> str:
    """Format a value for tables and messages: "384 x 288", "0.8-1.25", "depth 6, num_heads 6"."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {as_words(item)}" for name, item in value.items())
    if isinstance(value, (list, tuple)):
        if len(value) == 2 and all(isinstance(item, float) for item in value):
            return f"{as_words(value[0])}-{as_words(value[1])}"
        if len(value) == 2:
            return f"{value[0]} x {value[1]}"
        return "[" + ",".join(as_words(item) for item in value) + "]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _with_origins(content: Any) -> Any:
    """Add the origin to the decisions of a plan of version 0.1, which named it in the reason only."""
    decisions = content.get("decisions") if isinstance(content, dict) else None
    for decision in decisions.values() if isinstance(decisions, dict) else ():
        if isinstance(decision, dict) and "origin" not in decision:
            reason = str(decision.get("reason", ""))
            is_mixed = " set by hand; otherwise: " in reason
            decision["origin"] = "mixed" if is_mixed else "user" if reason == "set by hand" else "rule"
    return content


def _planned_values(plan: Plan, configuration: Configuration) -> Iterator[tuple[str, Any]]:
    prefix = f"{configuration.name}."
    decided = {
        key.removeprefix(prefix): d.value for key, d in plan.decisions.items() if key.startswith(prefix)
    }
    # Settings without a rule have their type's default.
    defaults = {f.name: f.default for f in fields(Hyperparameters) if f.default is not MISSING}
    if isinstance(decided.get("augmentation"), dict):  # plans of earlier versions lack the later ranges
        decided["augmentation"] = {**to_json(Augmentation()), **decided["augmentation"]}
    for name, planned in {**defaults, **decided}.items():
        if hasattr(configuration, name) or hasattr(configuration.hyperparameters, name):
            yield name, planned


def _differences(rule: str, value: Any, planned: Any) -> list[Edit]:
    value, planned = to_json(value), to_json(planned)
    if value == planned:
        return []
    if isinstance(value, dict) and isinstance(planned, dict):
        return [
            Edit(
                rule=f"{rule}.{name}", value=value.get(name, "nothing"), planned=planned.get(name, "nothing")
            )
            for name in {**planned, **value}
            if value.get(name) != planned.get(name)
        ]
    return [Edit(rule=rule, value=value, planned=planned)]
