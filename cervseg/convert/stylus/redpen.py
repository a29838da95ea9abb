"""The red pixels of a picture: strokes of a stylus (paper, 2.2), found by hue and chroma."""

from __future__ import annotations

import cv2
import numpy as np

# Hue in OpenCV's half degrees; the paper's two bands, 0-10 and 160-180.
LOW_BAND_END = 10
HIGH_BAND_START = 160
# Chroma is the largest minus the smallest of R, G and B. It is 0 in a grey image, but up to about 25 after
# JPEG; a pen's must be clearly above that.
MIN_PEN_CHROMA = 60.0
MIN_CHROMA = 30.0
_CUT = 0.4
_PEN_PERCENTILE = 90


def red_chroma(picture: np.ndarray) -> np.ndarray:
    """Compute the chroma where the hue is in the paper's two bands, else 0.

    Where a pen's edge is blended with the grey image below, chroma is the pen's chroma times the share of the
    pixel that the pen covers, for any grey. Saturation, which the paper may have used, depends on the grey.

    Args:
        picture: H x W x 3 uint8, RGB.

    Returns:
        H x W float32 in [0, 255].
    """
    hue = cv2.cvtColor(picture, cv2.COLOR_RGB2HSV)[:, :, 0]
    chroma: np.ndarray = picture.max(axis=2).astype(np.float32) - picture.min(axis=2)
    chroma[(hue > LOW_BAND_END) & (hue < HIGH_BAND_START)] = 0
    return chroma


def cut_of(chroma: np.ndarray) -> float | None:
    """Choose the chroma above which a pixel belongs to a stroke: 0.4 of the pen's own, None without red.

    It is a little below half, as JPEG spreads the colour of a thin stroke over its neighbours.

    Args:
        chroma: H x W float32 in [0, 255], from :func:`red_chroma`.
    """
    strong = chroma[chroma >= MIN_PEN_CHROMA]
    if not strong.size:
        return None
    return max(MIN_CHROMA, _CUT * float(np.percentile(strong, _PEN_PERCENTILE)))
