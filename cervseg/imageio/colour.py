"""Grey and colour: luminance of colours, grey as RGB, and the test for real colours."""

from __future__ import annotations

import cv2
import numpy as np

# JPEG changes the equal channels of a grey picture by a few grey levels; real colours differ by far more.
COLOR_TOLERANCE = 1 / 8


def grey_to_rgb(grey: np.ndarray) -> np.ndarray:
    """Repeat one plane, H x W of uint8, uint16 or float32, as three equal channels, H x W x 3."""
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(grey), cv2.COLOR_GRAY2RGB))


def luminance(pixels: np.ndarray, *, blue_first: bool = False) -> np.ndarray:
    """Weight colours as 0.299 R + 0.587 G + 0.114 B; equal channels are returned as they are.

    Args:
        pixels: H x W, or H x W x C; with 1 or 2 channels the first is grey, of 3 or 4 the first three are
            colours; a second or fourth channel is transparency and is dropped.
        blue_first: the channels are blue, green, red, as in OpenCV.

    Returns:
        H x W of the same dtype; float32 for dtypes other than uint8, uint16 and float32.
    """
    if pixels.ndim == 2:
        return pixels
    if pixels.shape[2] < 3 or channel_spread(pixels) == 0:
        return np.ascontiguousarray(pixels[:, :, 0])
    if pixels.dtype not in (np.uint8, np.uint16, np.float32):
        pixels = pixels.astype(np.float32)
    code = cv2.COLOR_BGR2GRAY if blue_first else cv2.COLOR_RGB2GRAY
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(pixels[:, :, :3]), code))


def is_colour(pixels: np.ndarray) -> bool:
    """Do the channels, H x W x C, differ by more than JPEG's errors?"""
    return channel_spread(pixels) > COLOR_TOLERANCE


def channel_spread(pixels: np.ndarray) -> float:
    """Return the largest difference between the channels of one pixel, as a fraction of the range.

    Args:
        pixels: H x W, or H x W x C; a second or fourth channel is transparency and is ignored. The range is
            that of the integer type, or the maximum of floating-point pixels.
    """
    if pixels.ndim == 2 or pixels.shape[2] < 3:
        return 0.0
    first, second, third = (pixels[:, :, channel] for channel in range(3))
    if np.array_equal(first, second) and np.array_equal(first, third):
        return 0.0
    low = np.minimum(np.minimum(first, second), third).astype(np.float32)
    high = np.maximum(np.maximum(first, second), third).astype(np.float32)
    full = float(np.iinfo(pixels.dtype).max) if pixels.dtype.kind in "ui" else float(high.max())
    return float((high - low).max()) / max(full, 1e-12)
