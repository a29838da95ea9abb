"""plans.json: written, read, and compared with what the rules decided."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

from cervseg.core.errors import PlanError
from cervseg.core.jsonio import read_dataclass, to_json, write_json
from cervseg.core.types import Configuration, Hyperparameters, Plan
from cervseg.planning.checks import check_plan
from cervseg.planning.planner import BY_HAND, CACHE, value_of


@dataclass(frozen=True, kw_only=True)
class Edit:
    """One value of a plan that is no longer the one that was decided."""

    rule: str
    value: Any
    planned: Any

    def __str__(self) -> str:
        return f"{self.rule}: {as_words(self.value)} by hand (planned {as_words(self.planned)})"


def write_plan(path: Path, plan: Plan) -> None:
    """Write a plan, whole or not at all.

    Raises:
        PlanError: the plan asks for something impossible.
    """
    check_plan(plan, where=str(path))
    write_json(path, plan)


def read_plan(path: Path) -> Plan:
    """Read and check a plan, edited by hand or not. What ``configurations`` says is what counts.

    Raises:
        PlanError: it is not there, not readable, or asks for something impossible.
    """
    if not path.is_file():
        raise PlanError("there is no plan", where=path, hint="Run cervseg_plan_and_preprocess first.")
    try:
        plan = read_dataclass(Plan, path, error=PlanError)
    except PlanError as problem:
        hint = f"{problem.hint} Mend the file, or run cervseg_plan_and_preprocess --replan.".strip()
        raise PlanError(problem.what, where=problem.where, hint=hint) from None
    check_plan(plan, where=str(path))
    return plan


def edited(plan: Plan) -> list[str]:
    """The values that were changed in the file after they were decided, one sentence each."""
    return [str(edit) for edit in find_edits(plan)]


def settings_by_hand(plan: Plan) -> list[str]:
    """The rules that were overruled when the plan was made (``--set``)."""
    return [rule for rule, decision in plan.decisions.items() if BY_HAND in decision.reason]


def find_edits(plan: Plan) -> list[Edit]:
    """The values that differ from their decisions; of networks and augmentations, the entries that differ."""
    edits = []
    if CACHE in plan.decisions and plan.decisions[CACHE].value != plan.cache_long_side_px:
        edits.append(Edit(rule=CACHE, value=plan.cache_long_side_px, planned=plan.decisions[CACHE].value))
    for configuration in plan.configurations.values():
        for name, planned in _planned_values(plan, configuration):
            edits += _differences(f"{configuration.name}.{name}", value_of(configuration, name), planned)
    return edits


def as_words(value: Any) -> str:
    """A value as tables and messages show it: "384 x 288", "0.8-1.25", "depth 6, num_heads 6"."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {as_words(item)}" for name, item in value.items())
    if isinstance(value, (list, tuple)):
        if len(value) == 2 and all(isinstance(item, float) for item in value):
            return f"{as_words(value[0])}-{as_words(value[1])}"
        if len(value) == 2:
            return f"{value[0]} x {value[1]}"
        return "[" + ",".join(as_words(item) for item in value) + "]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _planned_values(plan: Plan, configuration: Configuration) -> Iterator[tuple[str, Any]]:
    prefix = f"{configuration.name}."
    decided = {
        key.removeprefix(prefix): d.value for key, d in plan.decisions.items() if key.startswith(prefix)
    }
    # What no rule decides stands at its type's default.
    defaults = {f.name: f.default for f in fields(Hyperparameters) if f.default is not MISSING}
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
