"""A network, images and runs that are small enough to train in a test."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cervseg.core.folders import FoldFolder
from cervseg.core.types import Augmentation, Configuration, Hyperparameters, NetworkSpec
from cervseg.losses.compound import build_loss
from cervseg.networks.cervspine import CervSpineNet
from cervseg.networks.checkpoint import ModelDescription
from cervseg.preprocessing.store import FORMAT as STORE_FORMAT
from cervseg.preprocessing.store import CaseRecord, CaseStore
from cervseg.training.data import Batch, BatchPlan, FrameSource
from cervseg.training.distillation import Teacher
from cervseg.training.engine import FitResult, FoldRun, fit
from cervseg.training.freezing import parameter_groups
from cervseg.training.trainer import StepResult, Trainer
from tests.checkpoints import described
from tests.shapes import blob_image

SIDE = 32
SIZES: dict[str, Any] = {
    "input_size": (SIDE, SIDE),
    "embed_dim": 16,
    "depth": 2,
    "num_heads": 2,
    "global_attn_indexes": (1,),
    "window_size": 3,
    "patch_size": 8,
    "out_chans": 8,
    "decoder_widths": (8, 8, 8),
}
STILL = Augmentation(probability=0.0)
CPU = torch.device("cpu")


def tiny_network(*, seed: int = 0, depth: int = 2) -> CervSpineNet:
    """CervSpineNet with two blocks in two windows' worth of tokens."""
    torch.manual_seed(seed)
    return CervSpineNet(**{**SIZES, "depth": depth, "global_attn_indexes": (depth - 1,)})


def hyper(**changes: Any) -> Hyperparameters:
    """Two epochs of batches of two."""
    return replace(Hyperparameters(epochs=2, batch_size=2, learning_rate=1e-2), **changes)


def configuration(
    *, hyperparameters: Hyperparameters | None = None, augmentation: Augmentation = STILL, **changes: Any
) -> Configuration:
    """A frame of 32 x 32 px."""
    made = Configuration(
        name="test",
        input_size=(SIDE, SIDE),
        resize="pad",
        normalization="zscore",
        network={},
        loss="bce",
        hyperparameters=hyperparameters or hyper(),
        augmentation=augmentation,
    )
    return replace(made, **changes)


def blob_store(folder: Path, *, num: int, size: tuple[int, int] = (60, 48)) -> CaseStore:
    """A complete cache of images of one disc each, named c0, c1, ..."""
    store = CaseStore(folder=folder)
    for index in range(num):
        pixels, mask = blob_image(size, seed=index)
        record = CaseRecord(
            format=STORE_FORMAT,
            id=f"c{index}",
            group=f"c{index}",
            image_size=size,
            spacing_mm=None,
            spacing_source="",
            source="",
        )
        store.write(record, pixels=pixels[None], mask=mask)
    store.finish([f"c{index}" for index in range(num)])
    return store


def blob_batches(
    folder: Path, *, num: int, batch_size: int = 2, ranges: Augmentation | None = STILL, side: int = SIDE
) -> BatchPlan:
    """Shuffled batches of such images in a frame of ``side`` x ``side`` px."""
    frame = configuration(input_size=(side, side))
    source = FrameSource(blob_store(folder, num=num), configuration=frame, labels={"disc": 1})
    cases = [f"c{index}" for index in range(num)]
    return BatchPlan(source=source, cases=cases, batch_size=batch_size, num_workers=1, ranges=ranges)


def model_of(hyperparameters: Hyperparameters) -> ModelDescription:
    """The constant part of a checkpoint."""
    spec = NetworkSpec(name="n", arguments={"width": 3})
    return described(spec, configuration=configuration(hyperparameters=hyperparameters))


def run(
    network: nn.Module,
    batches: BatchPlan,
    folder: Path,
    *,
    hyperparameters: Hyperparameters,
    trainer: Trainer | None = None,
    optimizer: torch.optim.Optimizer | None = None,
    validation: BatchPlan | None = None,
    teacher: Teacher | None = None,
    feature_bytes: int = 0,
    **options: Any,
) -> FitResult:
    """Train in ``folder``, or resume from its checkpoint; ``options`` are those of ``fit``."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = FoldRun(
        trainer=trainer or Trainer(),
        network=network,
        loss=build_loss("bce_dice"),
        optimizer=optimizer or torch.optim.AdamW(parameter_groups(network, hyperparameters)),
        training=batches,
        validation=validation,
        model=model_of(hyperparameters),
        folder=FoldFolder(folder),
        device=CPU,
        teacher=teacher,
        feature_bytes=feature_bytes,
    )
    return fit(parts, **options)


class InterruptedTrainer(Trainer):
    """Receives SIGINT during its batch number ``num_batches``; each batch takes ``pause_s`` longer."""

    def __init__(self, *, num_batches: int, pause_s: float = 0.0) -> None:
        self.left, self.pause_s = num_batches, pause_s

    def step(self, network: nn.Module, loss: nn.Module, batch: Batch) -> StepResult:
        """The base's, with a signal to this process when it is time."""
        self.left -= 1
        time.sleep(self.pause_s)
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGINT)
        return super().step(network, loss, batch)


def state_of(network: nn.Module) -> Mapping[str, torch.Tensor]:
    """A copy of the network's state."""
    return {name: value.clone() for name, value in network.state_dict().items()}
