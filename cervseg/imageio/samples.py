"""Sizes, values and types that an image's or a mask's samples may have, whatever file they came from."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cervseg.core.errors import ImageError

MIN_SIDE_PX = 16
MAX_PIXELS = 100_000_000
# JPEG spoils the equality of a grey picture's channels by a few grey levels; real colours differ by far more.
COLOR_TOLERANCE = 1 / 8


def check_size(size: tuple[int, ...], *, path: Path) -> None:
    """Refuse a picture that is too large to work with, before it is decoded.

    Raises:
        ImageError: more than 100 million pixels, or none.
    """
    height, width = size[:2]
    if height * width > MAX_PIXELS:
        raise ImageError(
            f"has {width} x {height} pixels, more than {MAX_PIXELS // 1_000_000} million",
            where=path,
            hint="Make it smaller or cut the image out.",
        )
    if min(height, width) < 1:
        raise ImageError(f"has {width} x {height} pixels", where=path)


def channel_spread(pixels: np.ndarray) -> float:
    """The largest difference between the colours of one pixel, as a share of the type's (a float: own) range.

    Args:
        pixels: H x W, or H x W x C; a second or fourth channel is transparency and does not count.
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


def as_image(plane: np.ndarray, *, path: Path) -> np.ndarray:
    """H x W samples as 1 x H x W uint8 or uint16 if these hold every value, else float32.

    Raises:
        ImageError: a side shorter than 16 px, or NaN or infinite values.
    """
    height, width = plane.shape
    if min(height, width) < MIN_SIDE_PX:
        raise ImageError(
            f"has only {width} x {height} pixels, an image has at least {MIN_SIDE_PX} a side", where=path
        )
    if plane.dtype.kind == "f" and not np.isfinite(plane).all():
        raise ImageError(
            "holds NaN or infinite values", where=path, hint="Replace them, then export it again."
        )
    return np.ascontiguousarray(_narrowed(plane))[np.newaxis]


def as_mask(plane: np.ndarray, *, path: Path) -> np.ndarray:
    """H x W samples as H x W uint8 or uint16 label values, exactly.

    Raises:
        ImageError: they are not whole numbers from 0 to 65535.
    """
    narrow = _narrowed(plane)
    if narrow.dtype.kind == "f":
        raise ImageError("holds values that are no label numbers (whole, 0 to 65535)", where=path)
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
