"""Checks of the contract of trainers, :class:`cervseg.training.trainer.Trainer`."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch
from torch import nn

from cervseg.core.types import DatasetDescription, Hardware, Plan, RunInfo
from cervseg.inference.predictor import Predictor
from cervseg.networks.base import build_network
from cervseg.networks.checkpoint import ModelDescription, network_from_checkpoint, read_checkpoint
from cervseg.planning.planner import make_plan
from cervseg.testing.images import LABELS, points_in, small_image, two_images
from cervseg.testing.network import (
    FRAME,
    HINT_FINITE,
    HINT_STATE,
    break_promise,
    check_gradients,
    check_logits,
    seeded,
    some_of,
)
from cervseg.trainers.catalogue import invented_fingerprint, set_up
from cervseg.training.checkpoint import save_best
from cervseg.training.data import Batch
from cervseg.training.freezing import choose_trained, train_mode
from cervseg.training.schedule import schedule
from cervseg.training.trainer import StepResult, Trainer
from cervseg.training.transforms import apply_transforms

DICE, MAX_STEPS, MAX_TIME_S = 0.9, 200, 120.0
# Overrides that make networks smaller than the size "small".
SMALLER = {"2d_vit.patch_size": "8", "2d_vit.depth": "2", "2d_nnunet.features": "8"}
ONE_CORE = Hardware(
    num_cores=1,
    ram_gib=4.0,
    accelerator="cpu",
    accelerator_name="",
    accelerator_memory_gib=0.0,
    bfloat16=False,
)


def check_trainer(trainer: str | type[Trainer], *, settings: Mapping[str, str] | None = None) -> None:
    """Check a trainer on phantoms, with one label and with two; it must overfit two images.

    The plan has the size "small" and a frame of 128 x 96 px; the trainer's own settings apply.

    Args:
        trainer: the class, or its registered name.
        settings: settings as for ``--set``, if the trainer needs another frame, learning rate or size.

    Raises:
        BrokenPromiseError: the first check of :data:`PROMISES` that fails.
        CervsegError: the trainer cannot be imported, set up or built.
    """
    for num_labels in (1, 2):
        trial = Trial.make(trainer, num_labels=num_labels, settings=settings)
        for keeps_promise in PROMISES.values():
            if keeps_promise is not learns_two_images or num_labels == 1:
                keeps_promise(trial)


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A trainer with a small plan and a batch of two images, for checks that take seconds.

    Args:
        name: name of the trainer.
        trainer: the trainer.
        plan: the small plan.
        batch: two phantoms in the network frame.
    """

    name: str
    trainer: Trainer
    plan: Plan
    batch: Batch

    @classmethod
    def make(
        cls,
        trainer: str | type[Trainer],
        *,
        num_labels: int = 1,
        settings: Mapping[str, str] | None = None,
    ) -> Trial:
        """Set up a trial.

        Args:
            trainer: the class, or its registered name.
            num_labels: 1 or 2.
            settings: settings as for ``--set``.

        Raises:
            CervsegError: the trainer cannot be imported, set up or built.
        """
        small = {"input_size": f"{FRAME[0]}x{FRAME[1]}", "precision": "float32", **(settings or {})}
        description = DatasetDescription(
            name="Dataset001_Tiny",
            channel_names=("xray",),
            labels=LABELS[num_labels],
            num_training=2,
            file_ending=".png",
        )
        plan = make_plan(
            description=description,
            fingerprint=invented_fingerprint(description),
            hardware=ONE_CORE,
            overrides={**SMALLER, "input_size": small["input_size"]},
        )
        made, plan = set_up(trainer, plan, settings=small)
        name = trainer if isinstance(trainer, str) else trainer.__name__
        return cls(name=name, trainer=made, plan=plan, batch=two_images(plan.dataset, made.configured(plan)))

    @property
    def num_labels(self) -> int:
        """Number of labels without the background."""
        return len(self.plan.dataset.trained)

    def network(self) -> nn.Module:
        """Build the network as at the start of a run, with seeded random weights and nothing pretrained."""
        with seeded():
            network = build_network(self.trainer.network_spec(self.plan))
            self.trainer.start(network, self.plan, pretrained=False)
            choose_trained(network, self.trainer.configured(self.plan).hyperparameters)
        return network

    def step(self, network: nn.Module, batch: Batch) -> StepResult:
        """Compute one step in training mode; the weights do not change."""
        train_mode(network)
        return self.trainer.step(network, self.trainer.loss(self.plan), batch)


