"""Conversion of probabilities to label values."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np


def to_mask(
    probabilities: np.ndarray,
    *,
    labels: Mapping[str, int],
    auxiliary: Collection[str] = (),
    threshold: float = 0.5,
) -> np.ndarray:
    """Select the most probable label of each pixel if its probability is above the threshold.

    Auxiliary labels compete for a pixel like the others, and a pixel whose most probable label is auxiliary
    is background. That is their use: a pixel of T1 is not taken for C7 where the network knows T1.

    Args:
        probabilities: L x H x W in [0, 1], one plane per label in the order of the values.
        labels: foreground names -> values.
        auxiliary: names of the labels that are not shown.
        threshold: pixels without a probability above it are background.

    Returns:
        H x W uint8 label values.
    """
    ordered = sorted(labels.items(), key=lambda item: item[1])
    values = np.array([0 if name in auxiliary else value for name, value in ordered], dtype=np.uint8)
    most_probable = values[probabilities.argmax(axis=0)]
    mask: np.ndarray = np.where(probabilities.max(axis=0) > threshold, most_probable, np.uint8(0))
    return mask
