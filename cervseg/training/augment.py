"""Augmentation: parameters are drawn first and applied later; all geometry is one warp."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from cervseg.core.geometry import about_centre
from cervseg.core.types import Augmentation
from cervseg.training.strong import StrongDraw, apply_strong, draw_strong


@dataclass(frozen=True, kw_only=True)
class AugmentationDraw:
    """One draw: a 3 x 3 affine matrix in the network frame (None: unchanged) and intensity changes.

    ``knots`` is a coarse displacement, n x n x 2 float32 in px of the frame, see :func:`displacement_of`.
    """

    matrix: np.ndarray | None
    knots: np.ndarray | None = None
    strong: StrongDraw | None = None
    gamma: float = 1.0
    contrast: float = 1.0
    brightness: float = 0.0
    noise: float = 0.0
    blur_px: float = 0.0
    noise_seed: int = 0


def draw_augmentation(
    rng: np.random.Generator,
    ranges: Augmentation,
    *,
    size: tuple[int, int],
    second: np.random.Generator | None = None,
) -> AugmentationDraw:
    """Draw one augmentation for a network frame of ``size`` (height, width).

    Geometry and each intensity change are drawn independently with ``ranges.probability`` (noise and blur
    with half of it: most images should stay sharp).

    Args:
        rng: the generator to draw from.
        ranges: to draw in.
        size: (height, width) of the frame in px.
        second: the generator of the elastic deformation and the strong changes; None leaves them out. So
            ``rng`` draws the same numbers with them and without.
    """
    often, seldom = ranges.probability, 0.5 * ranges.probability
    matrix = None
    if rng.random() < often:
        shift = rng.uniform(-ranges.translation, ranges.translation, 2)
        matrix = about_centre(
            size=size,
            rotation_deg=rng.uniform(-ranges.rotation_deg, ranges.rotation_deg),
            scale=float(np.exp(rng.uniform(*np.log(ranges.scale)))),
            shear_deg=rng.uniform(-ranges.shear_deg, ranges.shear_deg),
            translation_px=(float(shift[0] * size[1]), float(shift[1] * size[0])),
            flip_horizontal=bool(rng.random() < ranges.flip_horizontal),
            flip_vertical=bool(rng.random() < ranges.flip_vertical),
        )
    more = second if ranges.probability > 0 else None
    return AugmentationDraw(
        matrix=matrix,
        gamma=float(np.exp(rng.uniform(*np.log(ranges.gamma)))) if rng.random() < often else 1.0,
        contrast=rng.uniform(*ranges.contrast) if rng.random() < often else 1.0,
        brightness=rng.uniform(-ranges.brightness, ranges.brightness) if rng.random() < often else 0.0,
        noise=rng.uniform(0, ranges.noise) if rng.random() < seldom else 0.0,
        blur_px=rng.uniform(0, ranges.blur_px) if rng.random() < seldom else 0.0,
        noise_seed=int(rng.integers(2**31)),
        knots=_draw_knots(more, ranges, size=size) if more is not None else None,
        strong=draw_strong(more, ranges) if more is not None else None,
    )


def _draw_knots(
    rng: np.random.Generator, ranges: Augmentation, *, size: tuple[int, int]
) -> np.ndarray | None:
    """Draw a coarse displacement of 4 to 8 knots per side."""
    if rng.random() >= ranges.elastic_probability:
        return None
    count = int(rng.integers(4, 9))
    deviation_px = rng.uniform(0, ranges.elastic) * (size[0] + size[1]) / 2
    knots: np.ndarray = deviation_px * np.clip(rng.standard_normal((count, count, 2)), -2, 2)
    return knots.astype(np.float32)


def displacement_of(draw: AugmentationDraw, *, size: tuple[int, int]) -> np.ndarray | None:
    """Return the smooth displacement of every pixel, h x w x 2 float32 (x, y) in px; None without one.

    Args:
        draw: the draw.
        size: (height, width) of the frame.
    """
    if draw.knots is None:
        return None
    return cv2.resize(draw.knots, size[::-1], interpolation=cv2.INTER_CUBIC)


def move_displacement(
    displacement: np.ndarray | None, matrix: np.ndarray, *, size: tuple[int, int]
) -> np.ndarray | None:
    """Return the same displacement of the image in another frame.

    Args:
        displacement: h x w x 2 float32 in px of the first frame, or None.
        matrix: 3 x 3, from the first frame to the other: scaling and shift.
        size: (height, width) of the other frame.

    Returns:
        Height x width x 2 float32 in px of the other frame; beyond the first frame it is continued.
    """
    if displacement is None:
        return None
    moved = cv2.warpAffine(displacement, matrix[:2], size[::-1], borderMode=cv2.BORDER_REPLICATE)
    scaled: np.ndarray = moved * np.array([matrix[0, 0], matrix[1, 1]], dtype=np.float32)
    return scaled


def apply_intensity(image: np.ndarray, draw: AugmentationDraw) -> np.ndarray:
    """Change the intensities of an image C x h x w float32 in [0, 1]; the result is clipped to [0, 1]."""
    changed = np.empty_like(image)  # the only copy: allocating memory costs more than the arithmetic
    given = image
    if draw.blur_px > 0.3:
        for plane, into in zip(image, changed, strict=True):
            cv2.GaussianBlur(plane, (0, 0), draw.blur_px, dst=into)
        given = changed
    # cv2 treats the last of three axes as channels.
    rows, given = changed.reshape(-1, image.shape[-1]), given.reshape(-1, image.shape[-1])
    if draw.contrast != 1.0 or draw.brightness or draw.noise > 0:
        offset = (1.0 - draw.contrast) * float(given.mean()) + draw.brightness
        noise = _white_noise(rows.shape, seed=draw.noise_seed) if draw.noise > 0 else given
        given = cv2.addWeighted(given, draw.contrast, noise, draw.noise, offset, dst=rows)
    np.clip(given, 0.0, 1.0, out=rows)
    if draw.gamma != 1.0:
        cv2.pow(rows, draw.gamma, dst=rows)
    return changed if draw.strong is None else apply_strong(changed, draw.strong)


def _white_noise(size: tuple[int, ...], *, seed: int) -> np.ndarray:
    """Draw Gaussian noise, float32, mean 0, standard deviation 1; OpenCV takes a fifth of numpy's time."""
    cv2.setRNGSeed(seed)  # of this thread only
    noise = np.empty(size, np.float32)
    cv2.randn(noise, 0.0, 1.0)  # type: ignore[call-overload]  # its stub wants arrays for mean and deviation
    return noise
