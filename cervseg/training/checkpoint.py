"""Save and restore the training of a fold: one checkpoint for prediction, one to resume from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.amp.grad_scaler import GradScaler

from cervseg.core.errors import CheckpointError
from cervseg.core.jsonio import to_json
from cervseg.networks.checkpoint import (
    Checkpoint,
    ModelDescription,
    Progress,
    TrainingState,
    read_checkpoint,
    write_checkpoint,
)
from cervseg.networks.lora import merged_state
from cervseg.training.random_state import random_state

CPU = torch.device("cpu")
MAY_CHANGE = ("epochs", "num_workers", "checkpoint_blocks")  # hyperparameters that a resumed run may change


def save_best(
    path: Path, model: ModelDescription, *, network: nn.Module, epoch: int, dice: float | None
) -> None:
    """Write a checkpoint for prediction; low-rank updates are merged into the weights.

    Args:
        path: the file.
        model: what the network is.
        network: its weights are written.
        epoch: the epoch of the weights, from 0.
        dice: their validation Dice; None if there is no validation.
    """
    state = merged_state(network)
    write_checkpoint(path, Checkpoint(model=model, state_dict=state, epoch=epoch, dice=dice))


def save_latest(
    path: Path,
    model: ModelDescription,
    *,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    progress: Progress,
    scaler: GradScaler | None = None,
    average: nn.Module | None = None,
    device: torch.device = CPU,
) -> None:
    """Write a checkpoint to resume from, with the state of the random generators.

    Args:
        path: the file.
        model: what the network is.
        network: the network in training.
        optimizer: its optimizer.
        progress: how far the training is.
        scaler: of the loss.
        average: of the weights, where one is kept.
        device: the device that the network trains on; the state of its random generator is kept.
    """
    state = TrainingState(
        progress=progress,
        optimizer=optimizer.state_dict(),
        scaler={} if scaler is None else scaler.state_dict(),
        average=None if average is None else average.state_dict(),
        random=random_state(device),
    )
    write_checkpoint(
        path,
        Checkpoint(
            model=model,
            state_dict=network.state_dict(),
            epoch=progress.epoch,
            dice=progress.dice,
            training=state,
        ),
    )


def restore(
    path: Path,
    model: ModelDescription,
    *,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    scaler: GradScaler | None = None,
    average: nn.Module | None = None,
) -> TrainingState:
    """Load a checkpoint into the parts of a training.

    A hyperparameter that the checkpoint does not have counts as its default.

    Args:
        path: the file.
        model: what is trained now.
        network: its weights are replaced.
        optimizer: its state is replaced.
        scaler: its state is replaced.
        average: of the weights, where one is kept; its state is replaced.

    Returns:
        The state of the training. The random generators are not set yet.

    Raises:
        CheckpointError: the checkpoint is broken, holds weights only, or was trained with other settings.
    """
    checkpoint = read_checkpoint(path)
    state = checkpoint.training
    if state is None:
        raise CheckpointError(
            "weights only, training cannot resume from them", where=path, hint="Use --restart"
        )
    changed = _difference(_constant(checkpoint.model), _constant(model))
    if changed:
        raise CheckpointError(
            f"trained with another setting ({changed})",
            where=path,
            hint="Use the same settings as before, or --restart to retrain this fold",
        )
    network.load_state_dict(checkpoint.state_dict)
    optimizer.load_state_dict(dict(state.optimizer))
    if average is not None and state.average is not None:
        average.load_state_dict(state.average)
    if scaler is not None and state.scaler:
        scaler.load_state_dict(dict(state.scaler))
    return state


def _constant(model: ModelDescription) -> dict[str, Any]:
    """The settings that must stay the same during a training, as JSON types."""
    configuration = to_json(model.configuration)
    for name in MAY_CHANGE:
        del configuration["hyperparameters"][name]
    return {
        "network": to_json(model.network),
        "configuration": configuration,
        "variant": model.variant,
        "teacher": model.teacher,
    }


def _difference(old: Any, new: Any, where: str = "") -> str:
    """Name the first place where two JSON values differ; empty if they are equal."""
    if isinstance(old, dict) and isinstance(new, dict):
        differences = (
            _difference(old.get(key), new.get(key), f"{where}.{key}") for key in sorted(set(old) | set(new))
        )
        return next(filter(None, differences), "")
    return "" if old == new else f"{where.lstrip('.')}: {old} before, {new} now"
