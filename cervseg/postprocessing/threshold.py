"""Conversion of probabilities to label values."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np


def to_mask(probabilities: np.ndarray, *, labels: Mapping[str, int], threshold: float = 0.5) -> np.ndarray:
    """Select the most probable label of each pixel if its probability is above the threshold.

    Args:
        probabilities: L x H x W in [0, 1], one plane per label in the order of the values.
        labels: foreground names -> values.
        threshold: pixels without a probability above it are background.

    Returns:
        H x W uint8 label values.
    """
    values = np.array(sorted(labels.values()), dtype=np.uint8)
    most_probable = values[probabilities.argmax(axis=0)]
    mask: np.ndarray = np.where(probabilities.max(axis=0) > threshold, most_probable, np.uint8(0))
    return mask
