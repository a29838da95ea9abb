"""Overlap of two masks: confusion counts, Dice, IoU and volume similarity (Eq. 15-17)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Confusion:
    """Pixel counts of a binary prediction against its reference.

    The three metrics are in [0, 1], 1 is best. They are None (undefined) where both masks are empty.
    """

    num_tp: int
    num_fp: int
    num_fn: int
    num_tn: int

    @property
    def num_prediction(self) -> int:
        """Foreground pixels of the prediction."""
        return self.num_tp + self.num_fp

    @property
    def num_reference(self) -> int:
        """Foreground pixels of the reference."""
        return self.num_tp + self.num_fn

    @property
    def dice(self) -> float | None:
        """2 TP / (2 TP + FP + FN), Eq. 15."""
        both = self.num_prediction + self.num_reference
        return 2 * self.num_tp / both if both else None

    @property
    def iou(self) -> float | None:
        """TP / (TP + FP + FN), Eq. 16."""
        union = self.num_tp + self.num_fp + self.num_fn
        return self.num_tp / union if union else None

    @property
    def volume_similarity(self) -> float | None:
        """1 - |(TP + FP) - (TP + FN)| / ((TP + FP) + (TP + FN)), Eq. 17."""
        both = self.num_prediction + self.num_reference
        return 1 - abs(self.num_prediction - self.num_reference) / both if both else None


def confusion(prediction: NDArray[np.bool_], reference: NDArray[np.bool_]) -> Confusion:
    """Count true and false positives and negatives.

    Args:
        prediction: H x W bool.
        reference: H x W bool.

    Raises:
        ValueError: the shapes differ.
    """
    if prediction.shape != reference.shape:
        raise ValueError(f"shapes differ: {prediction.shape} and {reference.shape}")
    num_tp = int(np.count_nonzero(prediction & reference))
    num_prediction = int(np.count_nonzero(prediction))
    num_reference = int(np.count_nonzero(reference))
    num_union = num_prediction + num_reference - num_tp
    return Confusion(
        num_tp=num_tp,
        num_fp=num_prediction - num_tp,
        num_fn=num_reference - num_tp,
        num_tn=int(reference.size) - num_union,
    )
