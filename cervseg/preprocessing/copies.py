"""Copies of the variant "augmented": each image rotated and translated (paper, 2.2).

Copies exist in the cache only. A copy has the group of its source, is in the training set only together with
its source, and is never in the validation set. Predictions use the images as the variant "original" does.
"""

from __future__ import annotations

import hashlib

import cv2
import numpy as np

from cervseg.core.geometry import about_centre

ROTATIONS_DEG = (-45.0, -10.0, 10.0, 45.0)
TRANSLATIONS_PX = (-10.0, 10.0)
ENDING = "__copy"


def copy_id(case: str) -> str:
    """Return the id of the copy of a case."""
    return case + ENDING


def rotated_copy(
    pixels: np.ndarray, mask: np.ndarray | None, *, case: str
) -> tuple[np.ndarray, np.ndarray | None]:
    """Rotate an image and its mask about the centre and translate them, at the image's size.

    The rotation (one of four) and the translations in x and y are drawn with the case id as seed. Linear
    interpolation for the image, nearest neighbour for the mask; pixels from outside the image are 0.

    Args:
        pixels: C x H x W uint8, uint16 or float32.
        mask: H x W label values, or None.
        case: id of the case.

    Returns:
        Image and mask, in the same shapes and dtypes.
    """
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(case.encode()).digest()[:8], "big"))
    height, width = pixels.shape[1:]
    matrix = about_centre(
        size=(height, width),
        rotation_deg=float(rng.choice(ROTATIONS_DEG)),
        scale=1.0,
        shear_deg=0.0,
        translation_px=(float(rng.choice(TRANSLATIONS_PX)), float(rng.choice(TRANSLATIONS_PX))),
    )[:2]
    planes = [cv2.warpAffine(plane, matrix, (width, height), flags=cv2.INTER_LINEAR) for plane in pixels]
    if mask is None:
        return np.stack(planes), None
    return np.stack(planes), cv2.warpAffine(mask, matrix, (width, height), flags=cv2.INTER_NEAREST)
