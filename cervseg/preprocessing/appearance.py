"""Coarse layout of an image, for comparison with the images of a training set."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

SIDE = 5  # thumbnails have SIDE x SIDE cells
_SAMPLES_PER_SIDE = 512  # enough for the mean of a cell, and fast for images of any size


def thumbnail(pixels: np.ndarray) -> np.ndarray:
    """Average an image over a grid of cells and normalize the result.

    Args:
        pixels: C x H x W uint8, uint16 or float32; the first channel is used.

    Returns:
        SIDE x SIDE float64 with mean 0 and standard deviation 1; all 0 for a constant image.
    """
    step = 1 + max(pixels.shape[1:]) // _SAMPLES_PER_SIDE
    sampled = np.ascontiguousarray(pixels[0, ::step, ::step])
    cells = cv2.resize(sampled, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return _normalized(cells.astype(np.float64))


def mean_thumbnail(thumbnails: Sequence[np.ndarray]) -> np.ndarray:
    """Average SIDE x SIDE thumbnails and normalize the result."""
    return _normalized(np.mean(thumbnails, axis=0))


def similarity(first: np.ndarray, second: np.ndarray) -> float:
    """Return the correlation of two thumbnails, in [-1, 1]: 1 if equal, -1 if inverted."""
    return float((first * second).mean())


def _normalized(cells: np.ndarray) -> np.ndarray:
    centred = cells - cells.mean()
    deviation = float(centred.std())
    normalized: np.ndarray = centred / deviation if deviation > 0 else centred
    return normalized
