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


class Boxes(torch.nn.Module):
    """Says "level k + 1" in three boxes from top to bottom, whatever it is shown, and two other planes."""

    def forward(self, image):
        logits = torch.full((len(image), 5, *FRAME), -8.0)
        for level in range(3):
            logits[:, level, 4 + 20 * level : 16 + 20 * level, 20:40] = 8.0
        return logits


def levels_predictor(show):
    checkpoint, _ = checkpoint_of("unet")
    dataset = replace(
        checkpoint.model.dataset,
        labels={"background": 0, "C1": 1, "C2": 2, "C3": 3, "jaw": 4, "skull": 5},
        auxiliary=("jaw", "skull"),
        levels_of="spinous_process",
    )
    model = replace(checkpoint.model, dataset=dataset)
    return Predictor([Boxes()], model=model, device=torch.device("cpu"), precision="float32", show=show)


def test_levels_of_one_structure_are_shown_as_asked():
    """The structure as 1, its levels as 1 to 3, or the labels pixel by pixel; the same pixels each time."""
    image = np.zeros(FRAME, np.uint8)
    structure, levels, labels = (
        levels_predictor(show).predict(image) for show in ("structure", "levels", "labels")
    )
    assert levels_predictor("structure").labels == {"spinous_process": 1}
    assert levels_predictor("levels").labels == {"C1": 1, "C2": 2, "C3": 3, "level_unknown": 4}
    np.testing.assert_array_equal(levels.mask, labels.mask)
    np.testing.assert_array_equal(structure.mask, labels.mask > 0)
    assert [part.level for part in levels.parts] == [1, 2, 3]
    assert levels.probabilities.shape == (3, *FRAME)
    assert structure.probabilities.shape == (1, *FRAME)
    np.testing.assert_allclose(structure.probabilities[0, 5, 30], 1.0, atol=1e-3)


def test_other_labels_are_always_shown_as_they_are(tmp_path):
    """A model of one plain label has no levels to show."""
    checkpoint, _ = checkpoint_of("unet")
    write_checkpoint(tmp_path / "checkpoint_best.pt", checkpoint)
    for show in ("structure", "levels"):
        predictor = Predictor.from_files([tmp_path / "checkpoint_best.pt"], device="cpu", show=show)
        assert predictor.show == "labels"
        assert predictor.labels == {"process_1": 1}
