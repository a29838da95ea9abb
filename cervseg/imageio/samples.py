"""Valid sizes, values and dtypes of the samples of images and masks, for all file formats."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cervseg.core.errors import ImageError
from cervseg.core.types import SpacingMm

MIN_SIDE_PX = 16
MAX_PIXELS = 100_000_000


@dataclass(frozen=True, kw_only=True)
class Plane:
    """One plane of a file, H x W, with its spacing (row, column) in mm and the tag or header of that."""

    samples: np.ndarray
    spacing_mm: SpacingMm | None = None
    spacing_source: str = ""
    is_colour: bool = False


def check_size(size: tuple[int, ...], *, path: Path) -> None:
    """Reject a picture that is empty or too large, before it is decoded.

    Raises:
        ImageError: more than 100 million pixels, or none.
    """
    height, width = size[:2]
    if height * width > MAX_PIXELS:
        raise ImageError(
            f"the image has {width} x {height} pixels, more than {MAX_PIXELS // 1_000_000} million",
            where=path,
            hint="reduce or crop the image",
        )
    if min(height, width) < 1:
        raise ImageError(f"the image has {width} x {height} pixels", where=path)


def as_image(plane: np.ndarray, *, path: Path) -> np.ndarray:
    """Convert H x W samples to 1 x H x W uint8 or uint16 if these hold every value, else float32.

    Raises:
        ImageError: a side is shorter than 16 px, or values are NaN or infinite.
    """
    height, width = plane.shape
    if min(height, width) < MIN_SIDE_PX:
        raise ImageError(
            f"the image has {width} x {height} pixels, the minimum is {MIN_SIDE_PX} per side", where=path
        )
    if plane.dtype.kind == "f" and not np.isfinite(plane).all():
        raise ImageError(
            "the image has NaN or infinite values", where=path, hint="replace them and export it again"
        )
    return np.ascontiguousarray(_narrowed(plane))[np.newaxis]


def as_mask(plane: np.ndarray, *, path: Path) -> np.ndarray:
    """Convert H x W samples to H x W uint8 or uint16 label values, exactly.

    Raises:
        ImageError: the values are not integers in [0, 65535].
    """
    narrow = _narrowed(plane)
    if narrow.dtype.kind == "f":
        raise ImageError("label values must be integers in [0, 65535]", where=path)
    return np.ascontiguousarray(narrow)


def _narrowed(plane: np.ndarray) -> np.ndarray:
    if plane.dtype in (np.uint8, np.uint16) and plane.dtype.isnative:
        return plane
    if plane.dtype.kind == "b":
        return plane.astype(np.uint8)
    low, high = float(plane.min()), float(plane.max())  # NaN fails every comparison below
    if low >= 0 and high <= 65535:
        whole = plane.astype(np.uint8 if high <= 255 else np.uint16)
        if plane.dtype.kind in "ui" or np.array_equal(whole, plane):
            return whole
    return plane.astype(np.float32)
