"""Variants of a dataset: different treatments of the images before preprocessing (paper, 2.2)."""

from __future__ import annotations

from typing import get_args

import cv2
import numpy as np

from cervseg.core.errors import PlanError
from cervseg.core.types import Variant

AUGMENTED = "augmented"  # the unchanged images, and a rotated copy of each; see copies.py
VARIANTS: tuple[Variant, ...] = get_args(Variant)


def apply_variant(pixels: np.ndarray, variant: str) -> np.ndarray:
    """Apply a variant to an image.

    Args:
        pixels: C x H x W uint8, uint16 or float32.
        variant: "original" and "augmented" (unchanged) or "clahe" (OpenCV's CLAHE, clip limit 2.0, 8 x 8
            tiles, at the image's own size; float images are scaled to 16 bit over their range first).

    Returns:
        C x H x W, uint8 or uint16 after CLAHE, else the dtype of ``pixels``.

    Raises:
        PlanError: the variant is unknown.
    """
    if variant in ("original", AUGMENTED):
        return pixels
    if variant == "clahe":
        equalizer = cv2.createCLAHE(clipLimit=2.0, tileGridSize=(8, 8))
        return np.stack([equalizer.apply(np.ascontiguousarray(plane)) for plane in _as_integers(pixels)])
    raise PlanError(f"unknown variant {variant!r}", hint=f"choose one of: {', '.join(VARIANTS)}")


def _as_integers(pixels: np.ndarray) -> np.ndarray:
    """Scale float images to uint16 over their range; integer images are unchanged."""
    if pixels.dtype in (np.uint8, np.uint16):
        return pixels
    low, high = float(pixels.min()), float(pixels.max())
    scaled = (pixels - low) / max(high - low, 1e-12) * 65535.0
    return np.round(scaled).astype(np.uint16)
