"""From probabilities to label values."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np


def to_mask(probabilities: np.ndarray, *, labels: Mapping[str, int], threshold: float = 0.5) -> np.ndarray:
    """L x H x W probabilities as H x W uint8 label values: the likeliest label above the threshold."""
    values = np.array(sorted(labels.values()), dtype=np.uint8)
    likeliest = values[probabilities.argmax(axis=0)]
    mask: np.ndarray = np.where(probabilities.max(axis=0) > threshold, likeliest, np.uint8(0))
    return mask
