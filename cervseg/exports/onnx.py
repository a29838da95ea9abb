"""A model as one ONNX file, compared with its networks.

The file maps one prepared image (float32, 1 x C x H x W: shrunk, placed in the network frame and normalized
as its metadata say) to ``probabilities``, the mean over the folds, 1 x L x H x W. Auxiliary labels, which
the metadata name, have the last planes: a pixel whose most probable label is auxiliary is background, see
:func:`cervseg.postprocessing.threshold.to_mask`. A promptable model also takes ``points``, N x 2 float32
(x, y) in px of the frame, and returns N x H x W, one mask per point.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import nn

from cervseg.core.atomic import atomic_path
from cervseg.core.errors import CervsegError, one_line
from cervseg.core.notice import NOTICE
from cervseg.networks.checkpoint import ModelDescription, network_from_checkpoint, read_checkpoint

METADATA = "cervseg"  # key of the settings that prepare an image
TOLERANCE = 1e-3  # of a probability
NUM_POINTS = 3  # in the image that checks an export


@dataclass(frozen=True, kw_only=True)
class OnnxExport:
    """The shapes of the inputs by name, and the largest difference between ONNX Runtime and the networks."""

    inputs: dict[str, tuple[int | str, ...]]
    difference: float


def export_onnx(checkpoints: Sequence[Path], target: Path) -> OnnxExport:
    """Write the mean of the networks of one model, and compare one result with theirs.

    Args:
        checkpoints: ``checkpoint_best.pt`` of one or more folds.
        target: the file; it is renamed to this name after the check.

    Raises:
        CervsegError: the packages of the extra ``onnx`` are missing, the network cannot be written in ONNX,
            or ONNX Runtime computes something else from the file. CheckpointError: a checkpoint is broken.
    """
    runtime = _runtime()
    read = [read_checkpoint(path) for path in checkpoints]
    networks, described = [network_from_checkpoint(checkpoint) for checkpoint in read], read[-1].model
    takes_points = any(getattr(network, "takes_points", False) for network in networks)
    model = (_MeanOfPoints if takes_points else _Mean)(networks)
    height, width = described.configuration.input_size
    channels = len(described.dataset.channel_names)
    random = torch.Generator().manual_seed(0)
    inputs = {"image": torch.randn(1, channels, height, width, generator=random)}
    if takes_points:
        inputs["points"] = torch.rand(NUM_POINTS, 2, generator=random) * torch.tensor([width, height])
    with atomic_path(target) as temporary:
        _write(model, inputs, temporary, metadata=_metadata(described, num_folds=len(networks)))
        session = runtime.InferenceSession(str(temporary), providers=["CPUExecutionProvider"])
        found = session.run(None, {name: value.numpy() for name, value in inputs.items()})[0]
        with torch.no_grad():
            difference = float(np.abs(found - model(**inputs).numpy()).max())
        if not difference <= TOLERANCE:
            raise CervsegError(
                f"ONNX Runtime's probabilities differ by {difference:.1g}",
                where=target,
                hint="try other versions of torch and onnxruntime",
            )
    shapes = {entry.name: tuple(entry.shape) for entry in session.get_inputs()}
    return OnnxExport(inputs=shapes, difference=difference)


class _Mean(nn.Module):
    """The mean probability of some networks, 1 x L x H x W."""

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        each = [network(image).float().sigmoid() for network in self.networks]
        return torch.stack(each).mean(0)


class _MeanOfPoints(_Mean):
    """The mean probability of some promptable networks, N x H x W, one mask per point."""

    def forward(self, image: torch.Tensor, points: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        each = []
        for network in self.networks:
            feature_NCHW = network.features(image).expand(points.shape[0], -1, -1, -1)  # type: ignore[operator]
            each.append(network.masks(feature_NCHW, points).float().sigmoid())  # type: ignore[operator]
        return torch.stack(each).mean(0)


def _write(
    model: nn.Module, inputs: dict[str, torch.Tensor], target: Path, *, metadata: dict[str, str]
) -> None:
    dynamic: dict[str, Any] = dict.fromkeys(inputs)
    if "points" in inputs:
        dynamic["points"] = {0: torch.export.Dim("num_points", min=1)}
    try:
        with _quiet(), torch.no_grad():
            program = torch.onnx.export(
                model.eval(),
                args=(),
                kwargs=inputs,
                dynamo=True,
                dynamic_shapes=dynamic,
                input_names=list(inputs),
                output_names=["probabilities"],
                verbose=False,
            )
            assert program is not None
            program.model.metadata_props.update(metadata)
            program.save(str(target), external_data=False)
    except Exception as problem:  # torch's exporter raises errors of many types
        raise CervsegError(
            f"this network cannot be written in ONNX ({one_line(problem)})",
            hint="the network must not branch on values of tensors",
        ) from problem


def _metadata(model: ModelDescription, *, num_folds: int) -> dict[str, str]:
    """Describe the file for its readers, as JSON."""
    configuration = model.configuration
    about = {
        "trainer": model.trainer,
        "network": model.network.name,
        "labels": model.dataset.labels,
        "auxiliary": model.dataset.auxiliary,
        "channel_names": model.dataset.channel_names,
        "input_size": configuration.input_size,
        "resize": configuration.resize,
        "crop": configuration.crop,
        "normalization": configuration.normalization,
        "variant": model.variant,
        "num_folds": num_folds,
        "threshold": 0.5,
        "notice": NOTICE,
    }
    return {METADATA: json.dumps(about)}


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence torch's exporter."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _runtime() -> ModuleType:
    try:
        import onnxruntime
        import onnxscript  # noqa: F401
    except ImportError as problem:
        raise CervsegError(
            f"ONNX needs {problem.name}, which is not installed", hint="pip install 'cervseg[onnx]'"
        ) from problem
    runtime: ModuleType = onnxruntime
    return runtime
