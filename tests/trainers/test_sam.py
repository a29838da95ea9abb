"""SAM's trainer: oracle prompts, a mask a point, images without any."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from cervseg.core.types import Plan
from cervseg.losses.compound import build_loss
from cervseg.networks.base import build_network
from cervseg.networks.promptable import PromptableSAM
from cervseg.networks.published import SAM_VIT_B
from cervseg.planning.planner import make_plan
from cervseg.trainers.sam import SAMTrainer, oracle_prompts
from cervseg.training.data import Batch
from tests.planning.invented import DESCRIPTION, gpu, images, processor
from tests.shapes import disc_image

SIZES = {
    "embed_dim": 48,
    "depth": 2,
    "num_heads": 4,
    "global_attn_indexes": (),
    "window_size": 0,
    "patch_size": 8,
    "out_chans": 32,
}
# Two images of 64 x 96 px with three and two discs.
DISCS = ([(16, 16, 1), (48, 30, 1), (80, 48, 1)], [(30, 40, 1), (70, 20, 1)])


def plan_for(machine: str) -> Plan:
    """A plan with the network of a GPU ("published"), many cores ("medium") or few ("small")."""
    hardware = {"published": gpu(80), "medium": processor(16), "small": processor(2)}[machine]
    return make_plan(description=DESCRIPTION, fingerprint=images(), hardware=hardware, sam_checkpoint=True)


def batch_of(*discs: list[tuple[float, float, int]], num_labels: int = 1) -> Batch:
    """Images of 64 x 96 px with these discs."""
    drawn = [disc_image((64, 96), one_image, seed=seed) for seed, one_image in enumerate(discs)]
    image = np.stack([pixels[None] for pixels, _ in drawn]).astype(np.float32)
    target = np.stack([[mask == value + 1 for value in range(num_labels)] for _, mask in drawn])
    return Batch(
        image_BCHW=torch.from_numpy((image - 90) / 40),
        target_BLHW=torch.from_numpy(target.astype(np.float32)),
        cases=tuple(str(index) for index in range(len(discs))),
    )


def small_network(*, num_labels: int = 1) -> PromptableSAM:
    """A SAM of 64 x 96 px."""
    torch.manual_seed(0)
    return PromptableSAM(in_channels=1, num_labels=num_labels, input_size=(64, 96), **SIZES)


@pytest.mark.parametrize("machine", ["published", "medium", "small"])
def test_a_plans_encoder_and_nothing_else(machine: str) -> None:
    """The network takes the encoder's sizes, not those of CervSpineNet's decoder, and can be built."""
    plan, trainer = plan_for(machine), SAMTrainer()
    sizes, spec = plan.configurations["2d_vit"].network, trainer.network_spec(plan)
    assert spec.name == "promptable_sam"
    assert "decoder_widths" in sizes
    stem = set() if machine == "published" else {"stem"}
    assert set(spec.arguments) == {"in_channels", "num_labels", "input_size", *SIZES, *stem}
    assert all(spec.arguments[name] == sizes[name] for name in SIZES)
    with torch.device("meta"):
        network = build_network(spec)
    assert network.takes_points
    assert (trainer.pretrained(plan) == SAM_VIT_B) == (machine == "published")
    assert trainer.settings == {"loss": "bce_dice"}


def test_oracle_prompts_by_hand() -> None:
    """A point at each disc's centre, in its image and on its label's plane, beside its own disc alone."""
    discs = ([(16, 16, 1), (48, 30, 2), (80, 48, 1)], [], [(30, 40, 2)])
    batch = batch_of(*discs, num_labels=2)
    prompts = oracle_prompts(batch.target_BLHW)
    found = [sorted(map(tuple, image.tolist())) for image in prompts.points]
    assert found == [sorted((x, y, value - 1) for x, y, value in image) for image in discs]
    assert [len(image) for image in prompts.points] == [3, 0, 1]
    assert prompts.mask_NHW.shape == (4, 64, 96)
    rows = [(image, *row.tolist()) for image, points in enumerate(prompts.points) for row in points]
    for (image, x, y, plane), mask_HW in zip(rows, prompts.mask_NHW):
        _, alone = disc_image((64, 96), [(x, y, 1)])
        assert np.array_equal(mask_HW.numpy(), alone)
        assert (batch.target_BLHW[image, int(plane)] >= mask_HW).all()


def test_each_mask_is_trained_against_its_own_component() -> None:
    """The terms of a step: the loss of each point's mask and disc, mean over points, then over images."""
    network, batch, loss = small_network(), batch_of(*DISCS), build_loss("bce_dice")
    result = SAMTrainer().step(network, loss, batch)
    prompts = oracle_prompts(batch.target_BLHW)
    logits_NHW = network.prompt_logits(batch.image_BCHW, prompts.points)
    each = [loss(logits_NHW[None, [k]], prompts.mask_NHW[None, [k]]) for k in range(5)]
    assert set(result.terms) == {"bce", "dice"}
    for name, value in result.terms.items():
        values = torch.stack([terms[name] for terms in each])
        torch.testing.assert_close(value, (values[:3].mean() + values[3:].mean()) / 2)
    expected_BLHW = torch.stack([logits_NHW[:3].amax(0), logits_NHW[3:].amax(0)])[:, None]
    torch.testing.assert_close(result.logits_BLHW, expected_BLHW)


