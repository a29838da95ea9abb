"""Contract checks for authors: a valid plug-in passes, and every violation raises."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from cervseg.core import registry
from cervseg.core.registry import NETWORKS, TRAINERS, register
from cervseg.core.types import NetworkSpec, Plan
from cervseg.dataset.description import list_cases, read_description
from cervseg.imageio import read_mask
from cervseg.networks.unet import UNet
from cervseg.testing import PROMISES, BrokenPromiseError, Trial, check_network, check_trainer, tiny_dataset
from cervseg.training.data import Batch
from cervseg.training.trainer import StepResult, Trainer


class Small(nn.Module):
    """A valid network of two layers; subclasses violate the contract."""

    def __init__(self, *, in_channels: int, num_labels: int, input_size: tuple[int, int]) -> None:
        super().__init__()
        self.first = nn.Conv2d(in_channels, 4, 3, padding=1)
        self.last = nn.Conv2d(4, num_labels, 1)

    def forward(self, image_BCHW: torch.Tensor) -> torch.Tensor:
        logits_BLHW: torch.Tensor = self.last(self.first(image_BCHW).relu())
        return logits_BLHW


class Halved(Small):
    def forward(self, image_BCHW: torch.Tensor) -> torch.Tensor:
        return super().forward(image_BCHW)[..., ::2]


class Endless(Small):
    def forward(self, image_BCHW: torch.Tensor) -> torch.Tensor:
        return super().forward(image_BCHW) * float("nan")


class Idle(Small):
    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.unused = nn.Linear(2, 2)


class Forgetful(Small):
    """A network with a value that is not in its state_dict."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.shift = float(torch.rand(()))

    def forward(self, image_BCHW: torch.Tensor) -> torch.Tensor:
        return super().forward(image_BCHW) + self.shift


class SmallTrainer(Trainer):
    """A valid trainer of ``network``; subclasses violate the contract."""

    network: ClassVar[str] = "Small"

    def network_spec(self, plan: Plan) -> NetworkSpec:
        return NetworkSpec(name=self.network, arguments=self.shape_arguments(plan))


class PlanesTrainer(SmallTrainer):
    def step(self, network: nn.Module, loss: nn.Module, batch: Batch) -> StepResult:
        logits_BLHW = self.logits(network, batch)
        return StepResult(terms={"all": logits_BLHW.mean((0, 2, 3))[None]}, logits_BLHW=logits_BLHW)


class NoMaskTrainer(SmallTrainer):
    def step(self, network: nn.Module, loss: nn.Module, batch: Batch) -> StepResult:
        logits_BLHW = self.logits(network, batch)
        share = (logits_BLHW * batch.target_BLHW).sum() / batch.target_BLHW.sum()
        return StepResult(terms={"share": -share}, logits_BLHW=logits_BLHW)


class HalfTrainer(SmallTrainer):
    def optimizer(self, network: nn.Module, plan: Plan) -> torch.optim.Optimizer:
        return torch.optim.SGD([network.first.weight], lr=0.1)


class Counting:
    """A transform with a state."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, *, data: np.ndarray, seg: np.ndarray) -> dict[str, np.ndarray]:
        self.count += 1
        return {"data": data + np.float32(self.count), "seg": seg}


class Logarithm:
    """A transform for images above 0."""

    def __call__(self, *, data: np.ndarray, seg: np.ndarray) -> dict[str, np.ndarray]:
        with np.errstate(invalid="ignore"):
            return {"data": np.log(data), "seg": seg}


def transforming(transform: Any) -> type[Trainer]:
    """Create a SmallTrainer with a transform."""
    return type("TransformingTrainer", (SmallTrainer,), {"transforms": lambda self, plan: [transform]})


@pytest.fixture(autouse=True)
def own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Register the networks for one test."""
    monkeypatch.setattr(registry, "_registered", {TRAINERS: {}, NETWORKS: {}})
    for network in (Small, Halved, Endless, Idle, Forgetful):
        register(NETWORKS, network.__name__, network)


def trainer_of(network: str) -> type[Trainer]:
    """Create a SmallTrainer with another network."""
    return type(f"{network}Trainer", (SmallTrainer,), {"network": network})


