"""DynUNetTrainer and ResEncUNetTrainer."""

from __future__ import annotations

import pytest
import torch

from cervseg.core.registry import TRAINERS, load
from cervseg.losses.compound import build_loss
from cervseg.networks.base import build_network, num_parameters
from cervseg.networks.checkpoint import network_from_checkpoint, read_checkpoint
from cervseg.planning.planner import make_plan
from cervseg.trainers.nnunet import DynUNetTrainer, ResEncUNetTrainer, deep_weights
from cervseg.training.checkpoint import save_best
from tests.checkpoints import described
from tests.planning.invented import DESCRIPTION, gpu, images, processor
from tests.trainers.plans import blob_batch, tiny_plan

NETWORK = {"features": 8, "num_levels": 3, "max_features": 32, "norm": "instance"}
BOTH = pytest.mark.parametrize("trainer", [DynUNetTrainer(), ResEncUNetTrainer()])


@BOTH
def test_they_are_plug_ins(trainer):
    """Registered under their own names."""
    assert load(TRAINERS, type(trainer).__name__) is type(trainer)


@pytest.mark.parametrize("preset", ["default", "paper"])
@pytest.mark.parametrize(
    ("trainer", "hardware", "expected"),
    [
        (DynUNetTrainer(), gpu(24), 33_462_757),
        (DynUNetTrainer(), processor(2), 5_156_084),
        (ResEncUNetTrainer(), gpu(24), 105_890_277),
        (ResEncUNetTrainer(), processor(2), 17_959_156),
    ],
)
def test_the_planned_network_can_be_built(preset, trainer, hardware, expected):
    """What the planner writes is what the network takes; the loss is Dice and BCE.

    By default it plans 576 x 448 px on the GPU, halved six times, and 288 x 224 px, halved five times.
    """
    plan = make_plan(description=DESCRIPTION, fingerprint=images(), hardware=hardware, preset=preset)
    with torch.device("meta"):
        network = build_network(trainer.network_spec(plan))
    planned = trainer.configured(plan)
    assert network.input_size == planned.input_size
    assert len(network.encoder) == planned.network["num_levels"] + 1
    assert set(trainer.loss(plan).weights) == {"bce", "dice"}
    if preset == "default":
        assert num_parameters(network) == expected


def test_deep_weights_by_hand():
    """1, 1/2, 1/4, ... over their sum."""
    assert deep_weights(1) == [1.0]
    assert deep_weights(2) == pytest.approx([2 / 3, 1 / 3])
    assert deep_weights(3) == pytest.approx([4 / 7, 2 / 7, 1 / 7])


@BOTH
def test_step_is_the_weighted_sum_by_hand(trainer):
    """4/7, 2/7 and 1/7 of the loss at 64 x 96, 32 x 48 and 16 x 24 px; logits are the network's."""
    plan = tiny_plan("2d_nnunet", {**NETWORK, "num_levels": 4})
    network, loss, batch = build_network(trainer.network_spec(plan)), trainer.loss(plan), blob_batch(2)
    result = trainer.step(network, loss, batch)
    target = batch.target_BLHW
    targets = [target, target[:, :, 1::2, 1::2], target[:, :, 2::4, 2::4]]  # the pixel after the middle
    each = [
        loss(logits, wanted)
        for logits, wanted in zip(network.deep_logits(batch.image_BCHW), targets, strict=True)
    ]
    assert set(result.terms) == {"bce", "dice"}
    for name, value in result.terms.items():
        expected = (4 * each[0][name] + 2 * each[1][name] + each[2][name]) / 7
        torch.testing.assert_close(value, expected)
    torch.testing.assert_close(result.logits_BLHW, network(batch.image_BCHW))


@BOTH
def test_every_trained_parameter_gets_a_gradient(trainer):
    """Those of the supervised outputs too, in bfloat16; logits carry gradients, for a teacher."""
    plan = tiny_plan("2d_nnunet", {**NETWORK, "num_levels": 4})
    network, loss, batch = build_network(trainer.network_spec(plan)), trainer.loss(plan), blob_batch(2)
    optimizer = trainer.optimizer(network, plan)
    for _ in range(2):  # the bodies of residual blocks wake up in the second step
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            result = trainer.step(network, loss, batch)
        torch.stack(list(result.terms.values())).sum().backward()
        held = [p for group in optimizer.param_groups for p in group["params"]]
        assert {id(p) for p in held} == {id(p) for p in network.parameters()}
        assert all(p.grad is not None for p in held)
        optimizer.step()
    assert [name for name, p in network.named_parameters() if not p.grad.any()] == []
    assert result.logits_BLHW.requires_grad


@BOTH
def test_checkpoint_rebuilds_the_network(trainer, tmp_path):
    """Bit for bit, for three labels."""
    plan = tiny_plan("2d_nnunet", NETWORK, labels=("upper", "middle", "lower"))
    spec = trainer.network_spec(plan)
    network = build_network(spec).eval()
    save_best(tmp_path / "c.pt", described(spec), network=network, epoch=0, dice=None)
    again = network_from_checkpoint(read_checkpoint(tmp_path / "c.pt"))
    image = torch.randn(2, 1, 64, 96)
    with torch.no_grad():
        expected, found = network(image), again(image)
    assert found.shape == (2, 3, 64, 96)
    assert torch.equal(found, expected)


def test_a_image_without_anything_is_finite():
    """An empty mask gives finite terms at every resolution."""
    plan = tiny_plan("2d_nnunet", NETWORK)
    network, batch = build_network(DynUNetTrainer().network_spec(plan)), blob_batch(1)
    batch.target_BLHW.zero_()
    terms = DynUNetTrainer().step(network, build_loss("bce_dice"), batch).terms
    assert all(value.isfinite() for value in terms.values())