@pytest.mark.parametrize("discs", [([], []), ([], DISCS[0])], ids=["none at all", "one of two"])
def test_images_without_any_process(discs: tuple[list[tuple[float, float, int]], ...]) -> None:
    """Finite loss, finite gradients, a step that leaves finite weights; nothing to learn gives zeros."""
    network, batch, trainer = small_network(), batch_of(*discs), SAMTrainer()
    optimizer = trainer.optimizer(network, _tiny_plan())
    result = trainer.step(network, build_loss("bce_dice"), batch)
    total = torch.stack(list(result.terms.values())).sum()
    total.backward()
    optimizer.step()
    largest = max(float(p.grad.abs().max()) for p in network.parameters() if p.requires_grad)
    assert total.isfinite()
    assert (largest > 0) == any(discs)
    assert all(p.isfinite().all() for p in network.parameters())
    assert not (trainer.logits(network, batch)[0] > 0).any()


def test_every_trained_parameter_gets_a_gradient() -> None:
    """On ordinary batches nothing that the optimizer holds stays without."""
    network, trainer = small_network(num_labels=2), SAMTrainer()
    batch = batch_of([(16, 16, 1), (48, 30, 2)], [(30, 40, 2)], num_labels=2)
    optimizer = trainer.optimizer(network, _tiny_plan())
    terms = trainer.step(network, build_loss("bce_dice"), batch).terms
    torch.stack(list(terms.values())).sum().backward()
    held = [p for group in optimizer.param_groups for p in group["params"]]
    assert {id(p) for p in held} == {id(p) for p in network.parameters() if p.requires_grad}
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in held)


def test_overfits_two_images_and_outlines_only_what_is_marked() -> None:
    """After some seconds every disc is outlined, and a point gives its own disc and no other."""
    network, batch, trainer = small_network(), batch_of(*DISCS), SAMTrainer()
    loss, optimizer = build_loss("bce_dice"), torch.optim.AdamW(network.parameters(), lr=2e-3)
    network.train()
    for _ in range(100):
        total = torch.stack(list(trainer.step(network, loss, batch).terms.values())).sum()
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
    network.eval()
    prompts = oracle_prompts(batch.target_BLHW)
    with torch.no_grad():
        found_NHW = network.prompt_logits(batch.image_BCHW, prompts.points) > 0
        found_BLHW = trainer.logits(network, batch) > 0
    for found, expected in (
        *zip(found_NHW, prompts.mask_NHW, strict=True),
        *zip(found_BLHW, batch.target_BLHW, strict=True),
    ):
        assert 2 * (found * expected).sum() / (found.sum() + expected.sum()) > 0.9


def _tiny_plan() -> Plan:
    plan = plan_for("small")
    configuration = plan.configurations["2d_vit"]
    return replace(plan, configurations={"2d_vit": replace(configuration, input_size=(64, 96))})
