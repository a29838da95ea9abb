"""DeepLabV3PlusTrainer."""

from __future__ import annotations

import pytest
import torch

from cervseg.core.errors import CheckpointError
from cervseg.core.registry import TRAINERS, load
from cervseg.networks import imagenet
from cervseg.networks.base import build_network
from cervseg.networks.checkpoint import network_from_checkpoint, read_checkpoint
from cervseg.planning.planner import make_plan
from cervseg.trainers.deeplab import DeepLabV3PlusTrainer
from cervseg.training.checkpoint import save_best
from tests.checkpoints import described
from tests.planning.invented import DESCRIPTION, gpu, images, processor
from tests.trainers.plans import tiny_plan

TRAINER = DeepLabV3PlusTrainer()
NETWORK = {"encoder": "resnet18", "decoder_channels": 64}


@pytest.fixture
def offline(monkeypatch):
    """Make every download of weights fail."""

    def unreachable(name, *, weights):
        raise OSError(f"no server for {name}, {weights}")

    monkeypatch.setattr(imagenet, "_ask_once", lambda _repository, *, revision: None)
    monkeypatch.setattr(imagenet, "get_encoder", unreachable)


def test_it_is_a_plug_in():
    """Registered under its own name."""
    assert load(TRAINERS, "DeepLabV3PlusTrainer") is DeepLabV3PlusTrainer


@pytest.mark.parametrize(
    ("preset", "hardware", "encoder"),
    [("default", gpu(24), "resnet50"), ("default", processor(2), "resnet18"), ("paper", gpu(24), "resnet50")],
)
def test_the_planned_network_can_be_built(preset, hardware, encoder):
    """The network accepts the arguments that the planner writes."""
    plan = make_plan(description=DESCRIPTION, fingerprint=images(), hardware=hardware, preset=preset)
    spec = TRAINER.network_spec(plan)
    with torch.device("meta"):
        network = build_network(spec)
    assert spec.arguments["encoder"] == encoder
    assert network.input_size == TRAINER.configured(plan).input_size


def test_start_fetches_only_when_asked(offline):
    """Random weights need no server; without one, published weights are an error with a hint."""
    plan = tiny_plan("2d_deeplab", NETWORK)
    network = build_network(TRAINER.network_spec(plan))
    assert TRAINER.start(network, plan, pretrained=False) == {"encoder": None}
    with pytest.raises(CheckpointError, match=r"(?s)no server for resnet18, imagenet.*--from-scratch"):
        TRAINER.start(network, plan, pretrained=True)


def test_start_fills_the_encoder(monkeypatch):
    """With what the library's loader gives; the decoder stays as it was."""
    plan = tiny_plan("2d_deeplab", NETWORK)
    network = build_network(TRAINER.network_spec(plan))
    decoder = {key: value.clone() for key, value in network.decoder.state_dict().items()}
    published = build_network(TRAINER.network_spec(plan)).encoder
    monkeypatch.setattr(imagenet, "_ask_once", lambda _repository, *, revision: None)
    monkeypatch.setattr(imagenet, "get_encoder", lambda _name, *, weights: published)
    started = TRAINER.start(network, plan, pretrained=True)
    assert started["encoder"].startswith("ImageNet weights (smp-hub/resnet18.imagenet")
    expected, found = published.state_dict(), network.encoder.state_dict()
    assert all(torch.equal(found[key], value) for key, value in expected.items())
    assert all(torch.equal(decoder[key], value) for key, value in network.decoder.state_dict().items())


def test_checkpoint_rebuilds_the_network_offline(tmp_path, offline):
    """Bit for bit, for two labels, after a step at batch 1 has moved the running statistics."""
    plan = tiny_plan("2d_deeplab", NETWORK, labels=("upper", "lower"))
    spec = TRAINER.network_spec(plan)
    network = build_network(spec).train()
    network(torch.randn(1, 1, 64, 96))
    save_best(tmp_path / "c.pt", described(spec), network=network, epoch=0, dice=None)
    again = network_from_checkpoint(read_checkpoint(tmp_path / "c.pt"))
    image = torch.randn(2, 1, 64, 96)
    with torch.no_grad():
        expected, found = network.eval()(image), again(image)
    assert found.shape == (2, 2, 64, 96)
    assert torch.equal(found, expected)
