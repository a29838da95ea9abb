"""Pictures of all masks that were read from tracings, for somebody to look through."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cervseg.convert.stylus import StylusReport, TracedImage
from cervseg.core.progress import progress_bar
from cervseg.figures.overlays import contact_sheet, overlay
from cervseg.imageio import read_image, read_mask

_COLUMNS = 5
_A_SHEET = 20
_CELL_PX = 420
_MIN_REACH = 0.28


def write_sheets(report: StylusReport, folder: Path) -> list[Path]:
    """Draw every mask over its traced image, cut to what is traced, the doubtful images first; the files."""
    images = sorted(report.images, key=lambda image: (not image.doubts, image.test, image.case))
    paths = []
    with progress_bar(total=len(images), label="preview", unit="image") as bar:
        for start in range(0, len(images), _A_SHEET):
            part = images[start : start + _A_SHEET]
            pictures = []
            for image in part:
                pictures.append(_picture(report.folder, image))
                bar.update()
            path = folder / f"masks_{start // _A_SHEET + 1:03d}.png"
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
    # Wide enough to show what is missing.
    reach = max(0.6 * max(np.ptp(rows), np.ptp(columns)), _MIN_REACH * max(mask.shape))
    centre = ((axis.min() + axis.max()) / 2 for axis in (rows, columns))
    place = tuple(slice(max(0, round(c - reach)), round(c + reach) + 1) for c in centre)
    return overlay(pixels[place], mask[place])
