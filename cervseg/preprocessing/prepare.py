"""From an image to a network's frame, for training and prediction alike.

An image is area-averaged to the size of the cache, averaged again by an integer factor if the network is much
smaller, and mapped to the network frame by one affine warp. Augmentation is composed into the same warp, so a
training image is interpolated exactly once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from cervseg.core.geometry import WHOLE, Box, Placement, place, scale_matrix, transform_points
from cervseg.core.types import Configuration, PreparedCase, SpacingMm
from cervseg.preprocessing.variants import apply_variant

# Pixel statistics of SAM, averaged over its three channels and scaled to [0, 1].
SAM_MEAN = (123.675 + 116.28 + 103.53) / 3 / 255
SAM_STD = (58.395 + 57.12 + 57.375) / 3 / 255


@dataclass(frozen=True, kw_only=True)
class Frame:
    """An image close to the network's resolution, ready for the warp into the network frame.

    Args:
        planes: C x h x w float32 in [0, 1], the image at about the network's resolution or finer.
        coverage: L x h x w uint8, fraction of each pixel that a label covers, times 255; None without a mask.
        image_size: (height, width) of the original image.
        normalization: see :class:`Configuration`.
        network_size: (height, width) of the network frame.
        resize: see :class:`Configuration`.
        crop: see :class:`Configuration`.
        spacing_mm: the image's spacing.
    """

    planes: np.ndarray
    coverage: np.ndarray | None
    image_size: tuple[int, int]
    normalization: str
    network_size: tuple[int, int]
    resize: str
    crop: Box = WHOLE
    spacing_mm: SpacingMm | None = None

    @property
    def placement(self) -> Placement:
        """The placement of the image in the network frame, without augmentation."""
        return place(
            image_size=self.image_size,
            network_size=self.network_size,
            resize=self.resize,
            crop=self.crop,
        )

    @cached_property
    def label_box(self) -> tuple[int, int, int, int]:
        """Bounding box of all labels in ``coverage``, (left, top, right, bottom) in px; 0 without labels."""
        if self.coverage is None:
            return 0, 0, 0, 0
        left, top, width, height = cv2.boundingRect(self.coverage.max(axis=0))
        return left, top, left + width, top + height


def shrink(pixels: np.ndarray, *, long_side_px: int) -> np.ndarray:
    """Area-average C x H x W to a long side of at most ``long_side_px``; smaller images are unchanged."""
    height, width = pixels.shape[1:]
    factor = long_side_px / max(height, width)
    if factor >= 1:
        return pixels
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return np.stack([cv2.resize(plane, size, interpolation=cv2.INTER_AREA) for plane in pixels])


def label_coverage(mask: np.ndarray, *, labels: Mapping[str, int], size: tuple[int, int]) -> np.ndarray:
    """Compute the fraction of each pixel of a smaller frame that every label covers.

    Args:
        mask: H x W label values.
        labels: foreground names -> values; the planes are in the order of the values.
        size: (height, width) of the result.

    Returns:
        L x height x width uint8, 0 (nothing) to 255 (all).
    """
    planes = [(mask == value).astype(np.uint8) * np.uint8(255) for value in sorted(labels.values())]
    if mask.shape == tuple(size):
        return np.stack(planes)
    return np.stack([cv2.resize(p, (size[1], size[0]), interpolation=cv2.INTER_AREA) for p in planes])


def make_frame(
    pixels: np.ndarray,
    *,
    configuration: Configuration,
    image_size: tuple[int, int],
    coverage: np.ndarray | None = None,
    spacing_mm: SpacingMm | None = None,
) -> Frame:
    """Bring a cached (already shrunk) image close to the network's resolution.

    Args:
        pixels: C x H x W uint8, uint16 or float32, at most the cache's size.
        configuration: input size, resize and normalization of the network.
        image_size: (height, width) of the original image.
        coverage: L x H x W uint8 (see :func:`label_coverage`) of the same size as ``pixels``, or None.
        spacing_mm: (row, column) of the original image in mm, or None.
    """
    height, width = pixels.shape[1:]
    placement = place(
        image_size=(height, width),
        network_size=configuration.input_size,
        resize=configuration.resize,
        crop=configuration.crop,
    )
    matrix = placement.matrix_to_network
    # Averaging by integer factors leaves a scale of 1 to 2 for the warp: no aliasing, little blur.
    factor_x, factor_y = max(1, int(1 / matrix[0, 0])), max(1, int(1 / matrix[1, 1]))
    size = (max(1, width // factor_x), max(1, height // factor_y))
    planes = scale_to_unit(pixels)
    if size != (width, height):
        planes = np.stack([cv2.resize(p, size, interpolation=cv2.INTER_AREA) for p in planes])
        if coverage is not None:
            coverage = np.stack([cv2.resize(p, size, interpolation=cv2.INTER_AREA) for p in coverage])
    return Frame(
        planes=planes,
        coverage=coverage,
        image_size=image_size,
        normalization=configuration.normalization,
        network_size=configuration.input_size,
        resize=configuration.resize,
        crop=configuration.crop,
        spacing_mm=spacing_mm,
    )


def scale_to_unit(pixels: np.ndarray) -> np.ndarray:
    """Scale C x H x W to float32 in [0, 1]: integers by the range of the dtype, floats by their own."""
    if pixels.dtype == np.uint8:
        return pixels.astype(np.float32) / np.float32(255)
    if pixels.dtype == np.uint16:
        # Images of 10, 12 or 14 bits are stored in 16; the range of the dtype would make them nearly black.
        top = max(255, (1 << int(pixels.max()).bit_length()) - 1)
        return pixels.astype(np.float32) / np.float32(top)
    low, high = float(pixels.min()), float(pixels.max())
    return ((pixels - low) / max(high - low, 1e-12)).astype(np.float32)


def warp_image(
    frame: Frame, *, augmentation: np.ndarray | None = None, displacement: np.ndarray | None = None
) -> np.ndarray:
    """Warp the image to its network frame: C x h x w float32 in [0, 1], margins 0.

    Args:
        frame: the image.
        augmentation: a 3 x 3 affine matrix within the network frame (see ``geometry.about_centre``).
        displacement: h x w x 2 float32, (x, y) in px of the network frame: the result at p is the affinely
            warped image at p + displacement(p), in the same interpolation.
    """
    matrix = _frame_matrix(frame, augmentation)
    return _warp(frame.planes, matrix, size=frame.network_size, displacement=displacement)


def warp_target(
    frame: Frame, *, augmentation: np.ndarray | None = None, displacement: np.ndarray | None = None
) -> np.ndarray:
    """Warp the labels to the network frame: L x h x w float32, 0 or 1.

    Args:
        frame: the image with its labels.
        augmentation: as in :func:`warp_image`.
        displacement: as in :func:`warp_image`.

    Raises:
        ValueError: the frame has no labels.
    """
    if frame.coverage is None:
        raise ValueError("this frame has no labels")
    target = np.zeros((len(frame.coverage), *frame.network_size), dtype=np.float32)
    matrix = _frame_matrix(frame, augmentation)
    # Labels cover a small part of an image: only the part of the frame that they can reach is computed.
    farthest_px = 0.0 if displacement is None else float(cv2.norm(displacement, cv2.NORM_INF))
    left, top, right, bottom = _reached(
        frame.label_box, matrix, size=frame.network_size, farthest_px=farthest_px
    )
    if left < right and top < bottom:
        matrix[:2, 2] -= (left, top)
        part = None if displacement is None else displacement[top:bottom, left:right]
        planes = _warp(frame.coverage, matrix, size=(bottom - top, right - left), displacement=part)
        target[:, top:bottom, left:right] = planes >= 128
    return target


def _reached(
    box: tuple[int, int, int, int], matrix: np.ndarray, *, size: tuple[int, int], farthest_px: float = 0.0
) -> tuple[int, int, int, int]:
    """Bound the part of a frame that pixels of a box can reach.

    Args:
        box: (left, top, right, bottom) in the source; right and bottom are exclusive.
        matrix: 3 x 3, from the source to the frame.
        size: (height, width) of the frame.
        farthest_px: largest displacement along an axis after the matrix.
    """
    left, top, right, bottom = box
    # Interpolation spreads a pixel by one pixel, and rounding of coordinates by another one.
    corners = [(x, y) for x in (left - 1, right) for y in (top - 1, bottom)]
    moved = transform_points(np.array(corners, dtype=np.float64), matrix)
    low = np.floor(moved.min(axis=0) - farthest_px) - 1
    high = np.ceil(moved.max(axis=0) + farthest_px) + 2
    low, high = np.clip(low, 0, size[::-1]).astype(int), np.clip(high, 0, size[::-1]).astype(int)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def _warp(
    planes: np.ndarray, matrix: np.ndarray, *, size: tuple[int, int], displacement: np.ndarray | None = None
) -> np.ndarray:
    """Warp the planes of C x H x W by a 3 x 3 affine matrix, bilinear, to C x h x w of the same dtype."""
    warped = np.empty((len(planes), *size), dtype=planes.dtype)
    if displacement is None:
        for plane, into in zip(planes, warped, strict=True):
            cv2.warpAffine(plane, matrix[:2], size[::-1], dst=into, flags=cv2.INTER_LINEAR)
        return warped
    points = displacement.copy()
    points[..., 0] += np.arange(size[1], dtype=np.float32)
    points[..., 1] += np.arange(size[0], dtype=np.float32)[:, None]
    source = cv2.transform(points, np.linalg.inv(matrix)[:2])
    for plane, into in zip(planes, warped, strict=True):
        cv2.remap(plane, source, None, cv2.INTER_LINEAR, dst=into)  # type: ignore[call-overload]
    return warped


def normalize(image: np.ndarray, normalization: str) -> np.ndarray:
    """Normalize C x h x w in [0, 1]; see :class:`Configuration` for the names."""
    if normalization == "unit":
        return image
    if normalization == "sam":
        return (image - np.float32(SAM_MEAN)) / np.float32(SAM_STD)
    if normalization == "zscore":
        mean = image.mean(axis=(1, 2), keepdims=True)
        deviation = image.std(axis=(1, 2), keepdims=True)
        scored: np.ndarray = (image - mean) / np.maximum(deviation, np.float32(1e-3))
        return scored
    raise ValueError(f"unknown normalization {normalization!r}")


def prepare(
    pixels: np.ndarray,
    *,
    configuration: Configuration,
    variant: str,
    cache_long_side_px: int,
    spacing_mm: SpacingMm | None = None,
) -> PreparedCase:
    """Prepare an image for prediction.

    Args:
        pixels: C x H x W uint8, uint16 or float32, as stored in the file.
        configuration: input size, resize and normalization of the network.
        variant: variant of the training set.
        cache_long_side_px: longest side of the training set's cached images.
        spacing_mm: (row, column) in mm, or None; copied to the result.
    """
    image_size = (pixels.shape[1], pixels.shape[2])
    cached = shrink(apply_variant(pixels, variant), long_side_px=cache_long_side_px)
    frame = make_frame(cached, configuration=configuration, image_size=image_size, spacing_mm=spacing_mm)
    image = normalize(warp_image(frame), frame.normalization)
    return PreparedCase(image=image, placement=frame.placement, spacing_mm=spacing_mm)


def _frame_matrix(frame: Frame, augmentation: np.ndarray | None) -> np.ndarray:
    """Compose the 3 x 3 matrix: pixels of ``frame.planes`` -> image -> network frame -> augmentation."""
    height, width = frame.planes.shape[1:]
    to_image_frame = scale_matrix(frame.image_size[1] / width, frame.image_size[0] / height)
    matrix: np.ndarray = frame.placement.matrix_to_network @ to_image_frame
    return matrix if augmentation is None else augmentation @ matrix
