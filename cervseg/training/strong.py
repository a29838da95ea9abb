"""Strong intensity changes: they make networks that see phantoms only work on radiographs.

After SyntheX (Gao et al. 2023), SynthSeg (Billot et al. 2023) and xvr (Gopalakrishnan et al. 2025): another
exposure, another detector, another processing of the same anatomy. A fraction ``strong`` of the images is
changed, each change with its own probability, in the order of :data:`_STEPS`. Labels stay as they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from cervseg.core.types import Augmentation

KNOTS = 5  # of an intensity curve
FIELD_KNOTS = 4  # per side of a smooth field
TABLE = 4096  # entries of an intensity curve
TILES = (8, 8)  # of the adaptive histogram equalization


@dataclass(frozen=True, kw_only=True)
class Collimation:
    """A quadrilateral, 4 x 2 (x, y) in fractions of the frame; outside, the image is scaled by ``level``."""

    corners: np.ndarray
    level: float
    edge_px: int


@dataclass(frozen=True, kw_only=True)
class Patch:
    """A grey rectangle: (left, top, right, bottom) in fractions of the frame, and its grey value."""

    box: tuple[float, float, float, float]
    grey: float


@dataclass(frozen=True, kw_only=True)
class StrongDraw:
    """One draw; the defaults change nothing.

    ``slopes`` are those of the intensity curve at equally spaced knots; ``shading`` is a coarse field,
    n x n x 2 float32: a gain, and haze that is added.
    """

    slopes: np.ndarray | None = None
    clip_limit: float = 0.0
    clip_weight: float = 1.0
    shading: np.ndarray | None = None
    sharpness: float = 0.0
    sharpness_px: float = 1.0
    resolution: float = 1.0
    grain: float = 0.0
    grain_px: float = 1.0
    collimation: Collimation | None = None
    is_inverted: bool = False
    impulse: float = 0.0
    patches: tuple[Patch, ...] = ()
    seed: int = 0


def draw_strong(rng: np.random.Generator, ranges: Augmentation) -> StrongDraw | None:
    """Draw the strong changes of one image; None for an image without any.

    Args:
        rng: the generator to draw from.
        ranges: to draw in.
    """
    if rng.random() >= ranges.strong:
        return None
    drawn: dict[str, object] = {}
    if rng.random() < ranges.curve_probability:
        drawn["slopes"] = np.exp(rng.uniform(0, ranges.curve) * rng.standard_normal(KNOTS))
    if rng.random() < ranges.equalize_probability:
        drawn |= {"clip_limit": rng.uniform(*ranges.equalize), "clip_weight": rng.uniform(0.3, 1.0)}
    if rng.random() < ranges.bias_probability:
        gain = np.exp(rng.uniform(0, ranges.bias) * rng.standard_normal((FIELD_KNOTS, FIELD_KNOTS)))
        haze = rng.uniform(0, ranges.bias_haze) * rng.random((FIELD_KNOTS, FIELD_KNOTS))
        drawn["shading"] = np.stack([gain, haze], axis=-1).astype(np.float32)
    if rng.random() < ranges.sharpness_probability:
        drawn["sharpness"] = rng.uniform(*ranges.sharpness)
        drawn["sharpness_px"] = _log_uniform(rng, ranges.sharpness_px)
    if rng.random() < ranges.resolution_probability:
        drawn["resolution"] = _log_uniform(rng, ranges.resolution)
    if rng.random() < ranges.grain_probability:
        drawn |= {"grain": rng.uniform(0, ranges.grain), "grain_px": rng.uniform(*ranges.grain_px)}
    if rng.random() < ranges.collimation_probability:
        drawn["collimation"] = _draw_collimation(rng, ranges.collimation)
    drawn["is_inverted"] = bool(rng.random() < ranges.inversion_probability)
    if rng.random() < ranges.impulse_probability:
        drawn["impulse"] = rng.uniform(0, ranges.impulse)
    if rng.random() < ranges.erase_probability:
        count = int(rng.integers(1, ranges.erase + 1)) if ranges.erase else 0
        drawn["patches"] = tuple(_draw_patch(rng, ranges.erase_size) for _ in range(count))
    return StrongDraw(seed=int(rng.integers(2**31)), **drawn)  # type: ignore[arg-type]


def apply_strong(image: np.ndarray, draw: StrongDraw) -> np.ndarray:
    """Change the intensities of an image as drawn.

    Args:
        image: C x h x w float32 in [0, 1]; it is overwritten.
        draw: the changes; all planes get the same ones, but noise of their own.

    Returns:
        C x h x w float32 in [0, 1].
    """
    cv2.setRNGSeed(draw.seed)  # of this thread only
    for plane in image:
        changed = plane
        for step in _STEPS:
            changed = step(changed, draw)
        np.clip(changed, 0.0, 1.0, out=plane)
    return image


def curve_table(slopes: np.ndarray) -> np.ndarray:
    """Return a monotone curve from (0, 0) to (1, 1), tabulated: float32, ``TABLE`` values.

    Args:
        slopes: positive, at equally spaced knots, up to a common factor; linear in between.
    """
    between = np.interp(np.linspace(0, 1, TABLE), np.linspace(0, 1, len(slopes)), slopes)
    area = np.concatenate([[0.0], np.cumsum((between[1:] + between[:-1]) / 2)])
    table: np.ndarray = (area / area[-1]).astype(np.float32)
    return table


def _log_uniform(rng: np.random.Generator, ends: tuple[float, float]) -> float:
    return float(np.exp(rng.uniform(*np.log(ends))))


def _draw_collimation(rng: np.random.Generator, reach: float) -> Collimation:
    left, top, right, bottom = rng.uniform(0, reach, 4)
    corners = np.array([[left, top], [1 - right, top], [1 - right, 1 - bottom], [left, 1 - bottom]])
    corners += rng.uniform(-0.1, 0.1, (4, 2)) * reach
    return Collimation(corners=corners, level=rng.uniform(0, 0.3), edge_px=int(rng.integers(1, 6)))


def _draw_patch(rng: np.random.Generator, size: tuple[float, float]) -> Patch:
    width, height = rng.uniform(*size, 2)
    left, top = rng.uniform(0, 1 - width), rng.uniform(0, 1 - height)
    return Patch(box=(left, top, left + width, top + height), grey=float(rng.random()))


def _bend(plane: np.ndarray, draw: StrongDraw) -> np.ndarray:
    """Apply the intensity curve."""
    if draw.slopes is None:
        return plane
    index = (plane * (TABLE - 1) + 0.5).astype(np.uint16)  # rounded
    bent: np.ndarray = curve_table(draw.slopes)[index]
    return bent


def _equalize(plane: np.ndarray, draw: StrongDraw) -> np.ndarray:
    """Add the change that CLAHE makes to the image in 8 bits, so that no grey value is lost."""
    if not draw.clip_limit:
        return plane
    eight = cv2.convertScaleAbs(plane, alpha=255.0)
    equalized = cv2.createCLAHE(draw.clip_limit, TILES).apply(eight)
    weight = draw.clip_weight / 255
    change = cv2.addWeighted(equalized, weight, eight, -weight, 0.0, dtype=cv2.CV_32F)
    return cv2.add(plane, change)


def _shade(plane: np.ndarray, draw: StrongDraw) -> np.ndarray:
    """Multiply by the smooth gain and add the haze."""
    if draw.shading is None:
        return plane
    gain, haze = cv2.split(cv2.resize(draw.shading, plane.shape[::-1], interpolation=cv2.INTER_CUBIC))
    return cv2.add(cv2.multiply(plane, gain), haze)


def _sharpen(plane: np.ndarray, draw: StrongDraw) -> np.ndarray:
    """Add or remove detail: image + weight (image - blurred image)."""
    if not draw.sharpness:
        return plane
    smooth = _blurred(plane, draw.sharpness_px)
    return cv2.addWeighted(plane, 1 + draw.sharpness, smooth, -draw.sharpness, 0.0)


def _coarsen(plane: np.ndarray, draw: StrongDraw) -> np.ndarray:
    """Average to a lower resolution and interpolate back."""
    if draw.resolution <= 1:
        return plane
    return _resampled(plane, draw.resolution)


def _grain(plane: np.ndarray, draw: StrongDraw) -> np.ndarray:
    """Add blurred Gaussian noise."""
    if draw.grain <= 0:
        return plane
    noise: np.ndarray = np.empty(plane.shape, np.float32)
    cv2.randn(noise, 0.0, 1.0)  # type: ignore[call-overload]  # its stub wants arrays for mean and deviation
    side = 2 * math.ceil(2.5 * draw.grain_px) + 1
    kernel = cv2.getGaussianKernel(side, draw.grain_px, cv2.CV_32F)
    kernel = kernel / np.linalg.norm(kernel)  # the blurred noise has the deviation 1, too
    noise = cv2.sepFilter2D(noise, cv2.CV_32F, kernel, kernel)
    return cv2.addWeighted(plane, 1.0, noise, draw.grain, 0.0)


def _collimate(plane: np.ndarray, draw: StrongDraw) -> np.ndarray:
    """Darken what lies outside of the collimation."""
    if draw.collimation is None:
        return plane
    height, width = plane.shape
    light = np.full(plane.shape, draw.collimation.level, np.float32)
    corners = np.round(draw.collimation.corners * (width, height)).astype(np.int32)
    cv2.fillConvexPoly(light, corners, 1.0)
    side = draw.collimation.edge_px
    return cv2.multiply(plane, cv2.blur(light, (side, side)))


def _invert(plane: np.ndarray, draw: StrongDraw) -> np.ndarray:
    """Swap black and white."""
    return 1 - plane if draw.is_inverted else plane


def _spoil(plane: np.ndarray, draw: StrongDraw) -> np.ndarray:
    """Set random pixels to black or white."""
    if draw.impulse <= 0:
        return plane
    chance = np.empty(plane.shape, np.float32)
    cv2.randu(chance, 0.0, 1.0)  # type: ignore[call-overload]  # as for randn
    spoilt: np.ndarray = np.where(chance < draw.impulse / 2, np.float32(0), plane)
    spoilt[chance > 1 - draw.impulse / 2] = 1.0
    return spoilt


def _erase(plane: np.ndarray, draw: StrongDraw) -> np.ndarray:
    """Fill rectangles with grey."""
    height, width = plane.shape
    for patch in draw.patches:
        left, top, right, bottom = patch.box
        rows, columns = (
            slice(round(top * height), round(bottom * height)),
            slice(round(left * width), round(right * width)),
        )
        plane[rows, columns] = patch.grey
    return plane


def _blurred(plane: np.ndarray, deviation_px: float) -> np.ndarray:
    """Blur; wide blurs are computed at a lower resolution, in a tenth of the time."""
    factor = max(1, int(deviation_px / 2))
    if factor == 1:
        return cv2.GaussianBlur(plane, (0, 0), deviation_px)
    small = cv2.GaussianBlur(_shrunk(plane, factor), (0, 0), deviation_px / factor)
    return cv2.resize(small, plane.shape[::-1], interpolation=cv2.INTER_LINEAR)


def _resampled(plane: np.ndarray, factor: float) -> np.ndarray:
    return cv2.resize(_shrunk(plane, factor), plane.shape[::-1], interpolation=cv2.INTER_LINEAR)


def _shrunk(plane: np.ndarray, factor: float) -> np.ndarray:
    height, width = (max(1, round(side / factor)) for side in plane.shape)
    return cv2.resize(plane, (width, height), interpolation=cv2.INTER_AREA)


# First the tissue's contrast, then the detector, then what is done to the finished image.
_STEPS: tuple[Callable[[np.ndarray, StrongDraw], np.ndarray], ...] = (
    _bend,
    _equalize,
    _shade,
    _sharpen,
    _coarsen,
    _grain,
    _collimate,
    _invert,
    _spoil,
    _erase,
)
