"""CervSpineNetTrainer and SAMTrainer: what they start from."""

from __future__ import annotations

from typing import cast

import pytest
import torch

from cervseg.networks.base import build_network
from cervseg.networks.checkpoint import read_checkpoint
from cervseg.networks.promptable import PromptableSAM
from cervseg.planning.planner import make_plan
from cervseg.shipped import shipped_models
from cervseg.trainers.ablations import PureCNNFullTrainer, ViTBasicTrainer
from cervseg.trainers.cervspine import CervSpineNetTrainer
from cervseg.trainers.sam import SAMTrainer
from cervseg.training.trainer import Trainer
from tests.planning.invented import DESCRIPTION, gpu, images, processor

SHIPPED = "spinous_cervspinenet"


def shipped_tensors() -> dict[str, torch.Tensor]:
    return dict(read_checkpoint(shipped_models()[SHIPPED].trained_folds()[0].weights).state_dict)


@pytest.mark.parametrize(
    ("trainer", "part"),
    [(CervSpineNetTrainer(), "network"), (ViTBasicTrainer(), "network"), (SAMTrainer(), "image_encoder")],
)
def test_the_planned_size_for_a_cpu_starts_from_the_shipped_model(trainer: Trainer, part: str) -> None:
    """All of the encoder but interpolated positions is the shipped one; with --from-scratch, none of it."""
    plan = make_plan(description=DESCRIPTION, fingerprint=images(), hardware=processor(2))
    network = build_network(trainer.network_spec(plan))
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    assert trainer.start(network, plan, pretrained=False) == {}
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    started = trainer.start(network, plan, pretrained=True)
    assert list(started) == [part]
    assert f"the shipped model {SHIPPED}" in str(started[part])
    shipped, compared = shipped_tensors(), 0
    encoder = cast(PromptableSAM, network).encoder
    for name, tensor in encoder.state_dict().items():
        given = shipped[f"encoder.{name}"]
        if given.shape == tensor.shape:
            assert torch.equal(given, tensor), name
            compared += 1
    assert compared > 0.9 * len(encoder.state_dict())


def test_other_sizes_and_networks_start_elsewhere() -> None:
    """The medium size: the convolutions alone. A CNN: nothing. The published size waits for SAM's weights."""
    plan = make_plan(description=DESCRIPTION, fingerprint=images(), hardware=processor(16))
    network = build_network(CervSpineNetTrainer().network_spec(plan))
    started = CervSpineNetTrainer().start(network, plan, pretrained=True)
    assert list(started) == ["tokens", "other parts"]
    assert "the shipped model spinous;" in str(started["tokens"])
    assert started["other parts"] is None
    cnn = PureCNNFullTrainer()
    assert cnn.start(build_network(cnn.network_spec(plan)), plan, pretrained=True) == {}
    large = make_plan(description=DESCRIPTION, fingerprint=images(), hardware=gpu(80))
    assert CervSpineNetTrainer().start(torch.nn.Identity(), large, pretrained=True) == {}
    assert SAMTrainer().start(torch.nn.Identity(), large, pretrained=True) == {}