@pytest.mark.parametrize(
    ("trainer", "promise", "message"),
    [
        (trainer_of("Halved"), "gives_logits", "logits of 2 x 1 x 128 x 48, not 2 x 1 x 128 x 96"),
        (trainer_of("Endless"), "gives_logits", "logits that are not finite"),
        (PlanesTrainer, "gives_loss_terms", "the loss term 'all' is not a scalar tensor"),
        (NoMaskTrainer, "gives_loss_terms", "the loss term 'share' is nan"),
        (trainer_of("Idle"), "trains_every_parameter", "get no gradient: unused.weight, unused.bias"),
        (HalfTrainer, "trains_every_parameter", "optimizer lacks 3 trainable .*: first.bias, last.weight"),
        (transforming(Counting()), "transforms_images", "another image for the same seed"),
        (transforming(Logarithm()), "transforms_images", "an image that is not finite"),
        (trainer_of("Forgetful"), "survives_a_checkpoint", "from its checkpoint computes other logits"),
        (trainer_of("Endless"), "predicts_any_image", "probabilities are not finite"),
        (PlanesTrainer, "learns_two_images", "cannot overfit two images: Dice 0"),
    ],
)
def test_violation_raises(trainer: type[Trainer], promise: str, message: str) -> None:
    """The responsible check raises with the trainer's name; the error is also an AssertionError."""
    with pytest.raises(BrokenPromiseError, match=message) as caught:
        PROMISES[promise](Trial.make(trainer))
    assert caught.value.where == trainer.__name__
    assert isinstance(caught.value, AssertionError)


def test_check_trainer_stops_at_the_first_violation() -> None:
    """Checks run in their order; settings are applied."""
    with pytest.raises(BrokenPromiseError, match="logits of 2 x 1 x 64 x 16, not 2 x 1 x 64 x 32"):
        check_trainer(trainer_of("Halved"), settings={"input_size": "64x32"})


def test_trial_of_a_name_or_a_class() -> None:
    """Both have the same frame, and the trainer's own settings where the trial sets none."""
    trial = Trial.make("SAMTrainer", num_labels=2, settings={"learning_rate": "2e-3"})
    configuration = trial.trainer.configured(trial.plan)
    assert (configuration.loss, configuration.hyperparameters.learning_rate) == ("bce_dice", 2e-3)
    assert trial.batch.target_BLHW.shape == (2, 2, 128, 96)
    assert (trial.batch.target_BLHW.sum((2, 3)) > 0).all()
    assert Trial.make(SmallTrainer).name == "SmallTrainer"


@pytest.mark.parametrize(
    ("network", "arguments"),
    [
        (UNet, {"features": 4, "num_levels": 2}),
        ("unet", {"features": 4, "num_levels": 2, "input_size": (32, 64)}),
        (NetworkSpec(name="unet", arguments={"features": 4, "num_levels": 2}), {"in_channels": 2}),
        (
            "promptable_sam",
            {"embed_dim": 16, "depth": 1, "num_heads": 2, "out_chans": 16, "global_attn_indexes": ()},
        ),
        (Small, {}),
    ],
)
def test_valid_networks(network: Any, arguments: Mapping[str, Any]) -> None:
    """A factory, a name, a spec and a network that takes points pass."""
    check_network(network, **arguments)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (Halved, r"logits of 2 x 1 x 128 x 48.*: Halved"),
        (Endless, r"logits that are not finite.*: Endless"),
        (Idle, r"2 trainable parameter.*: Idle"),
        (Forgetful, r"a second network with the same weights computes other logits.*: Forgetful"),
        (lambda **_: nn.Identity(), "logits of 2 x 3 x 128 x 96, not 2 x 1"),
    ],
)
def test_invalid_networks(network: Any, message: str) -> None:
    """The error describes the violation."""
    with pytest.raises(BrokenPromiseError, match=message):
        check_network(network, in_channels=1 if isinstance(network, type) else 3)


@pytest.mark.parametrize("labels", [1, 2])
def test_tiny_dataset(tmp_path: Path, labels: int) -> None:
    """Images have an odd size and nnU-Net's format; every mask has every label; results are reproducible."""
    folder = tiny_dataset(tmp_path / "Dataset001_Tiny", num=3, labels=labels)
    description = read_description(folder)
    cases = list_cases(folder, description, split="Tr")
    assert (len(cases), len(description.foreground)) == (3, labels)
    for case in cases:
        assert case.mask is not None
        mask = read_mask(case.mask)
        assert mask.shape[0] == 157
        assert set(mask.flat) == set(range(labels + 1))
    again = tiny_dataset(tmp_path / "Dataset002_Tiny", num=3, labels=labels)
    first, second = (cv2.imread(str(f / "imagesTr" / "tiny_002_0000.png"), -1) for f in (folder, again))
    assert (first == second).all()


def test_random_state_of_the_caller_is_kept() -> None:
    """A check does not change torch's random state."""
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    check_network(Small)
    assert torch.equal(torch.rand(4), expected)
