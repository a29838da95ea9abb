"""Overlap terms: Dice, focal Tversky and binary cross-entropy (Sawant et al. 2026, Eq. 8-11).

Each term takes float maps B x L x H x W, one plane per label, and returns the mean over all B * L planes, a
scalar. Sums are over the pixels of a plane.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

EPSILON = 1.0  # px; with it, Eq. 8 and 10 are defined and have a useful gradient if the target is empty
SMALLEST_GAP = 1e-6  # lower limit of 1 - T; the slope of Eq. 11 grows without bound towards T = 1


class SoftDice(nn.Module):
    """Soft Dice loss 1 - (2 sum(p y) + eps) / (sum(p) + sum(y) + eps) (Eq. 8)."""

    takes_logits = False

    def forward(self, probability_BLHW: torch.Tensor, target_BLHW: torch.Tensor) -> torch.Tensor:
        """Compute Eq. 8.

        Args:
            probability_BLHW: p, float in [0, 1].
            target_BLHW: y, float {0, 1}.

        Returns:
            A scalar in [0, 1].
        """
        both_BL = (probability_BLHW * target_BLHW).sum((2, 3))
        size_BL = probability_BLHW.sum((2, 3)) + target_BLHW.sum((2, 3))
        return (1 - (2 * both_BL + EPSILON) / (size_BL + EPSILON)).mean()


class FocalTversky(nn.Module):
    """Focal Tversky loss (1 - T)^gamma with T = (TP + eps) / (TP + alpha FN + beta FP + eps) (Eq. 9-11).

    Args:
        alpha: weight of false negatives.
        beta: weight of false positives.
        gamma: exponent.
    """

    takes_logits = False

    def __init__(self, *, alpha: float = 0.75, beta: float = 0.3, gamma: float = 0.75) -> None:
        super().__init__()
        self.alpha, self.beta, self.gamma = alpha, beta, gamma

    def forward(self, probability_BLHW: torch.Tensor, target_BLHW: torch.Tensor) -> torch.Tensor:
        """Compute Eq. 9-11.

        Args:
            probability_BLHW: float in [0, 1].
            target_BLHW: float {0, 1}.

        Returns:
            A scalar in [0, 1].
        """
        both_BL = (probability_BLHW * target_BLHW).sum((2, 3))
        added_BL = probability_BLHW.sum((2, 3)) - both_BL
        missed_BL = target_BLHW.sum((2, 3)) - both_BL
        # 1 - T, computed without loss of precision near T = 1.
        wrong_BL = self.alpha * missed_BL + self.beta * added_BL
        gap_BL = wrong_BL / (both_BL + wrong_BL + EPSILON)
        return gap_BL.clamp_min(SMALLEST_GAP).pow(self.gamma).mean()


class BinaryCrossEntropy(nn.Module):
    """Binary cross-entropy -(y log p + (1 - y) log(1 - p)), mean over the pixels.

    It takes logits, which is numerically more stable.
    """

    takes_logits = True

    def forward(self, logits_BLHW: torch.Tensor, target_BLHW: torch.Tensor) -> torch.Tensor:
        """Compute the cross-entropy.

        Args:
            logits_BLHW: float, any range.
            target_BLHW: y, float {0, 1}.

        Returns:
            A scalar, at least 0.
        """
        return functional.binary_cross_entropy_with_logits(logits_BLHW, target_BLHW)
