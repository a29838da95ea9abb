"""The predictor's weights: rounded once, as autocast would round them for every image."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from cervseg.core.types import Augmentation, Configuration, DatasetDescription, Hyperparameters, NetworkSpec
from cervseg.inference.predictor import Predictor
from cervseg.networks.base import build_network
from cervseg.networks.checkpoint import Checkpoint, write_checkpoint
from tests.checkpoints import described
from tests.shapes import disc_image

FRAME = (64, 64)
VIT = {"embed_dim": 16, "depth": 2, "num_heads": 2, "global_attn_indexes": [1], "window_size": 3}
NETWORKS = {
    "unet": {"features": 8, "num_levels": 2, "norm": "instance"},
    "cervspinenet": {**VIT, "patch_size": 8, "out_chans": 8, "decoder_widths": [8, 8, 8]},
}


def checkpoint_of(name, *, num_labels=1):
    """A checkpoint of a small network with random weights, and the network."""
    spec = NetworkSpec(
        name=name, arguments={"input_size": list(FRAME), "num_labels": num_labels, **NETWORKS[name]}
    )
    torch.manual_seed(0)
    network = build_network(spec)
    description = DatasetDescription(
        name="D",
        channel_names=("xray",),
        labels={"background": 0, **{f"process_{number}": number for number in range(1, num_labels + 1)}},
        num_training=1,
        file_ending=".png",
    )
    configuration = Configuration(
        name="2d",
        input_size=FRAME,
        resize="pad",
        normalization="zscore",
        network={},
        loss="bce",
        hyperparameters=Hyperparameters(epochs=1, batch_size=1, learning_rate=1e-3),
        augmentation=Augmentation(),
    )
    model = described(spec, dataset=description, configuration=configuration)
    return Checkpoint(model=model, state_dict=network.state_dict(), epoch=0, dice=None), network


@pytest.mark.parametrize("name", NETWORKS)
def test_rounding_weights_once_changes_nothing(name, tmp_path):
    """bfloat16 from a file answers bit for bit like the same network under autocast, at half the memory."""
    checkpoint, network = checkpoint_of(name)
    write_checkpoint(tmp_path / "checkpoint_best.pt", checkpoint)
    loaded = Predictor.from_files([tmp_path / "checkpoint_best.pt"], device="cpu", precision="bfloat16")
    as_made = copy.deepcopy(network).eval().to(memory_format=torch.channels_last)
    plain = Predictor([as_made], model=checkpoint.model, device=torch.device("cpu"), precision="bfloat16")
    image, _ = disc_image((80, 60), [(30.0, 40.0, 1)])
    np.testing.assert_array_equal(loaded.predict(image).probabilities, plain.predict(image).probabilities)
    sizes = [sum(p.nbytes for p in predictor.networks[0].parameters()) for predictor in (loaded, plain)]
    assert sizes[0] < 0.75 * sizes[1]


def test_float32_keeps_every_bit(tmp_path):
    """No weight is rounded where nobody asked for it."""
    checkpoint, network = checkpoint_of("cervspinenet")
    write_checkpoint(tmp_path / "checkpoint_best.pt", checkpoint)
    loaded = Predictor.from_files([tmp_path / "checkpoint_best.pt"], device="cpu", precision="float32")
    for name, value in network.state_dict().items():
        assert torch.equal(loaded.networks[0].state_dict()[name], value)


def test_auxiliary_labels_compete_and_are_not_shown():
    """The mask is that of three labels with the auxiliary ones erased; probabilities have the shown plane."""
    checkpoint, network = checkpoint_of("unet", num_labels=3)
    dataset = checkpoint.model.dataset
    hidden = replace(checkpoint.model, dataset=replace(dataset, auxiliary=tuple(dataset.trained)[1:]))
    image, _ = disc_image((80, 60), [(30.0, 40.0, 1)])
    for tta in (False, True):
        every, shown = (
            Predictor([network.eval()], model=model, device=torch.device("cpu"), precision="float32").predict(
                image, tta=tta
            )
            for model in (checkpoint.model, hidden)
        )
        assert {1, 2} <= set(np.unique(every.mask)), "the random network must find shown and hidden labels"
        np.testing.assert_array_equal(shown.mask, np.where(every.mask == 1, 1, 0))
        np.testing.assert_array_equal(shown.probabilities, every.probabilities[:1])
