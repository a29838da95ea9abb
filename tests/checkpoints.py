"""Descriptions of models for checkpoints in tests."""

from __future__ import annotations

from typing import Any

from cervseg.core.types import (
    Augmentation,
    Configuration,
    DatasetDescription,
    Hyperparameters,
    NetworkSpec,
    RunInfo,
)
from cervseg.networks.checkpoint import ModelDescription

DATASET = DatasetDescription(
    name="Dataset001_Blobs",
    channel_names=("xray",),
    labels={"background": 0, "disc": 1},
    num_training=4,
    file_ending=".png",
)
CONFIGURATION = Configuration(
    name="test",
    input_size=(64, 64),
    resize="pad",
    normalization="zscore",
    network={},
    loss="bce",
    hyperparameters=Hyperparameters(epochs=1, batch_size=1, learning_rate=1e-3),
    augmentation=Augmentation(),
)


def described(network: NetworkSpec, **changes: Any) -> ModelDescription:
    """A description with this network; the other fields are small defaults."""
    fields: dict[str, Any] = {
        "trainer": "UNetTrainer",
        "network": network,
        "configuration": CONFIGURATION,
        "dataset": DATASET,
        "cache_long_side_px": 1024,
        "variant": "original",
        "fold": "0",
        "run": RunInfo(versions={}, seed=0, commit="", device="cpu", date=""),
    }
    return ModelDescription(**{**fields, **changes})
