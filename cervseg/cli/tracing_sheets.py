"""Pictures of all masks that were read from tracings, for somebody to look through."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cervseg.convert.stylus import StylusReport, TracedFilm
from cervseg.core.progress import progress_bar
from cervseg.imageio import read_image, read_mask
from cervseg.reporting.overlays import contact_sheet, overlay

_COLUMNS = 5
_A_SHEET = 20
_CELL_PX = 420
_MIN_REACH = 0.28


def write_sheets(report: StylusReport, folder: Path) -> list[Path]:
    """Draw every mask over its traced film, cut to what is traced, the doubtful films first; the files."""
    films = sorted(report.films, key=lambda film: (not film.doubts, film.test, film.case))
    paths = []
    with progress_bar(total=len(films), label="preview", unit="film") as bar:
        for start in range(0, len(films), _A_SHEET):
            part = films[start : start + _A_SHEET]
            pictures = []
            for film in part:
                pictures.append(_picture(report.folder, film))
                bar.update()
            path = folder / f"masks_{start // _A_SHEET + 1:03d}.png"
            contact_sheet(
                pictures, [_title(film) for film in part], path, min(_COLUMNS, len(part)), cell_px=_CELL_PX
            )
            paths.append(path)
    return paths


def _title(film: TracedFilm) -> str:
    doubtful = "DOUBTFUL " if film.doubts else ""
    return f"{doubtful}{film.case}{' (test)' if film.test else ''}: {len(film.areas_px)}"


def _picture(dataset: Path, film: TracedFilm) -> np.ndarray:
    mask = read_mask(dataset / ("labelsTs" if film.test else "labelsTr") / f"{film.case}.png")
    pixels = read_image(film.tracing).pixels[0]
    rows, columns = np.nonzero(mask)
    # Wide enough to show what is missing.
    reach = max(0.6 * max(np.ptp(rows), np.ptp(columns)), _MIN_REACH * max(mask.shape))
    centre = ((axis.min() + axis.max()) / 2 for axis in (rows, columns))
    place = tuple(slice(max(0, round(c - reach)), round(c + reach) + 1) for c in centre)
    return overlay(pixels[place], mask[place])
