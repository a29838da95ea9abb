"""Preview pictures of all masks that were read from tracings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cervseg.convert.stylus.traced import TracedImage
from cervseg.core.progress import progress_bar
from cervseg.figures.overlays import contact_sheet, overlay
from cervseg.imageio import read_image, read_mask

_COLUMNS = 5
_PER_SHEET = 20
_CELL_PX = 420
_MIN_REACH = 0.28


def write_sheets(dataset: Path, images: Sequence[TracedImage]) -> list[Path]:
    """Draw every mask over its traced image, cropped to the tracing, doubtful images first.

    Args:
        dataset: the dataset's folder; sheets are written to its folder preview/.
        images: its images.

    Returns:
        The sheets.
    """
    images = sorted(images, key=lambda image: (not image.doubts, image.test, image.case))
    paths = []
    with progress_bar(total=len(images), label="preview", unit="image") as bar:
        for start in range(0, len(images), _PER_SHEET):
            part = images[start : start + _PER_SHEET]
            pictures = []
            for image in part:
                pictures.append(_picture(dataset, image))
                bar.update()
            path = dataset / "preview" / f"masks_{start // _PER_SHEET + 1:03d}.png"
            contact_sheet(
                pictures, [_title(image) for image in part], path, min(_COLUMNS, len(part)), cell_px=_CELL_PX
            )
            paths.append(path)
    return paths


def _title(image: TracedImage) -> str:
    doubtful = "DOUBTFUL " if image.doubts else ""
    return f"{doubtful}{image.case}{' (test)' if image.test else ''}: {len(image.areas_px)}"


def _picture(dataset: Path, image: TracedImage) -> np.ndarray:
    mask = read_mask(dataset / ("labelsTs" if image.test else "labelsTr") / f"{image.case}.png")
    pixels = read_image(image.tracing).pixels[0]
    rows, columns = np.nonzero(mask)
    # Wide enough to show what the tracing misses.
    reach = max(0.6 * max(np.ptp(rows), np.ptp(columns)), _MIN_REACH * max(mask.shape))
    centre = ((axis.min() + axis.max()) / 2 for axis in (rows, columns))
    place = tuple(slice(max(0, round(c - reach)), round(c + reach) + 1) for c in centre)
    return overlay(pixels[place], mask[place])
