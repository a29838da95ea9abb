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
from cervseg.networks.weights import FORMAT, read_checkpoint

BEST, LATEST = "checkpoint_best.pt", "checkpoint_latest.pt"


def model_content(
    *,
    trainer: str,
    plan: Plan,
    configuration: Configuration,
    spec: NetworkSpec,
    variant: str,
    fold: str,
    run: RunInfo,
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
        "run": to_json(run),
    }


def save_best(
    path: Path, model: dict[str, Any], *, network: nn.Module, epoch: int, dice: float | None
) -> None:
    """Write a checkpoint for prediction."""
    _save(path, {**model, "state_dict": network.state_dict(), "epoch": epoch, "dice": dice})


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


def resume(
    path: Path,
    model: dict[str, Any],
    *,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    average: nn.Module | None = None,
) -> dict[str, Any]:
    """Load a checkpoint into ``network``, ``optimizer`` and ``average``; returns its progress.

    Raises:
        CheckpointError: the checkpoint is broken, or was made with other settings than ``model`` asks for.
    """
    content = read_checkpoint(path)
    for part in ("network", "configuration", "variant"):
        changed = _difference(content[part], model[part], part)
        if changed and not changed.startswith(
            ("configuration.hyperparameters.epochs", "configuration.hyperparameters.num_workers")
        ):
            raise CheckpointError(
                f"was trained with another setting ({changed})",
                where=path,
                mend="Use the settings of before, or --restart to begin this fold anew.",
            )
    network.load_state_dict(content["state_dict"])
    optimizer.load_state_dict(content["optimizer"])
    if average is not None:
        average.load_state_dict(content["average"])
    return dict(content["progress"])


def checkpoint_configuration(content: dict[str, Any]) -> Configuration:
    """The configuration that a checkpoint was trained with."""
    return from_json(Configuration, content["configuration"], error=CheckpointError)


def _difference(old: Any, new: Any, where: str) -> str:
    """The first place where two JSON values differ, as text; empty if they agree."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(set(old) | set(new)):
            found = _difference(old.get(key), new.get(key), f"{where}.{key}")
            if found and "hyperparameters.epochs" not in found and "hyperparameters.num_workers" not in found:
                return found
        return ""
    return "" if old == new else f"{where}: {old} before, {new} now"


def _save(path: Path, content: dict[str, Any]) -> None:
    with atomic_path(path) as temporary:
        torch.save(content, temporary)
