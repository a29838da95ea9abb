"""Structural similarity of two masks (SSIM, Eq. 18) and mean absolute error of probabilities (MAE)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

SSIM_WINDOW_PX = 11  # the window of scikit-image for sigma 1.5, truncated at 3.5 sigma
SSIM_SIGMA_PX = 1.5
_RADIUS_PX = SSIM_WINDOW_PX // 2


def ssim(prediction: NDArray[np.bool_], reference: NDArray[np.bool_]) -> float | None:
    """Mean structural similarity of two masks as images of 0 and 1, Eq. 18.

    11 x 11 Gaussian window, sigma 1.5 px, C1 = 0.01^2, C2 = 0.03^2. As in scikit-image, the mean is over all
    pixels that are at least 5 px from the image's border. The SSIM of two empty masks is 1.

    A window in which the masks are equal has a similarity of 1. Only the surroundings of the differing pixels
    are computed; the result is that of the whole image.

    Args:
        prediction: H x W bool.
        reference: H x W bool.

    Returns:
        A value in [-1, 1]; None where a side of the image is shorter than the window.

    Raises:
        ValueError: the shapes differ.
    """
    if prediction.shape != reference.shape:
        raise ValueError(f"shapes differ: {prediction.shape} and {reference.shape}")
    height, width = reference.shape
    if min(height, width) < SSIM_WINDOW_PX:
        return None
    differs = prediction ^ reference
    rows, columns = np.flatnonzero(differs.any(axis=1)), np.flatnonzero(differs.any(axis=0))
    if not rows.size:
        return 1.0
    from skimage.metrics import structural_similarity  # here, so that --help loads no scikit-image

    window = _surroundings(rows, height), _surroundings(columns, width)
    similarity: Any = structural_similarity  # scikit-image carries no types
    _, similarities = similarity(
        prediction[window].astype(np.float64),
        reference[window].astype(np.float64),
        data_range=1.0,
        gaussian_weights=True,
        sigma=SSIM_SIGMA_PX,
        use_sample_covariance=False,
        full=True,
    )
    inner = _inner_part(window[0], height), _inner_part(window[1], width)
    num_pixels = (height - 2 * _RADIUS_PX) * (width - 2 * _RADIUS_PX)
    loss = float(np.sum(1.0 - similarities[inner]))
    return 1.0 - loss / float(num_pixels)


def mean_absolute_error(probabilities: NDArray[Any], reference: NDArray[np.bool_]) -> float:
    """Mean of |p - y| over the whole image ("global MAE").

    Args:
        probabilities: H x W float in [0, 1].
        reference: H x W bool.

    Returns:
        A value in [0, 1], 0 is best.

    Raises:
        ValueError: the shapes differ.
    """
    if probabilities.shape != reference.shape:
        raise ValueError(f"shapes differ: {probabilities.shape} and {reference.shape}")
    errors = np.abs(probabilities.astype(np.float32) - reference)
    return float(errors.mean(dtype=np.float64))


def mean_absolute_error_foreground(probabilities: NDArray[Any], reference: NDArray[np.bool_]) -> float | None:
    """Mean of |p - y| inside the reference mask.

    Args:
        probabilities: H x W float in [0, 1].
        reference: H x W bool.

    Returns:
        A value in [0, 1], 0 is best; None where the reference is empty.

    Raises:
        ValueError: the shapes differ.
    """
    if probabilities.shape != reference.shape:
        raise ValueError(f"shapes differ: {probabilities.shape} and {reference.shape}")
    inside = probabilities[reference].astype(np.float32)
    return float(np.abs(1.0 - inside).mean(dtype=np.float64)) if inside.size else None


def _surroundings(positions: NDArray[np.intp], size: int) -> slice:
    # One radius reaches every window that contains a difference. A second radius gives these windows their
    # true neighbors: scikit-image mirrors pixels at the crop's edge, and there both masks are equal.
    margin = 2 * _RADIUS_PX
    return slice(max(0, int(positions[0]) - margin), min(size, int(positions[-1]) + margin + 1))


def _inner_part(window: slice, size: int) -> slice:
    # The part of the crop that is at least a radius from the image's border, in the crop's own indices.
    start = max(_RADIUS_PX, window.start) - window.start
    stop = min(size - _RADIUS_PX, window.stop) - window.start
    return slice(start, stop)
