"""nnU-Net's networks (Isensee et al. 2021, 2024), trained with deep supervision, from scratch."""

from __future__ import annotations

from typing import ClassVar, cast

import torch
from torch import nn
from torch.nn import functional

from cervseg.core.types import NetworkSpec, Plan
from cervseg.networks.dynunet import DynUNet
from cervseg.training.data import Batch
from cervseg.training.trainer import StepResult, Trainer


class DynUNetTrainer(Trainer):
    """Trains nnU-Net's plain U-Net, as wide and deep as the plan chose, with Dice and BCE.

    BCE stands for nnU-Net's cross-entropy, since each label is a sigmoid of its own here: what nnU-Net does
    where labels may overlap.
    """

    configuration: ClassVar[str] = "2d_nnunet"

    def network_spec(self, plan: Plan) -> NetworkSpec:
        """nnU-Net's U-Net with the plan's width and depth."""
        sizes = self.configured(plan).network
        return NetworkSpec(name="dynunet", arguments={**self.shape_arguments(plan), **sizes})

    def step(self, network: nn.Module, loss: nn.Module, batch: Batch) -> StepResult:
        """The loss at every supervised resolution, weighted 1, 1/2, 1/4, ... over the sum of these weights.

        The target of a lower resolution takes the pixel at the middle of each of its own, as nnU-Net's does
        ("nearest-exact").
        """
        deep = cast(DynUNet, network).deep_logits(batch.image_BCHW)
        terms: dict[str, torch.Tensor] = {}
        for logits_BLHW, weight in zip(deep, deep_weights(len(deep))):
            target_BLHW = functional.interpolate(
                batch.target_BLHW, size=logits_BLHW.shape[2:], mode="nearest-exact"
            )
            for name, value in loss(logits_BLHW, target_BLHW).items():
                terms[name] = terms.get(name, 0.0) + weight * value
        return StepResult(terms=terms, logits_BLHW=deep[0])


class ResEncUNetTrainer(DynUNetTrainer):
    """Trains nnU-Net's U-Net with a residual encoder: as wide and deep, but 2.2 times the work an image."""

    def network_spec(self, plan: Plan) -> NetworkSpec:
        """The same network with residual blocks in its encoder."""
        plain = super().network_spec(plan)
        return NetworkSpec(name=plain.name, arguments={**plain.arguments, "residual_encoder": True})


def deep_weights(num: int) -> list[float]:
    """Weights of ``num`` outputs from full resolution down: halved from each to the next, with sum 1."""
    weights = [0.5**level for level in range(num)]
    return [weight / sum(weights) for weight in weights]
