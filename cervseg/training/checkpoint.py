"""Checkpoints: all that prediction needs, and all that going on needs; plain types and tensors only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from cervseg.core.errors import CheckpointError
from cervseg.core.jsonio import from_json, to_json
from cervseg.core.paths import atomic_path
from cervseg.core.types import Configuration, NetworkSpec, Plan, RunInfo
from cervseg.networks.lora import merged_state
from cervseg.networks.weights import FORMAT, read_checkpoint

MAY_CHANGE = ("epochs", "num_workers", "checkpoint_blocks")  # from one part of a run to the next


def model_content(
    *,
    trainer: str,
    plan: Plan,
    configuration: Configuration,
    spec: NetworkSpec,
    variant: str,
    fold: str,
    run: RunInfo,
    teacher: str = "",
) -> dict[str, Any]:
    """The part of a checkpoint that never changes during a run: what rebuilds the network and its input."""
    return {
        "format": FORMAT,
        "trainer": trainer,
        "network": {"name": spec.name, "arguments": to_json(spec.arguments)},
        "configuration": to_json(configuration),
        "dataset": to_json(plan.dataset),
        "cache_long_side_px": plan.cache_long_side_px,
        "variant": variant,
        "fold": fold,
        "teacher": teacher,
        "run": to_json(run),
    }


def save_best(
    path: Path, model: dict[str, Any], *, network: nn.Module, epoch: int, dice: float | None
) -> None:
    """Write a checkpoint for prediction: the weights that the network of the plan computes with."""
    _save(path, {**model, "state_dict": merged_state(network), "epoch": epoch, "dice": dice})


def save_latest(
    path: Path,
    model: dict[str, Any],
    *,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    progress: dict[str, Any],
    average: nn.Module | None = None,
) -> None:
    """Write a checkpoint to go on from; ``progress`` holds plain numbers only.

    ``average`` is that of the weights, where one is kept.
    """
    content = {"state_dict": network.state_dict(), "optimizer": optimizer.state_dict(), "progress": progress}
    if average is not None:
        content["average"] = average.state_dict()
    _save(path, {**model, **content, "epoch": progress["epoch"], "dice": progress["dice"]})


def restore(
    path: Path,
    model: dict[str, Any],
    *,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    average: nn.Module | None = None,
) -> dict[str, Any]:
    """Load a checkpoint into ``network``, ``optimizer`` and ``average``; returns its progress.

    A hyperparameter that the checkpoint does not know stood at its default.

    Raises:
        CheckpointError: the checkpoint is broken, or was made with other settings than ``model`` asks for.
    """
    content = read_checkpoint(path)
    changed = _difference(_constant(content), _constant(model))
    if changed:
        raise CheckpointError(
            f"was trained with another setting ({changed})",
            where=path,
            hint="Use the settings of before, or --restart to begin this fold anew.",
        )
    network.load_state_dict(content["state_dict"])
    optimizer.load_state_dict(content["optimizer"])
    if average is not None:
        average.load_state_dict(content["average"])
    return dict(content["progress"])


def _constant(content: dict[str, Any]) -> dict[str, Any]:
    """What a checkpoint says of its run that must stay the same, whole."""
    configuration = from_json(Configuration, content["configuration"], error=CheckpointError)
    plain = to_json(configuration)
    for name in MAY_CHANGE:
        del plain["hyperparameters"][name]
    return {
        "network": content["network"],
        "configuration": plain,
        "variant": content["variant"],
        "teacher": content.get("teacher", ""),
    }


def _difference(old: Any, new: Any, where: str = "") -> str:
    """The first place where two JSON values differ, as text; empty if they agree."""
    if isinstance(old, dict) and isinstance(new, dict):
        differences = (
            _difference(old.get(key), new.get(key), f"{where}.{key}") for key in sorted(set(old) | set(new))
        )
        return next(filter(None, differences), "")
    return "" if old == new else f"{where.lstrip('.')}: {old} before, {new} now"


def _save(path: Path, content: dict[str, Any]) -> None:
    with atomic_path(path) as temporary:
        torch.save(content, temporary)
