"""The trainers of the paper's ablations."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from cervseg.core.registry import TRAINERS, load
from cervseg.losses.recipes import LOSSES
from cervseg.networks.base import build_network, num_parameters
from cervseg.networks.checkpoint import network_from_checkpoint, read_checkpoint
from cervseg.networks.published import SAM_VIT_B
from cervseg.planning.planner import make_plan
from cervseg.planning.settings import configure
from cervseg.trainers import ablations
from cervseg.trainers.cervspine import CervSpineNetTrainer
from cervseg.trainers.sam import SAMTrainer
from cervseg.training.checkpoint import save_best
from cervseg.training.freezing import choose_trained, num_trained, parameter_groups
from tests.checkpoints import described
from tests.planning.invented import DESCRIPTION, gpu, images, processor
from tests.trainers.plans import blob_batch, overfit, tiny_plan

PARTS = [ablations.PureCNNBasicTrainer(), ablations.PureCNNFullTrainer(), ablations.ViTBasicTrainer()]
LOSS_TRAINERS = [
    (ablations.CervSpineNetDiceTrainer(), {"dice": 0.5}),
    (ablations.CervSpineNetDiceFTTrainer(), {"dice": 0.5, "focal_tversky": 0.3}),
    (ablations.CervSpineNetDiceSSIMTrainer(), {"dice": 0.5, "ssim": 0.1}),
    (ablations.CervSpineNetDiceFTSSIMTrainer(), {"dice": 0.5, "focal_tversky": 0.3, "ssim": 0.1}),
]
VIT = {"embed_dim": 32, "depth": 2, "num_heads": 2, "global_attn_indexes": [], "window_size": 0}
NETWORK = {**VIT, "patch_size": 8, "out_chans": 32, "decoder_widths": [32, 16, 16, 8]}


def planned(hardware, *, preset="default"):
    """A plan for a machine that has SAM's checkpoint."""
    return make_plan(
        description=DESCRIPTION, fingerprint=images(), hardware=hardware, preset=preset, sam_checkpoint=True
    )


@pytest.mark.parametrize("trainer", [*PARTS, *(trainer for trainer, _ in LOSS_TRAINERS)])
def test_they_are_plug_ins_in_cervspinenets_configuration(trainer):
    """Registered under their own names; they train where CervSpineNet does."""
    assert load(TRAINERS, type(trainer).__name__) is type(trainer)
    assert trainer.configuration == CervSpineNetTrainer.configuration


@pytest.mark.parametrize(
    ("trainer", "published", "small"),
    [
        (ablations.PureCNNBasicTrainer(), 780_833, 263_769),
        (ablations.PureCNNFullTrainer(), 1_175_968, 488_188),
        (ablations.ViTBasicTrainer(), 90_062_849, 3_821_289),
        (CervSpineNetTrainer(), 90_457_984, 4_045_708),
    ],
)
def test_the_planned_network_can_be_built(trainer, published, small):
    """What the planner writes is what the network takes, on a GPU and on a processor."""
    for hardware, preset, expected in (
        (gpu(80), "default", published),
        (gpu(80), "paper", published),
        (processor(2), "default", small),
    ):
        plan = planned(hardware, preset=preset)
        with torch.device("meta"):
            network = build_network(trainer.network_spec(plan))
        assert network.input_size == trainer.configured(plan).input_size
        assert num_parameters(network) == expected


def test_sams_weights_for_the_vit_alone():
    """As CervSpineNet, where the plan's encoder is ViT-B; a plain CNN starts from random weights."""
    basic, full, vit = PARTS
    for hardware in (gpu(80), processor(2)):
        plan = planned(hardware)
        assert vit.pretrained(plan) == CervSpineNetTrainer().pretrained(plan)
        assert basic.pretrained(plan) is full.pretrained(plan) is None
    assert vit.pretrained(planned(gpu(80))) == SAM_VIT_B


@pytest.mark.parametrize("change", [{"out_chans": 128}, {"num_heads": 8}, {"depth": 6}])
@pytest.mark.parametrize("trainer", [CervSpineNetTrainer(), SAMTrainer(), ablations.ViTBasicTrainer()])
def test_sams_weights_are_for_encoders_that_they_fit(trainer, change):
    """One size set by hand to another than ViT-B's, and all three trainers start from random weights."""
    plan = planned(gpu(80))
    own = plan.configurations["2d_vit"]
    changed = replace(own, network={**own.network, **change})
    assert trainer.pretrained(plan) == SAM_VIT_B
    assert trainer.pretrained(replace(plan, configurations={"2d_vit": changed})) is None


