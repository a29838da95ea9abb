"""Checkpoint files: a trained network, and the state from which an interrupted training resumes.

A file contains only plain types and tensors, so ``torch.load(weights_only=True)`` can read it. Opening a
checkpoint never executes code.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn
from torch.overrides import TorchFunctionMode

from cervseg.core.atomic import atomic_path
from cervseg.core.errors import CheckpointError, PluginError, one_line
from cervseg.core.jsonio import from_json, to_json
from cervseg.core.types import Configuration, DatasetDescription, NetworkSpec, RunInfo
from cervseg.networks.base import build_network

# Version of the file format. cervseg 0.1 wrote version 1: no random state, the scaler within the progress.
FORMAT = 2
SHARED_SUFFIX = ".safetensors"
_HEADER = "cervseg"  # key of the metadata of a shared model


@dataclass(frozen=True, kw_only=True)
class ModelDescription:
    """Description from which a network and its input are rebuilt; constant during training.

    Args:
        trainer: name of the trainer.
        network: name and arguments of the network.
        configuration: the configuration of the plan.
        dataset: the dataset's description.
        cache_long_side_px: long side of the cached images in px.
        variant: name of the preprocessed variant.
        fold: name of the fold.
        run: provenance of the training run.
        teacher: the model that is distilled; empty if there is none.
    """

    trainer: str
    network: NetworkSpec
    configuration: Configuration
    dataset: DatasetDescription
    cache_long_side_px: int
    variant: str
    fold: str
    run: RunInfo
    teacher: str = ""


@dataclass(kw_only=True)
class Progress:
    """Progress of the training of a fold.

    Args:
        epoch: number of completed epochs.
        batch: number of completed batches in the current epoch.
        elapsed_s: training time in seconds, summed over all runs.
        dice: the best validation Dice so far; None if no validation image has a label.
        best_epoch: the epoch of the best checkpoint, from 0; -1 before the first validation.
        sums: loss term -> its sum over the batches of the current epoch.
    """

    epoch: int = 0
    batch: int = 0
    elapsed_s: float = 0.0
    dice: float | None = None
    best_epoch: int = -1
    sums: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class RandomState:
    """States of torch's random number generators, uint8.

    Args:
        cpu: state of the CPU's generator.
        device: state of the device's generator; None on a CPU.
        device_type: type of the device.
    """

    cpu: torch.Tensor
    device: torch.Tensor | None = None
    device_type: str = "cpu"


@dataclass(frozen=True, kw_only=True)
class TrainingState:
    """State from which a training resumes, besides the weights.

    Args:
        progress: epoch, batch and best Dice.
        optimizer: state of the optimizer.
        scaler: state of the loss scaler; empty if losses are not scaled.
        average: average of the weights; None if none is kept.
        random: states of the random number generators; None in files of format 1.
    """

    progress: Progress
    optimizer: Mapping[str, Any]
    scaler: Mapping[str, Any] = field(default_factory=dict)
    average: Mapping[str, Any] | None = None
    random: RandomState | None = None


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """Content of a checkpoint file.

    Args:
        model: description of the network.
        state_dict: weights, on the CPU.
        epoch: the epoch of the weights, from 0; in the latest checkpoint the number of completed epochs.
        dice: the best validation Dice; None if there is none.
        training: state from which training resumes; None in a checkpoint for prediction.
        format: format of the file that was read.
    """

    model: ModelDescription
    state_dict: Mapping[str, torch.Tensor]
    epoch: int
    dice: float | None
    training: TrainingState | None = None
    format: int = FORMAT


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a cervseg checkpoint of the current or an older format, or a shared model (.safetensors).

    Args:
        path: a checkpoint file.

    Raises:
        CheckpointError: the file is missing, truncated, not a checkpoint, of a newer format or contains code.
    """
    if path.suffix == SHARED_SUFFIX:
        return read_shared(path)
    content = load_tensors(path)
    if "format" not in content or "state_dict" not in content:
        raise CheckpointError("not a cervseg checkpoint", where=path, hint="Name a checkpoint_best.pt")
    if content["format"] not in (1, FORMAT):
        raise CheckpointError(
            f"checkpoint format {content['format']!r}, this version reads 1 to {FORMAT}",
            where=path,
            hint="Use the version of cervseg that wrote it, or retrain",
        )
    if content["format"] == 1:
        content = _from_format_1(content)
    model = from_json(ModelDescription, content.get("model"), where=str(path), error=CheckpointError)
    try:
        state = content.get("training")
        return Checkpoint(
            model=model,
            state_dict=content["state_dict"],
            epoch=int(content["epoch"]),
            dice=content["dice"],
            training=None if state is None else _training_state(state),
            format=content["format"],
        )
    except (KeyError, TypeError) as problem:
        raise CheckpointError(*_BROKEN, where=path, hint=_REPLACE) from problem


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint atomically: to a temporary file that is then renamed.

    Args:
        path: the file to write.
        checkpoint: its content.
    """
    content: dict[str, Any] = {
        "format": FORMAT,
        "model": to_json(checkpoint.model),
        "state_dict": checkpoint.state_dict,
        "epoch": checkpoint.epoch,
        "dice": checkpoint.dice,
    }
    state = checkpoint.training
    if state is not None:
        content["training"] = {**vars(state), "progress": dict(vars(state.progress))}
        if state.random is not None:
            content["training"]["random"] = dict(vars(state.random))
    with atomic_path(path) as temporary:
        torch.save(content, temporary)


def write_shared(path: Path, checkpoint: Checkpoint) -> None:
    """Write a model for sharing: safetensors, weights in float16, the description in the metadata.

    Batch statistics and other tensors of less than two axes stay in float32: variances may leave the range of
    float16, and they are small.

    Args:
        path: the file to write, ending in .safetensors.
        checkpoint: the model; its training state is left out.
    """
    tensors = {
        name: (value.half() if value.is_floating_point() and value.ndim > 1 else value).contiguous()
        for name, value in checkpoint.state_dict.items()
    }
    header = {"format": FORMAT, "model": to_json(checkpoint.model), "epoch": checkpoint.epoch}
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata={_HEADER: json.dumps({**header, "dice": checkpoint.dice})})


def read_shared(path: Path) -> Checkpoint:
    """Read a shared model; its weights become float32.

    Args:
        path: a file of :func:`write_shared`.

    Raises:
        CheckpointError: the file is missing, truncated, of a newer format or not a cervseg model.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {}).get(_HEADER, "null"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # not a mapping
    except FileNotFoundError as problem:
        raise CheckpointError("no such file", where=path) from problem
    except (SafetensorError, OSError, ValueError) as problem:
        raise CheckpointError(*_BROKEN, where=path, hint=_REPLACE) from problem
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise CheckpointError(
            "not a cervseg model of this version", where=path, hint="Use the version of cervseg that wrote it"
        )
    return Checkpoint(
        model=from_json(ModelDescription, header.get("model"), where=str(path), error=CheckpointError),
        state_dict={
            name: value.float() if value.dtype == torch.float16 else value for name, value in tensors.items()
        },
        epoch=int(header.get("epoch", 0)),
        dice=header.get("dice"),
    )


def without_weights(checkpoint: Checkpoint) -> Checkpoint:
    """Return a checkpoint without its tensors, to free their memory.

    Args:
        checkpoint: the checkpoint; it is not changed.
    """
    return replace(checkpoint, state_dict={}, training=None)


def network_from_checkpoint(checkpoint: Checkpoint) -> nn.Module:
    """Build the network of a checkpoint with its trained weights, in evaluation mode, on the CPU.

    Args:
        checkpoint: the content of a checkpoint file.

    Raises:
        CheckpointError: the weights do not fit the network that the checkpoint describes.
    """
    try:
        with _NoRandomWeights():
            network = build_network(checkpoint.model.network)
        network.load_state_dict(checkpoint.state_dict)
    except (KeyError, TypeError, AttributeError, RuntimeError) as problem:
        raise CheckpointError(
            f"the checkpoint's weights do not fit its network ({one_line(problem)})",
            hint="Use the version of cervseg, and of the network's plug-in, that wrote it",
        ) from problem
    except PluginError as problem:
        raise CheckpointError(f"the checkpoint's network: {problem.what}", hint=problem.hint) from problem
    return network.eval()


def load_tensors(path: Path) -> dict[str, Any]:
    """Read a file of named tensors and plain values to the CPU, without executing code.

    Args:
        path: a checkpoint file.

    Returns:
        Name -> tensor or plain value.

    Raises:
        CheckpointError: the file is missing, truncated, not a checkpoint or contains code.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as problem:
        raise CheckpointError("no such file", where=path) from problem
    except pickle.UnpicklingError as problem:
        if "global" in str(problem).lower() or "unsupported" in str(problem).lower():
            raise CheckpointError(
                "not opened: the file contains more than tensors and plain values",
                where=path,
                hint="It could run code: use only checkpoints written by cervseg or SAM's authors",
            ) from None
        raise CheckpointError(*_BROKEN, where=path, hint=_REPLACE) from problem
    except OSError as problem:
        raise CheckpointError(
            f"the file cannot be read ({problem.strerror or problem})", where=path
        ) from problem
    except Exception as problem:  # torch passes on every exception of its unpickler
        raise CheckpointError(*_BROKEN, where=path, hint=_REPLACE) from problem
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise CheckpointError("not a checkpoint", where=path, hint="Name a checkpoint_best.pt")
    return content


_BROKEN = ("truncated or not a checkpoint",)
_REPLACE = "Copy or download it again"


class _NoRandomWeights(TorchFunctionMode):
    """Initialize parameters with 0 instead of random values, because a checkpoint is loaded next.

    Drawing 46 million random weights takes longer than predicting an image with them. Only parameters are
    skipped. Initializers that redraw until a condition holds (truncated normal) draw into other tensors.
    """

    _DRAWS = frozenset(
        (
            torch.Tensor.normal_,
            torch.Tensor.uniform_,
            # torch passes these functions to the mode, not the functions that they call.
            nn.init.kaiming_normal_,
            nn.init.kaiming_uniform_,
            nn.init.normal_,
            nn.init.uniform_,
        )
    )

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = kwargs or {}
        if func in self._DRAWS and isinstance(tensor := args[0] if args else given["tensor"], nn.Parameter):
            with torch.no_grad():
                return tensor.zero_()
        return func(*args, **given)


def _training_state(content: Mapping[str, Any]) -> TrainingState:
    random = content["random"]
    return TrainingState(
        progress=Progress(**content["progress"]),
        optimizer=content["optimizer"],
        scaler=content["scaler"],
        average=content["average"],
        random=None if random is None else RandomState(**random),
    )


def _from_format_1(content: Mapping[str, Any]) -> dict[str, Any]:
    """Convert the content of a file of cervseg 0.1 to format 2."""
    names = ("trainer", "network", "configuration", "dataset", "cache_long_side_px", "variant", "fold", "run")
    model = {name: content[name] for name in (*names, "teacher") if name in content}
    run = dict(model.get("run", {}))
    sources = run.get("started_from", {}).items()
    run["started_from"] = {part: None if source == "random weights" else source for part, source in sources}
    model["run"] = run
    upgraded = {"format": 1, "model": model}
    upgraded |= {name: content[name] for name in ("state_dict", "epoch", "dice") if name in content}
    if "optimizer" in content:
        progress = dict(content["progress"])
        upgraded["training"] = {
            "scaler": progress.pop("scaler", {}),
            "progress": progress,
            "optimizer": content["optimizer"],
            "average": content.get("average"),
            "random": None,
        }
    return upgraded