def gives_logits(trial: Trial) -> None:
    """Check that ``logits`` are finite and B x L x H x W, for two images and one, in both modes."""
    network = trial.network()
    for is_training in (True, False):
        network.train(is_training)
        for batch in (trial.batch, _images(trial.batch, 1)):
            with torch.no_grad():
                logits_BLHW = trial.trainer.logits(network, batch)
            check_logits(logits_BLHW, tuple(batch.target_BLHW.shape), who=trial.name)


def gives_loss_terms(trial: Trial) -> None:
    """Check that ``step`` returns logits and finite scalar loss terms, also for an empty mask."""
    network, one = trial.network(), _images(trial.batch, 1)
    for batch in (trial.batch, one, replace(one, target_BLHW=torch.zeros_like(one.target_BLHW))):
        result = trial.step(network, batch)
        check_logits(result.logits_BLHW, tuple(batch.target_BLHW.shape), who=trial.name)
        if not result.terms:
            break_promise(trial.name, "no loss term from step()", "return at least one")
        for name, term in result.terms.items():
            if not isinstance(term, torch.Tensor) or term.ndim != 0:
                break_promise(
                    trial.name, f"the loss term {name!r} is not a scalar tensor", "average it over the batch"
                )
            if not torch.isfinite(term):
                what = f"the loss term {name!r} is {float(term.detach())}"
                break_promise(trial.name, what, "it must be finite for an image with an empty mask, too")


def trains_every_parameter(trial: Trial) -> None:
    """Check that every trainable parameter gets a finite gradient and is passed to the optimizer."""
    network = trial.network()
    torch.stack(list(trial.step(network, trial.batch).terms.values())).sum().backward()  # type: ignore[no-untyped-call]
    check_gradients(network, who=trial.name)
    groups = trial.trainer.optimizer(network, trial.plan).param_groups
    held = {id(parameter) for group in groups for parameter in group["params"]}
    missed = [name for name, p in network.named_parameters() if p.requires_grad and id(p) not in held]
    if missed:
        what = f"the optimizer lacks {len(missed)} trainable parameter(s): {some_of(missed)}"
        break_promise(trial.name, what, "pass them to it, or set requires_grad to False in start()")


def transforms_images(trial: Trial) -> None:
    """Check that the trainer's transforms keep the size, stay finite and depend on the seed alone."""
    transforms = trial.trainer.transforms(trial.plan)
    for index, (image_CHW, target_LHW) in enumerate(
        zip(trial.batch.image_BCHW.numpy(), trial.batch.target_BLHW.numpy(), strict=True)
    ):
        first, again = (
            apply_transforms(transforms, image_CHW, target_LHW, seed=(0, index)) for _ in range(2)
        )
        if not np.isfinite(first[0]).all():
            break_promise(trial.name, "transforms give an image that is not finite", "images are normalized")
        if any((one != other).any() for one, other in zip(first, again, strict=True)):
            what = "transforms give another image for the same seed"
            break_promise(trial.name, what, "draw from numpy's or Python's global generator, keep no state")


def survives_a_checkpoint(trial: Trial) -> None:
    """Check that the network rebuilt from a checkpoint returns bit-identical logits."""
    network = trial.network()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "checkpoint_best.pt"
        save_best(path, _described(trial), network=network, epoch=0, dice=None)
        rebuilt = network_from_checkpoint(read_checkpoint(path))
    with torch.inference_mode():
        logits_BLHW = [trial.trainer.logits(made.eval(), trial.batch) for made in (network, rebuilt)]
    if not torch.equal(*logits_BLHW):
        break_promise(trial.name, "the network rebuilt from its checkpoint computes other logits", HINT_STATE)


