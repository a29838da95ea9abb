"""Red stylus tracings of known masks, drawn as a tablet would save them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from skimage.measure import find_contours

_FINE = 4


@dataclass(frozen=True, kw_only=True)
class Pen:
    """The style of a tracing: width in px or a range along the stroke, and the share that is missing."""

    width_px: tuple[int, int] = (3, 3)
    gap: float = 0.0
    num_gaps: int = 1
    colour_rgb: tuple[int, int, int] = (255, 0, 0)
    jpeg: int | None = None


def outlines(mask: np.ndarray) -> list[np.ndarray]:
    """Find the edges of the components of H x W {0, 1}, each N x 2 (x, y), between inside and outside."""
    framed = np.pad(mask, 1)
    return [points[:, ::-1] - 1 for points in find_contours(framed.astype(float), 0.5)]


def trace(
    pixels: np.ndarray, masks: Sequence[np.ndarray], pen: Pen, *, rng: np.random.Generator
) -> np.ndarray:
    """Draw the outline of each mask on a grey image, its strokes anti-aliased; H x W x 3 uint8 RGB.

    With ``pen.jpeg`` the picture goes through JPEG of that quality with halved colours (4:2:0).
    """
    picture = cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB)
    for mask in masks:
        for points in outlines(mask):
            _draw(picture, points, pen, rng)
    return picture if pen.jpeg is None else through_jpeg(picture, pen.jpeg)


def through_jpeg(picture: np.ndarray, quality: int) -> np.ndarray:
    """Compress H x W x 3 RGB with JPEG 4:2:0 and decompress it."""
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    options += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420]
    data = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), options)[1]
    return cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def _draw(picture: np.ndarray, points: np.ndarray, pen: Pen, rng: np.random.Generator) -> None:
    points = np.roll(points[:-1], int(rng.integers(len(points))), axis=0)
    points = np.concatenate([points, points[:1]])
    pieces = np.array_split(np.arange(len(points)), pen.num_gaps) if pen.gap else [np.arange(len(points))]
    for piece in pieces:
        kept = piece[: max(2, round(len(piece) * (1 - pen.gap)))]
        low, high = pen.width_px
        # A hand's pressure changes slowly: a few sections of one width each.
        sections = np.array_split(kept, 1 if low == high else 6)
        for number, section in enumerate(sections):
            if number + 1 < len(sections):
                section = np.append(section, sections[number + 1][0])
            _draw_line(picture, points[section], int(rng.integers(low, high + 1)), pen.colour_rgb)


def _draw_line(
    picture: np.ndarray, points: np.ndarray, width_px: int, colour_rgb: tuple[int, int, int]
) -> None:
    """Draw a line of exactly this width with soft edges; OpenCV's own are wider in version 5 than in 4."""
    low = np.maximum(np.floor(points.min(axis=0)).astype(int) - width_px, 0)
    high = np.minimum(np.ceil(points.max(axis=0)).astype(int) + width_px + 1, picture.shape[1::-1])
    place = slice(low[1], high[1]), slice(low[0], high[0])
    height, width = high[1] - low[1], high[0] - low[0]
    away = np.ones((_FINE * height, _FINE * width), np.uint8)
    fixed = np.rint((_FINE * (points - low + 0.5) - 0.5) * 16).astype(np.int32)
    cv2.polylines(away, [fixed], False, 0, 1, cv2.LINE_8, 4)
    distance = cv2.distanceTransform(away, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) / _FINE
    share = cv2.resize(
        (distance < width_px / 2).astype(np.float32), (width, height), interpolation=cv2.INTER_AREA
    )[..., np.newaxis]
    blended = share * np.array(colour_rgb) + (1 - share) * picture[place]
    picture[place] = np.rint(blended).astype(np.uint8)
