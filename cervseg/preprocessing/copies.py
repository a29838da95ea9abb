"""The copies of the variant "augmented": each image once more, turned and moved (paper, 2.2).

A copy lives in the cache alone. It has its source's group, is trained on only where its source is, and is
never validated on; prediction treats images as the variant "original" does.
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
    """What the copy of a case is called in the cache."""
    return case + ENDING


def turned_copy(
    pixels: np.ndarray, mask: np.ndarray | None, *, case: str
) -> tuple[np.ndarray, np.ndarray | None]:
    """An image and its mask turned about their centre and moved, at the image's own size.

    One of the four rotations and one translation in x and in y, drawn by the case's id alone. The image is
    interpolated linearly, the mask takes the nearest pixel; what comes in from beyond the edge is 0.

    Args:
        pixels: C x H x W uint8, uint16 or float32.
        mask: H x W label values, or None.

    Returns:
        The same shapes and dtypes.
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