def predicts_any_image(trial: Trial) -> None:
    """Check that the mask has the size of the image and valid label values, for odd sizes, wide and tall."""
    predictor = Predictor(
        [trial.network().eval()], model=_described(trial), device=torch.device("cpu"), precision="float32"
    )
    pixels, mask = small_image(0, num_labels=trial.num_labels)
    for transposed in (False, True):
        image, marked = (pixels.T, mask.T) if transposed else (pixels, mask)
        points = points_in(marked) if predictor.takes_points else None
        prediction = predictor.predict(np.ascontiguousarray(image), points=points)
        found = set(np.unique(prediction.mask).tolist())
        if prediction.mask.shape != image.shape or not found <= {0, *trial.plan.dataset.foreground.values()}:
            what = (
                f"an image of {image.shape} px gets a mask of {prediction.mask.shape} with the values {found}"
            )
            break_promise(trial.name, what, "logits must have one plane per label")
        if not np.isfinite(prediction.probabilities).all():
            break_promise(trial.name, "probabilities are not finite", HINT_FINITE)


def learns_two_images(trial: Trial) -> None:
    """Check that the trainer overfits two images: Dice 0.9 within 200 steps."""
    network, hyper = trial.network(), trial.trainer.configured(trial.plan).hyperparameters
    loss, optimizer = trial.trainer.loss(trial.plan), trial.trainer.optimizer(network, trial.plan)
    started, dice, step = time.process_time(), 0.0, 0
    with seeded():
        while dice < DICE and step < MAX_STEPS and time.process_time() - started < MAX_TIME_S:
            rate = hyper.learning_rate * schedule(step / MAX_STEPS, warmup=0.0)
            for group in optimizer.param_groups:
                group["lr"] = rate * group.get("factor", 1.0)
            train_mode(network)
            terms = trial.trainer.step(network, loss, trial.batch).terms
            torch.stack(list(terms.values())).sum().backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.parameters(), hyper.gradient_clip)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            step += 1
            if step % 10 == 0:
                dice = _dice(trial, network)
    if dice < DICE:
        what = f"cannot overfit two images: Dice {dice:.2f} after {step} steps"
        break_promise(trial.name, what, "check step() and the loss, or try another learning rate")


PROMISES: Mapping[str, Callable[[Trial], None]] = MappingProxyType(
    {
        promise.__name__: promise
        for promise in (
            gives_logits,
            gives_loss_terms,
            trains_every_parameter,
            transforms_images,
            survives_a_checkpoint,
            predicts_any_image,
            learns_two_images,
        )
    }
)


def _dice(trial: Trial, network: nn.Module) -> float:
    """Compute the Dice over both images and all labels together."""
    network.eval()
    with torch.no_grad():
        found = trial.trainer.logits(network, trial.batch) > 0
    target = trial.batch.target_BLHW > 0.5
    return float(2 * (found & target).sum() / (found.sum() + target.sum()))


def _images(batch: Batch, num: int) -> Batch:
    """Select the first images of a batch."""
    return Batch(
        image_BCHW=batch.image_BCHW[:num], target_BLHW=batch.target_BLHW[:num], cases=batch.cases[:num]
    )


def _described(trial: Trial) -> ModelDescription:
    """Describe the model of a trial, as a run does."""
    return ModelDescription(
        trainer=trial.name,
        network=trial.trainer.network_spec(trial.plan),
        configuration=trial.trainer.configured(trial.plan),
        dataset=trial.plan.dataset,
        cache_long_side_px=trial.plan.cache_long_side_px,
        variant="original",
        fold="0",
        run=RunInfo(versions={}, seed=0, commit="", device="cpu", date=""),
    )
