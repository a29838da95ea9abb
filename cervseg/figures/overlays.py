"""Masks over images, and sheets of such pictures, drawn by OpenCV."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from cervseg.core.atomic import atomic_path
from cervseg.core.errors import ImageError
from cervseg.imageio.colour import grey_to_rgb

# Okabe and Ito's palette for color-blind readers, as RGB. White outlines are references.
PALETTE = (
    (230, 159, 0),  # orange
    (86, 180, 233),  # sky blue
    (0, 158, 115),  # green
    (240, 228, 66),  # yellow
    (213, 94, 0),  # vermilion
    (204, 121, 167),  # purple
    (0, 114, 178),  # blue
)
REFERENCE_RGB = (255, 255, 255)
_SHADOW_RGB = (0, 0, 0)
_FILL = 0.22
_WINDOW_PERCENTILES = (0.5, 99.5)
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def overlay(
    pixels: np.ndarray,
    mask: np.ndarray,
    *,
    reference: np.ndarray | None = None,
    names: Mapping[int, str] | None = None,
) -> np.ndarray:
    """Draw a mask over an image: each label filled and outlined, the reference as a white outline.

    Args:
        pixels: H x W or C x H x W (its first channel is shown), any numeric type; shown between its 0.5th and
            99.5th percentile.
        mask: H x W label values, 0 = background.
        reference: H x W label values.
        names: label value -> name, for a legend; it also names the reference if there is one.

    Returns:
        H x W x 3 uint8, RGB.

    Raises:
        ValueError: the sizes differ.
    """
    image = pixels[0] if pixels.ndim == 3 else pixels
    for other in (mask, reference):
        if other is not None and other.shape != image.shape:
            raise ValueError(f"sizes differ: image {image.shape}, mask {other.shape}")
    picture = grey_to_rgb(to_grey(image))
    width = line_width(image.shape)
    values = [int(value) for value in np.unique(mask) if value]
    for value in values:
        _draw_label(picture, mask == value, colour=label_colour(value), width=width)
    if reference is not None:
        for value in np.unique(reference):
            if value:
                _draw_outline(picture, reference == value, colour=REFERENCE_RGB, width=max(1, width // 2))
    _draw_legend(picture, values=values, names=names or {}, has_reference=reference is not None)
    return picture


def write_overlay(
    path: Path,
    pixels: np.ndarray,
    mask: np.ndarray,
    *,
    reference: np.ndarray | None = None,
    names: Mapping[int, str] | None = None,
) -> None:
    """Write an :func:`overlay` as a PNG or JPEG file.

    Args:
        path: the file.
        pixels: see :func:`overlay`.
        mask: see :func:`overlay`.
        reference: see :func:`overlay`.
        names: see :func:`overlay`.
    """
    write_picture(path, overlay(pixels, mask, reference=reference, names=names))


def write_picture(path: Path, picture: np.ndarray) -> None:
    """Write a picture in the format of the path's suffix.

    Args:
        path: PNG or JPEG file.
        picture: H x W x 3 uint8 RGB.

    Raises:
        ImageError: the suffix is not a supported picture format.
    """
    try:
        is_encoded, encoded = cv2.imencode(path.suffix, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    except cv2.error:
        is_encoded = False
    if not is_encoded:
        raise ImageError(f"unsupported picture format {path.suffix!r}", where=path, hint="use .png or .jpg")
    with atomic_path(path) as temporary:
        temporary.write_bytes(encoded.tobytes())


def contact_sheet(
    images: Sequence[np.ndarray], titles: Sequence[str], path: Path, columns: int, *, cell_px: int = 384
) -> None:
    """Write pictures in rows and columns, each fitted into a square cell below its title.

    Args:
        images: H x W x 3 uint8 RGB, of any sizes.
        titles: one per image; a title that is too long is cut.
        path: PNG or JPEG file.
        columns: pictures per row.
        cell_px: side of a cell in px.

    Raises:
        ValueError: there are no images, not one title per image, or no columns.
    """
    if not images or len(images) != len(titles) or columns < 1:
        raise ValueError(
            f"cannot lay out {len(images)} images with {len(titles)} titles in {columns} columns"
        )
    gap, title_px = cell_px // 32, cell_px // 12
    rows = math.ceil(len(images) / columns)
    height, width = rows * (cell_px + title_px + gap) + gap, columns * (cell_px + gap) + gap
    sheet = np.full((height, width, 3), 255, np.uint8)
    for index, (image, title) in enumerate(zip(images, titles)):
        top = gap + (index // columns) * (cell_px + title_px + gap)
        left = gap + (index % columns) * (cell_px + gap)
        _draw_title(sheet, title, left=left, top=top, size=(title_px, cell_px))
        fitted = _fit(image, cell_px)
        top += title_px
        left += (cell_px - fitted.shape[1]) // 2
        sheet[top : top + fitted.shape[0], left : left + fitted.shape[1]] = fitted
    write_picture(path, sheet)


def to_grey(image: np.ndarray) -> np.ndarray:
    """Convert an image to uint8, windowed between its 0.5th and 99.5th percentile.

    Args:
        image: H x W, any numeric type.

    Returns:
        H x W uint8.
    """
    low, high = np.percentile(
        image[:: 1 + image.shape[0] // 1024, :: 1 + image.shape[1] // 1024], _WINDOW_PERCENTILES
    )
    if not high > low:  # a constant image, or nearly constant
        low, high = float(image.min()), float(image.max())
    scaled = (image.astype(np.float32) - low) * (255.0 / max(float(high) - float(low), 1e-12))
    grey: np.ndarray = np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
    return grey


def line_width(size: tuple[int, ...]) -> int:
    """Return the line width in px for an image of this size."""
    return max(1, round(max(size) / 500))


def label_colour(value: int) -> tuple[int, int, int]:
    """Return the RGB color of a label value; colors repeat after seven labels."""
    return PALETTE[(value - 1) % len(PALETTE)]


def _draw_label(picture: np.ndarray, inside: np.ndarray, *, colour: tuple[int, int, int], width: int) -> None:
    picture[inside] = np.rint((1 - _FILL) * picture[inside] + _FILL * np.array(colour)).astype(np.uint8)
    _draw_outline(picture, inside, colour=colour, width=width)


def _draw_outline(
    picture: np.ndarray, inside: np.ndarray, *, colour: tuple[int, int, int], width: int
) -> None:
    # A dark rim makes any color visible on bone and on air; small images have no room for one.
    contours, _ = cv2.findContours(inside.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    if width > 1:
        cv2.drawContours(picture, contours, -1, _SHADOW_RGB, width + 2, cv2.LINE_AA)
    cv2.drawContours(picture, contours, -1, colour, width, cv2.LINE_AA)


def _draw_legend(
    picture: np.ndarray, *, values: Sequence[int], names: Mapping[int, str], has_reference: bool
) -> None:
    lines = [(names[value], label_colour(value)) for value in values if value in names]
    if has_reference:
        lines.append(("reference", REFERENCE_RGB))
    if not lines:
        return
    # A dark background, as OpenCV 4 and 5 draw outlined letters differently; its fonts are ASCII only.
    scale = max(0.5, max(picture.shape[:2]) / 1400)
    thickness, step = max(1, round(1.5 * scale)), round(36 * scale)
    texts = [text.encode("ascii", "replace").decode() for text, _ in lines]
    width = step + max(cv2.getTextSize(text, _FONT, scale, thickness)[0][0] for text in texts)
    plate = picture[: step * len(lines) + step // 2, :width]
    plate[:] = plate // 4
    for index, (text, (_, colour)) in enumerate(zip(texts, lines)):
        place = (step // 2, step * (index + 1))
        cv2.putText(picture, text, place, _FONT, scale, colour, thickness, cv2.LINE_AA)


def _draw_title(sheet: np.ndarray, title: str, *, left: int, top: int, size: tuple[int, int]) -> None:
    height, width = size
    scale = height / 50
    text = title.encode("ascii", "replace").decode()
    while text and cv2.getTextSize(text, _FONT, scale, 1)[0][0] > width:
        text = text[:-1]
    cv2.putText(sheet, text, (left, top + round(0.7 * height)), _FONT, scale, _SHADOW_RGB, 1, cv2.LINE_AA)


def _fit(image: np.ndarray, side: int) -> np.ndarray:
    factor = side / max(image.shape[:2])
    size = (max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC)
