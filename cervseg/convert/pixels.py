"""The pixels of an image on their way into a dataset."""

from __future__ import annotations

import numpy as np

from cervseg.core.errors import DatasetError
from cervseg.core.types import RawImage


def as_integers(plane: np.ndarray) -> tuple[np.ndarray, bool]:
    """Convert a plane to a type that PNG stores.

    Args:
        plane: H x W; uint8 and uint16 are kept, floating point is scaled from its own range to 16 bits.

    Returns:
        H x W uint8 or uint16, and whether the plane was scaled.
    """
    if plane.dtype in (np.uint8, np.uint16):
        return plane, False
    low, high = float(plane.min()), float(plane.max())
    return np.rint((plane - low) * (65535 / max(high - low, 1e-12))).astype(np.uint16), True


def check_same_size(image: RawImage, other: np.ndarray, *, name: str) -> None:
    """Check that an image and its mask, or the like, have one size.

    Args:
        image: the image.
        other: H x W, or H x W x channels.
        name: the other's name for the message, such as "its mask a.png".

    Raises:
        DatasetError: the sizes differ.
    """
    plane = image.pixels[0]
    if plane.shape != other.shape[:2]:
        raise DatasetError(
            f"the image has {size_text(plane)} pixels, {name} {size_text(other)}",
            where=image.path,
            hint="Export both at the same size",
        )


def size_text(plane: np.ndarray) -> str:
    """``WIDTH x HEIGHT``."""
    return f"{plane.shape[1]} x {plane.shape[0]}"
