"""Overlap terms: Dice, focal Tversky and binary cross-entropy (Sawant et al. 2026, Eq. 8-11).

Each takes float maps B x L x H x W, one plane a label, and returns the mean over all B * L planes, a
scalar. Sums run over the pixels of a plane.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

EPSILON = 1.0  # px: keeps Eq. 8 and 10 defined, and pulling the right way, where the target is empty
SMALLEST_GAP = 1e-6  # of 1 - T: below it Eq. 11 is flat, since its slope grows without bound towards T = 1


class SoftDice(nn.Module):
    """1 - (2 sum(p y) + eps) / (sum(p) + sum(y) + eps) (Eq. 8)."""

    takes_logits = False

    def forward(self, probability_BLHW: torch.Tensor, target_BLHW: torch.Tensor) -> torch.Tensor:
        """Eq. 8 of probabilities in [0, 1] and targets in {0, 1}; in [0, 1]."""
        both_BL = (probability_BLHW * target_BLHW).sum((2, 3))
        size_BL = probability_BLHW.sum((2, 3)) + target_BLHW.sum((2, 3))
        return (1 - (2 * both_BL + EPSILON) / (size_BL + EPSILON)).mean()


class FocalTversky(nn.Module):
    """(1 - T)^gamma, T = (TP + eps) / (TP + alpha FN + beta FP + eps) (Eq. 9-11).

    Args:
        alpha: weight of what was missed (false negatives).
        beta: weight of what was added (false positives).
        gamma: exponent.
    """

    takes_logits = False

    def __init__(self, *, alpha: float = 0.75, beta: float = 0.3, gamma: float = 0.75) -> None:
        super().__init__()
        self.alpha, self.beta, self.gamma = alpha, beta, gamma

    def forward(self, probability_BLHW: torch.Tensor, target_BLHW: torch.Tensor) -> torch.Tensor:
        """Eq. 9-11 of probabilities in [0, 1] and targets in {0, 1}; in [0, 1]."""
        both_BL = (probability_BLHW * target_BLHW).sum((2, 3))
        added_BL = probability_BLHW.sum((2, 3)) - both_BL
        missed_BL = target_BLHW.sum((2, 3)) - both_BL
        # 1 - T, written so that it loses no digits near T = 1.
        wrong_BL = self.alpha * missed_BL + self.beta * added_BL
        gap_BL = wrong_BL / (both_BL + wrong_BL + EPSILON)
        return gap_BL.clamp_min(SMALLEST_GAP).pow(self.gamma).mean()


class BinaryCrossEntropy(nn.Module):
    """-(y log p + (1 - y) log(1 - p)), mean over the pixels; takes logits, for exactness."""

    takes_logits = True

    def forward(self, logits_BLHW: torch.Tensor, target_BLHW: torch.Tensor) -> torch.Tensor:
        """Cross-entropy of logits and targets in {0, 1}; at least 0."""
        return functional.binary_cross_entropy_with_logits(logits_BLHW, target_BLHW)