@pytest.mark.parametrize("trainer", PARTS)
@pytest.mark.parametrize("hardware", [gpu(80), processor(2)], ids=["gpu", "processor"])
def test_architectures_train_with_cervspinenets_loss(trainer, hardware):
    """The plan's; with BCE beside it where CervSpineNet starts from random weights."""
    plan = planned(hardware)
    assert trainer.settings == {}
    assert trainer.loss(plan).weights == CervSpineNetTrainer().loss(plan).weights


@pytest.mark.parametrize(("trainer", "weights"), LOSS_TRAINERS)
def test_losses_are_those_of_the_paper(trainer, weights):
    """The plan's network with the named terms, on every machine; those that are left keep their weights."""
    for hardware in (gpu(80), processor(2)):
        plan = planned(hardware)
        own = configure(plan.configurations[trainer.configuration], trainer.settings)
        found = LOSSES[own.loss]
        total, expected = sum(found.values()), sum(weights.values())
        assert {name: weight / total for name, weight in found.items()} == pytest.approx(
            {name: weight / expected for name, weight in weights.items()}
        )
        assert trainer.network_spec(plan) == CervSpineNetTrainer().network_spec(plan)
        assert trainer.pretrained(plan) == CervSpineNetTrainer().pretrained(plan)


@pytest.mark.parametrize("trainer", PARTS)
def test_frozen_encoders_stay(trainer):
    """Every ablation can freeze its encoder and train from its features."""
    plan = tiny_plan("2d_vit", NETWORK)
    network = build_network(trainer.network_spec(plan))
    choose_trained(network, replace(trainer.configured(plan).hyperparameters, freeze_encoder=True))
    assert num_trained(network) == num_parameters(network.decoder)


def test_vit_basic_takes_lora_and_layer_decay():
    """Its encoder is CervSpineNet's, so the same rules apply."""
    plan = tiny_plan("2d_vit", NETWORK)
    found = []
    for trainer in (ablations.ViTBasicTrainer(), CervSpineNetTrainer()):
        network, hyper = build_network(trainer.network_spec(plan)), trainer.configured(plan).hyperparameters
        groups = parameter_groups(network, replace(hyper, layer_decay=0.8))
        choose_trained(network, replace(hyper, lora_rank=2))
        found.append(([group["factor"] for group in groups], num_trained(network.encoder)))
    assert found[0] == found[1]
    assert sorted(set(found[0][0])) == pytest.approx([0.8**3, 0.8**2, 0.8, 1])
    assert 0 < found[0][1] < num_parameters(network.encoder)


@pytest.mark.parametrize("trainer", [*PARTS, LOSS_TRAINERS[-1][0]])
def test_every_trained_parameter_gets_a_gradient(trainer):
    """In a step on three labels."""
    plan = tiny_plan("2d_vit", NETWORK, labels=("upper", "middle", "lower"))
    torch.manual_seed(0)
    network, batch = build_network(trainer.network_spec(plan)), blob_batch(2)
    batch = replace(batch, target_BLHW=batch.target_BLHW.repeat(1, 3, 1, 1))
    terms = trainer.step(network, trainer.loss(plan), batch).terms
    torch.stack(list(terms.values())).sum().backward()
    assert [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []


@pytest.mark.parametrize("trainer", PARTS)
def test_checkpoint_rebuilds_the_network(trainer, tmp_path):
    """Bit for bit, for three labels, after a step has moved the running statistics."""
    plan = tiny_plan("2d_vit", NETWORK, labels=("upper", "middle", "lower"))
    spec = trainer.network_spec(plan)
    network = build_network(spec).train()
    network(torch.randn(1, 1, 64, 96))
    save_best(tmp_path / "c.pt", described(spec), network=network, epoch=0, dice=None)
    again = network_from_checkpoint(read_checkpoint(tmp_path / "c.pt"))
    image = torch.randn(2, 1, 64, 96)
    with torch.no_grad():
        expected, found = network.eval()(image), again(image)
    assert found.shape == (2, 3, 64, 96)
    assert torch.equal(found, expected)


@pytest.mark.parametrize("trainer", [trainer for trainer, _ in LOSS_TRAINERS])
def test_every_loss_learns_two_images_by_heart(trainer):
    """Each subset of the published terms suffices for a small network; the contract tries the networks."""
    plan = tiny_plan("2d_vit", NETWORK, rate=3e-3)
    torch.manual_seed(0)
    network = build_network(trainer.network_spec(plan))
    assert overfit(trainer, network, plan, num_steps=60) >= 0.9
