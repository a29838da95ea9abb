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
    """Trains nnU-Net's plain U-Net, of the planned width and depth, with Dice and BCE.

    BCE replaces nnU-Net's cross-entropy, since each label has its own sigmoid here, as in nnU-Net where
    labels overlap.
    """

    configuration: ClassVar[str] = "2d_nnunet"

    def network_spec(self, plan: Plan) -> NetworkSpec:
        """Return nnU-Net's U-Net with the plan's width and depth."""
        sizes = self.configured(plan).network
        return NetworkSpec(name="dynunet", arguments={**self.shape_arguments(plan), **sizes})

    def step(self, network: nn.Module, loss: nn.Module, batch: Batch) -> StepResult:
        """Compute the loss at every supervised resolution, weighted 1, 1/2, 1/4, ..., with sum 1.

        The target of a lower resolution is resampled as in nnU-Net ("nearest-exact": the centre pixel).

        Args:
            network: a DynUNet in training mode.
            loss: of this trainer.
            batch: on the network's device.
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
    """Trains nnU-Net's U-Net with a residual encoder: same width and depth, 2.2 times the work per image."""

    def network_spec(self, plan: Plan) -> NetworkSpec:
        """Return the same network with residual blocks in its encoder."""
        plain = super().network_spec(plan)
        return NetworkSpec(name=plain.name, arguments={**plain.arguments, "residual_encoder": True})


def deep_weights(num: int) -> list[float]:
    """Return the weights of ``num`` outputs from full resolution down: each half of the one before, sum 1."""
    weights = [0.5**level for level in range(num)]
    return [weight / sum(weights) for weight in weights]
