from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from cervseg.core.errors import PlanError
from cervseg.core.types import Fingerprint, Hardware, Plan
from cervseg.losses.recipes import LOSSES
from cervseg.planning.checks import ENCODERS, check_configuration, check_plan
from cervseg.planning.settings import change, configure
from tests.planning.invented import gpu, images, processor

MakePlan = Callable[..., Plan]


def random_images(rng: np.random.Generator) -> Fingerprint:
    """Images of 64 to 4000 px a side, of all shapes, numbers and thicknesses."""
    height, width = np.exp(rng.uniform(np.log(64), np.log(4000), 2))
    aspect = height / width
    low, high = aspect * rng.uniform(0.4, 1.0), aspect * rng.uniform(1.0, 2.5)
    return images(
        height=float(height),
        width=float(width),
        num_cases=int(np.exp(rng.uniform(0, np.log(5000)))),
        thickness=float(rng.uniform(0, 60)),
        area=float(rng.uniform(0, 0.3)),
        aspects=(float(low), float(high)),
    )


def random_machine(rng: np.random.Generator) -> Hardware:
    """A processor of 1 to 64 cores, or a GPU of 2 to 140 GiB, or Apple's."""
    bfloat16, cores = bool(rng.integers(2)), int(rng.integers(1, 65))
    kind = ("cpu", "cuda", "mps")[rng.integers(3)]
    if kind == "cpu":
        return processor(cores, bfloat16=bfloat16)
    memory_gib = float(np.exp(rng.uniform(np.log(2), np.log(140))))
    return gpu(memory_gib, bfloat16=bfloat16, kind=kind, num_cores=cores)


@pytest.mark.parametrize("seed", range(40))
def test_the_planner_never_plans_what_is_refused(plan: MakePlan, seed: int) -> None:
    """Whatever the images and the machine: the plan passes, and nnU-Net's network ends at 4 to 7 px."""
    rng = np.random.default_rng(seed)
    seen, machine = random_images(rng), random_machine(rng)
    for preset in ("default", "paper"):
        made = plan(seen, machine, preset=preset, sam_checkpoint=bool(rng.integers(2)))
        check_plan(made)
        for configuration in made.configurations.values():
            height, width = configuration.input_size
            assert height % 32 == width % 32 == 0
            assert preset == "paper" or height * width <= 1.1 * 2 * 1024**2
        nnunet = made.configurations["2d_nnunet"]
        assert 4 <= min(nnunet.input_size) / 2 ** nnunet.network["num_levels"] < 8


@pytest.mark.parametrize("frame", ["384x288", "32x32", "96x1024", "512x512", "1024x1056"])
def test_a_frame_by_hand_suits_every_family(plan: MakePlan, frame: str) -> None:
    """nnU-Net's depth follows a frame that a hand sets when it plans."""
    made = plan(overrides={"input_size": frame, "2d_nnunet.features": "8"})
    assert len({configuration.input_size for configuration in made.configurations.values()}) == 1
    network = made.configurations["2d_nnunet"].network
    assert network["features"] == 8
    assert all(side % 2 ** network["num_levels"] == 0 for side in made.configurations["2d_nnunet"].input_size)
    reason = made.decisions["2d_nnunet.network"].reason
    assert reason.startswith("features set with --set. The rest: ")
    assert f"halved {network['num_levels']} times" in reason


@pytest.mark.parametrize(
    ("family", "settings", "expected"),
    [
        ("2d_nnunet", {"input_size": "384x288"}, "384 x 288 can be halved 5 times: take num_levels=5"),
        ("2d_nnunet", {"input_size": "384x288"}, "or input_size=384x320"),
        ("2d_cnn", {"num_levels": "9"}, "num_levels cannot be 9"),
        ("2d_deeplab", {"encoder": "mit_b0"}, "There are: resnet18, resnet34, resnet50"),
        ("2d_segformer", {"encoder": "mit_b9"}, "Did you mean mit_b"),
        ("2d_segformer", {"prompts": ""}, "prompts cannot be empty"),
        ("2d_deeplab", {"decoder_channels": "0"}, "decoder_channels cannot be 0"),
        ("2d_cnn", {"loss": "focal"}, "There are: cervspinenet, cervspinenet_bce, bce"),
    ],
)
def test_what_cannot_be_carried_out_is_refused(
    plan: MakePlan, family: str, settings: dict[str, str], expected: str
) -> None:
    """Each error names the field and a hint."""
    seen = images(height=400, width=336)  # a frame that nnU-Net halves six times
    configuration = plan(seen, processor(64)).configurations[family]
    with pytest.raises(PlanError, match=expected):
        configure(configuration, settings)


def test_every_encoder_that_a_network_supports_may_be_planned(plan: MakePlan) -> None:
    """A larger encoder than the planner's own choice is accepted, and the time per image grows with it."""
    for family, encoders in ENCODERS.items():
        epochs = []
        for encoder in encoders:
            made = plan(overrides={f"{family}.encoder": encoder})
            assert made.configurations[family].network["encoder"] == encoder
            epochs.append(made.configurations[family].hyperparameters.epochs)
        assert epochs == sorted(epochs, reverse=True)


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_may_be_planned(plan: MakePlan, name: str) -> None:
    """What can be trained with can be planned."""
    configuration = plan().configurations["2d_cnn"]
    check_configuration(change(configuration, {"loss": name}))


def test_a_suggested_frame_is_accepted(plan: MakePlan) -> None:
    """The hint of a refused frame fixes it."""
    configuration = plan(images(height=400, width=336), processor(64)).configurations["2d_nnunet"]
    settings: dict[str, Any] = {"input_size": "384x288"}
    with pytest.raises(PlanError) as caught:
        configure(configuration, settings)
    assert "num_levels=5" in caught.value.hint
    configure(configuration, {**settings, "num_levels": "5"})
    configure(configuration, {"input_size": "384x320"})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"accumulate": "0"}, "accumulate cannot be 0: 2d_vit\nhint: It must be 1 or more"),
        ({"train_last_blocks": "-2"}, "train_last_blocks cannot be -2"),
        ({"lora_rank": "-1"}, "lora_rank cannot be -1"),
        ({"layer_decay": "0"}, "layer_decay cannot be 0"),
        ({"layer_decay": "1.1"}, "layer_decay cannot be 1.1"),
        ({"distill_weight": "1.5"}, r"It must be in \[0, 1\]"),
        ({"freeze_encoder": "true", "lora_rank": "4"}, "Set only one of freeze_encoder"),
        ({"train_last_blocks": "0", "lora_rank": "4"}, "Set only one of freeze_encoder"),
    ],
)
def test_impossible_ways_to_train(plan: MakePlan, settings: dict[str, str], message: str) -> None:
    """Values out of range, and two rules for the same part of a network, are refused."""
    with pytest.raises(PlanError, match=message):
        configure(plan().configurations["2d_vit"], settings)


def test_ways_to_train_that_go_together(plan: MakePlan) -> None:
    """Each of them is a setting by its name."""
    settings = {"accumulate": "4", "train_last_blocks": "2", "layer_decay": "0.8", "checkpoint_blocks": "1"}
    hyper = configure(plan().configurations["2d_vit"], settings).hyperparameters
    assert (hyper.accumulate, hyper.train_last_blocks) == (4, 2)
    assert (hyper.layer_decay, hyper.checkpoint_blocks) == (0.8, True)
