"""Trainers set up in a plan."""

from __future__ import annotations

import pytest

from cervseg.core.errors import PlanError, PluginError
from cervseg.trainers.catalogue import describe_trainers, published_plan, set_up
from cervseg.trainers.sam import SAMTrainer
from cervseg.training.trainer import Trainer


class OtherTrainer(Trainer):
    """Wants what no plan has."""

    configuration = "3d"


def test_settings_of_the_trainer_then_those_on_top() -> None:
    """SAM's own loss replaces the plan's, a user's replaces SAM's; the plan itself stays as it is."""
    plan = published_plan()
    assert plan.configurations["2d_vit"].loss == "cervspinenet"
    trainer, own = set_up("SAMTrainer", plan)
    assert isinstance(trainer, SAMTrainer)
    assert own.configurations["2d_vit"].loss == "bce_dice"
    _, asked = set_up(SAMTrainer, plan, settings={"loss": "dice", "epochs": "3"})
    assert asked.configurations["2d_vit"].loss == "dice"
    assert asked.configurations["2d_vit"].hyperparameters.epochs == 3
    assert plan.configurations["2d_vit"].loss == "cervspinenet"


def test_what_cannot_be_set_up() -> None:
    """No trainer, a configuration that is not planned, a setting that is not known."""
    with pytest.raises(PluginError, match="not a Trainer"):
        set_up(int, published_plan())  # type: ignore[arg-type]
    with pytest.raises(
        PlanError, match=r"no configuration '3d', which OtherTrainer needs\nhint: It has 2d_vit, 2d_cnn"
    ):
        set_up(OtherTrainer, published_plan())
    with pytest.raises(PlanError, match="unknown setting"):
        set_up(SAMTrainer, published_plan(), settings={"epoch": "3"})


def test_arguments_are_those_of_the_network() -> None:
    """SAM takes the plan's encoder but not its decoder; the residual encoder is an argument of its own."""
    sam, residual = describe_trainers(["SAMTrainer", "ResEncUNetTrainer"], published_plan())
    assert sam.arguments["embed_dim"] == 768
    assert "decoder_widths" not in sam.arguments
    assert residual.arguments["residual_encoder"] is True
    assert "input_size" not in residual.arguments


def test_what_a_trainer_starts_from() -> None:
    """Published weights, a library's, none."""
    sam, deeplab, unet = describe_trainers(
        ["SAMTrainer", "DeepLabV3PlusTrainer", "UNetTrainer"], published_plan()
    )
    assert sam.starts_from == "sam_vit_b_01ec64.pth if downloaded, else random weights"
    assert deeplab.starts_from == "ImageNet weights for the encoder"
    assert unet.starts_from == "random weights"
    assert (sam.num_parameters, sam.loss, sam.error) == (93_735_472, "bce_dice", "")
