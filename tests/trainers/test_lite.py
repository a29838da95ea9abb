"""LiteUNetTrainer."""

from __future__ import annotations

import pytest
import torch

from cervseg.core.errors import CheckpointError
from cervseg.core.registry import TRAINERS, load
from cervseg.networks import lite_weights
from cervseg.networks.base import build_network
from cervseg.networks.lite import LiteEncoder
from cervseg.networks.lite_weights import load_lite_imagenet
from cervseg.planning.planner import make_plan
from cervseg.planning.settings import configure
from cervseg.trainers.lite import LiteUNetTrainer
from cervseg.training.freezing import choose_trained
from cervseg.training.schedule import set_learning_rate
from tests.planning.invented import DESCRIPTION, gpu, images, processor
from tests.trainers.plans import overfit, tiny_plan

TRAINER = LiteUNetTrainer()
NETWORK = {"decoder_widths": [32, 16, 16, 8]}


def test_it_is_a_plug_in():
    """Registered under its own name."""
    assert load(TRAINERS, "LiteUNetTrainer") is LiteUNetTrainer


@pytest.mark.parametrize(
    ("preset", "hardware"), [("default", gpu(24)), ("default", processor(2)), ("paper", gpu(24))]
)
def test_the_planned_network_can_be_built(preset, hardware):
    """The network accepts the arguments that the planner writes."""
    plan = make_plan(description=DESCRIPTION, fingerprint=images(), hardware=hardware, preset=preset)
    with torch.device("meta"):
        network = build_network(TRAINER.network_spec(plan))
    assert network.input_size == TRAINER.configured(plan).input_size


def test_start_fills_the_encoder_and_names_its_source():
    """The encoder has the installed weights, the decoder stays as it was; random weights if asked for."""
    plan = tiny_plan("2d_lite", NETWORK)
    network = build_network(TRAINER.network_spec(plan))
    before = {key: value.clone() for key, value in network.state_dict().items()}
    assert TRAINER.start(network, plan, pretrained=False) == {"encoder": None}
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())
    assert TRAINER.start(network, plan, pretrained=True)["encoder"].startswith("ImageNet weights")
    published = LiteEncoder()
    load_lite_imagenet(published)
    for key, value in network.state_dict().items():
        part, _, name = key.partition(".")
        assert torch.equal(value, published.state_dict()[name] if part == "encoder" else before[key])


def test_start_without_the_weights(monkeypatch):
    """Missing weights are an error with a hint; random weights do not need them."""
    monkeypatch.setattr(lite_weights, "PACKAGE", "not_installed_at_all")
    plan = tiny_plan("2d_lite", NETWORK)
    network = build_network(TRAINER.network_spec(plan))
    assert TRAINER.start(network, plan, pretrained=False) == {"encoder": None}
    with pytest.raises(CheckpointError, match="--from-scratch"):
        TRAINER.start(network, plan, pretrained=True)


def test_the_encoder_trains_at_a_lower_rate():
    """Encoder 0.3 of the learning rate, the rest all of it; every parameter is in one group."""
    plan = tiny_plan("2d_lite", NETWORK)
    network = build_network(TRAINER.network_spec(plan))
    optimizer, hyper = TRAINER.optimizer(network, plan), TRAINER.configured(plan).hyperparameters
    rate = set_learning_rate(optimizer, hyper, step_share=0.5, time_share=0.0)
    rates = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    assert len(rates) == len(list(network.parameters()))
    for name, parameter in network.named_parameters():
        factor = 0.3 if name.startswith("encoder.") else 1.0
        assert rates[id(parameter)] == pytest.approx(factor * rate)


def test_a_frozen_encoder_does_not_train():
    """freeze_encoder leaves the decoder to the optimizer."""
    plan = tiny_plan("2d_lite", NETWORK)
    frozen = configure(plan.configurations["2d_lite"], {"freeze_encoder": "true"})
    network = build_network(TRAINER.network_spec(plan))
    choose_trained(network, frozen.hyperparameters)
    trained = {id(p) for group in TRAINER.optimizer(network, plan).param_groups for p in group["params"]}
    expected = {id(p) for n, p in network.named_parameters() if not n.startswith("encoder.")}
    assert trained == expected


def test_it_learns():
    """From ImageNet weights it overfits two images in a few steps."""
    plan = tiny_plan("2d_lite", NETWORK, rate=2e-3)
    torch.manual_seed(0)
    network = build_network(TRAINER.network_spec(plan))
    TRAINER.start(network, plan, pretrained=True)
    assert overfit(TRAINER, network, plan, num_steps=30) > 0.85
