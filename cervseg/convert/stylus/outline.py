"""The inside of a drawn outline, up to the middle of its stroke for strokes of any width."""

from __future__ import annotations

import cv2
import numpy as np
from scipy import ndimage

EDGES = ("middle", "outer", "inner")
# Where two sides of an outline merge, the stroke is wider than this multiple of the usual width.
_MAX_WIDENING = 1.8
_SLACK = 1.1
# An enclosed area below this share of the largest one is a flaw in the stroke.
MIN_SHARE = 0.05


def inside_of(strokes: np.ndarray, *, edge: str) -> np.ndarray:
    """Fill what strokes enclose.

    The middle of a stroke is equally far from the enclosed area and from the outside, also where the width
    changes along the stroke.

    Args:
        strokes: H x W bool.
        edge: where the area ends: on the "middle", the "outer" or the "inner" side of the stroke.

    Returns:
        H x W bool.
    """
    filled = ndimage.binary_fill_holes(strokes)
    enclosed = filled & ~strokes
    if edge == "outer":
        return np.asarray(filled)
    if edge == "inner" or not enclosed.any():
        return np.asarray(enclosed)
    to_outside, to_enclosed = distance_to(~filled), distance_to(enclosed)
    half_px = _half_width(strokes, to_outside, to_enclosed)
    is_inner_side = (to_enclosed < to_outside) & (to_enclosed <= half_px)
    # Where an outline is thinner than the pen, its sides merge and no enclosed area is near.
    is_merged = (to_enclosed >= to_outside) & (to_outside > half_px)
    return np.asarray(enclosed | (strokes & (is_inner_side | is_merged)))


def _half_width(strokes: np.ndarray, to_outside: np.ndarray, to_enclosed: np.ndarray) -> np.ndarray:
    """Estimate half the stroke's width in px, H x W, at the nearest place with free area on both sides.

    It is a little more than measured, as the pressure of a hand changes. Between two outlines that touch,
    pixels farther than this from both insides belong to neither.
    """
    middle = strokes & (np.abs(to_outside - to_enclosed) <= 1)
    if not middle.any():
        return np.full(strokes.shape, np.inf, np.float32)
    clean = middle & (to_outside <= _MAX_WIDENING * np.median(to_outside[middle]))
    _, nearest = cv2.distanceTransformWithLabels(
        (~clean).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    widths = np.zeros(int(nearest.max()) + 1, np.float32)
    widths[nearest[clean]] = to_outside[clean]
    return np.asarray(_SLACK * widths[nearest] + 0.5)


def num_between(stroke: np.ndarray, *, width_px: float) -> int:
    """Count the areas enclosed by a stroke that hardly border on the outside.

    Args:
        stroke: H x W bool.
        width_px: the stroke's usual width.
    """
    filled = ndimage.binary_fill_holes(stroke)
    holes, num = ndimage.label(filled & ~stroke)
    if num < 2:
        return 0
    sizes = np.bincount(holes.ravel())
    reach = width_px + 2
    found = 0
    for number in range(1, num + 1):
        if sizes[number] < MIN_SHARE * sizes[1:].max():
            continue
        ring = (distance_to(holes == number) <= reach) & (holes != number)
        outside = np.count_nonzero(ring & ~filled) / max(int(np.count_nonzero(ring)), 1)
        found += int(outside < 0.25 * 2 / reach)
    return found


def distance_to(ground: np.ndarray) -> np.ndarray:
    """Compute each pixel's distance to the nearest pixel of ``ground``, H x W bool; very large if empty."""
    return cv2.distanceTransform((~ground).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
