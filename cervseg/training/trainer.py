"""A trainer: a configuration, a network as data, a loss, an optimizer and a step. No loop, no files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, cast

import torch
from torch import nn

from cervseg.core.types import Configuration, NetworkSpec, Plan
from cervseg.losses.compound import build_loss
from cervseg.losses.levels import LevelsLoss
from cervseg.networks.base import Splittable
from cervseg.networks.published import PublishedWeights
from cervseg.training.data import Batch
from cervseg.training.freezing import parameter_groups

if TYPE_CHECKING:
    from batchgenerators.transforms.abstract_transforms import AbstractTransform


@dataclass(frozen=True, kw_only=True)
class StepResult:
    """The result of a step: weighted loss terms by name (their sum is minimized), logits B x L x H x W."""

    terms: dict[str, torch.Tensor]
    logits_BLHW: torch.Tensor


class Trainer:
    """The base class of trainer plug-ins; subclasses override the hooks that differ.

    ``configuration`` names the entry of ``plan.configurations`` to train with. ``settings`` replaces values
    of that configuration, like ``--set``: ``{"learning_rate": "3e-4"}``.
    """

    configuration: ClassVar[str] = "2d_cnn"
    settings: ClassVar[Mapping[str, str]] = {}

    def network_spec(self, plan: Plan) -> NetworkSpec:
        """Return the network as data; a checkpoint rebuilds it from that without the trainer."""
        raise NotImplementedError

    def pretrained(self, plan: Plan) -> PublishedWeights | None:
        """Return the published weights to start from where they are downloaded; None for random weights."""
        return None

    def start(self, network: nn.Module, plan: Plan, *, pretrained: bool) -> Mapping[str, str | None]:
        """Load first weights into parts of a fresh network; not called where training resumes.

        Args:
            network: on the CPU; changed in place.
            plan: as the trainer sees it.
            pretrained: False if the user wants random weights, or if a file of weights is loaded afterwards;
                constant parts are filled even then.

        Returns:
            Part of the network -> source of its weights; None for random weights.

        Raises:
            CheckpointError: weights cannot be downloaded; the hint says how to train without them.
        """
        return {}

    def loss(self, plan: Plan) -> nn.Module:
        """Return a module (logits, target) -> weighted terms by name; by default the plan's loss.

        Where the labels are levels of one structure, half of the loss is that of the structure.
        """
        loss = build_loss(self.configured(plan).loss)
        if plan.dataset.levels_of:
            return LevelsLoss(loss, num_levels=len(plan.dataset.foreground))
        return loss

    def optimizer(self, network: nn.Module, plan: Plan) -> torch.optim.Optimizer:
        """Return the optimizer; by default AdamW over :func:`~cervseg.training.freezing.parameter_groups`.

        The loop overwrites the learning rate that the optimizer is created with: before every step it sets
        each group's rate to that of the schedule (``learning_rate`` of the hyperparameters), times the
        group's ``factor`` if it has one. Give a part of the network another rate by its ``factor``.

        Args:
            network: after its parts were frozen.
            plan: as the trainer sees it.
        """
        hyper = self.configured(plan).hyperparameters
        return torch.optim.AdamW(parameter_groups(network, hyper), lr=hyper.learning_rate)

    def transforms(self, plan: Plan) -> Sequence[AbstractTransform]:
        """Return transforms of batchgenerators that follow the plan's augmentation; by default none.

        They see normalized images, as in nnU-Net, and must keep their size; see
        :func:`~cervseg.training.transforms.apply_transforms`. To replace the plan's augmentation, set
        ``settings = {"augmentation": "off"}``.

        Args:
            plan: as the trainer sees it.
        """
        return ()

    def step(self, network: nn.Module, loss: nn.Module, batch: Batch) -> StepResult:
        """Compute logits and loss terms of one batch; the loop does the backward pass and the update.

        Args:
            network: in training mode.
            loss: of this trainer.
            batch: on the network's device.
        """
        logits_BLHW = self.logits(network, batch)
        return StepResult(terms=loss(logits_BLHW, batch.target_BLHW), logits_BLHW=logits_BLHW)

    def logits(self, network: nn.Module, batch: Batch) -> torch.Tensor:
        """Return the logits B x L x H x W of a batch, for the loss and to select the best epoch."""
        if batch.feature_BCHW is not None:
            return cast(Splittable, network).decode(batch.feature_BCHW)
        logits_BLHW: torch.Tensor = network(batch.image_BCHW)
        return logits_BLHW

    def configured(self, plan: Plan) -> Configuration:
        """Return this trainer's configuration of the plan."""
        return plan.configurations[self.configuration]

    def shape_arguments(self, plan: Plan) -> dict[str, object]:
        """Return the network arguments that follow from the dataset: channels, labels and frame."""
        return {
            "in_channels": len(plan.dataset.channel_names),
            "num_labels": len(plan.dataset.trained),
            "input_size": self.configured(plan).input_size,
        }
