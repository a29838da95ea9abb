"""Which trainer to start with."""

from __future__ import annotations

from dataclasses import dataclass

from cervseg.core.types import Plan

FEW_CASES = 1000  # a network from scratch needs more, by experience


@dataclass(frozen=True, kw_only=True)
class Recommendation:
    """A trainer by name, and why, without a full stop."""

    trainer: str
    reason: str


def recommend(plan: Plan) -> Recommendation:
    """Recommend the trainer to start with.

    Args:
        plan: of the dataset, for its machine.
    """
    cases = f"{plan.fingerprint.num_cases} cases"
    if plan.preset == "paper":
        return Recommendation(trainer="CervSpineNetTrainer", reason='the network of the preset "paper"')
    if plan.fingerprint.num_cases < FEW_CASES:
        reason = f"{cases} are few; it starts from the shipped model"
        return Recommendation(trainer="LiteUNetTrainer", reason=reason)
    if plan.hardware.accelerator == "cpu":
        reason = f"{cases} on a CPU; it costs least per pixel"
        return Recommendation(trainer="LiteUNetTrainer", reason=reason)
    reason = f"{cases} and a GPU suffice for nnU-Net's network from random weights"
    return Recommendation(trainer="DynUNetTrainer", reason=reason)
