"""Weighted sums of loss terms, such as Eq. 14 of the paper."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import nn

from cervseg.core.errors import PlanError
from cervseg.losses.boundary import HausdorffSurrogate
from cervseg.losses.overlap import BinaryCrossEntropy, FocalTversky, SoftDice
from cervseg.losses.recipes import LOSSES
from cervseg.losses.structure import StructuralSimilarity

TERMS: Mapping[str, Callable[[], nn.Module]] = {
    "dice": SoftDice,
    "focal_tversky": FocalTversky,
    "hausdorff": HausdorffSurrogate,
    "ssim": StructuralSimilarity,
    "bce": BinaryCrossEntropy,
}


class CompoundLoss(nn.Module):
    """Weighted loss terms; training minimizes their sum.

    Args:
        weights: term name (a key of ``TERMS``) -> weight.

    Raises:
        PlanError: a term is unknown, or there are no terms.
    """

    def __init__(self, weights: Mapping[str, float]) -> None:
        super().__init__()
        unknown = sorted(set(weights) - set(TERMS))
        if unknown or not weights:
            raise PlanError(
                f"unknown loss term {', '.join(map(repr, unknown))}" if unknown else "a loss without terms",
                hint=f"The terms are {', '.join(TERMS)}",
            )
        self.weights = dict(weights)
        self.terms = nn.ModuleDict({name: TERMS[name]() for name in weights})

    def forward(self, logits_BLHW: torch.Tensor, target_BLHW: torch.Tensor) -> dict[str, torch.Tensor]:
        """Compute the weighted terms.

        Args:
            logits_BLHW: float, any range.
            target_BLHW: float {0, 1}, the same shape.

        Returns:
            Term name -> scalar, float32 even under autocast; float64 if the logits are float64.

        Raises:
            ValueError: the shapes differ.
        """
        if logits_BLHW.shape != target_BLHW.shape:
            raise ValueError(
                f"shapes of logits {tuple(logits_BLHW.shape)} and target {tuple(target_BLHW.shape)} differ"
            )
        with torch.autocast(logits_BLHW.device.type, enabled=False):
            logits = logits_BLHW if logits_BLHW.dtype == torch.float64 else logits_BLHW.float()
            target, probability = target_BLHW.to(logits.dtype), logits.sigmoid()
            return {
                name: self.weights[name] * term(logits if term.takes_logits else probability, target)
                for name, term in self.terms.items()
            }


def build_loss(name: str) -> CompoundLoss:
    """Build the loss of a plan.

    Args:
        name: a key of :data:`cervseg.losses.recipes.LOSSES`.

    Raises:
        PlanError: the name is unknown.
    """
    if name not in LOSSES:
        raise PlanError(f"unknown loss {name!r}", hint=f"The losses are {', '.join(LOSSES)}")
    return CompoundLoss(LOSSES[name])
