"""Reading an image or a mask, whatever format it is in."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cervseg.core.errors import ImageError
from cervseg.core.types import RawImage, SpacingMm
from cervseg.imageio import raster
from cervseg.imageio.listing import DICOM_SUFFIXES, NIFTI_SUFFIXES, RASTER_SUFFIXES, SUFFIXES, image_suffix
from cervseg.imageio.samples import as_image, as_mask


def read_image(path: Path | str) -> RawImage:
    """Read one image.

    Returns:
        ``pixels`` are 1 x H x W uint8, uint16 or float32, as stored: 8-bit stays 8-bit. Colours become
        luminance, transparency is dropped, EXIF orientation is ignored. DICOM is rescaled, and MONOCHROME1
        inverted, so that bone is bright. ``spacing_mm`` is (row, column) where the file states it, else None;
        ``spacing_source`` names the tag or header it came from.

    Raises:
        ImageError: the file is missing, empty, truncated, damaged, no image, smaller than 16 px a side,
            larger than 100 million pixels, of several pages or a volume, or holds NaN or infinite values.
    """
    path = Path(path)
    plane, spacing_mm, source = _read(path, labels=False)
    return RawImage(
        pixels=as_image(plane, path=path), spacing_mm=spacing_mm, path=path, spacing_source=source
    )


def read_mask(path: Path | str) -> np.ndarray:
    """Read label values, exactly as they are stored.

    Returns:
        H x W uint8 or uint16. A grey RGB picture counts as grey; of a PNG with a coloured palette the indices
        are the labels.

    Raises:
        ImageError: as for ``read_image`` (though it may be small), or it has colours, or values that are not
            whole numbers from 0 to 65535.
    """
    path = Path(path)
    plane, _, _ = _read(path, labels=True)
    return as_mask(plane, path=path)


def _read(path: Path, *, labels: bool) -> tuple[np.ndarray, SpacingMm | None, str]:
    """H x W samples, spacing and its source."""
    _check_file(path)
    suffix = image_suffix(path)
    try:
        if suffix in RASTER_SUFFIXES:
            return (raster.read_labels(path) if labels else raster.read_raster(path)), None, ""
        # These two libraries are slow to load: only who needs them waits for them.
        if suffix in DICOM_SUFFIXES:
            from cervseg.imageio.dicom import read_dicom

            return read_dicom(path)
        if suffix in NIFTI_SUFFIXES:
            from cervseg.imageio.nifti import read_nifti

            return read_nifti(path)
    except OSError as problem:
        raise ImageError(f"cannot be read ({problem.strerror or problem})", where=path) from None
    except MemoryError:
        raise ImageError("is too large for this machine's memory", where=path) from None
    raise ImageError(
        f"is of an unknown kind ({path.suffix or 'no suffix'})",
        where=path,
        hint=f"Known: {' '.join(SUFFIXES)}.",
    )


def _check_file(path: Path) -> None:
    if path.is_symlink() and not path.exists():
        raise ImageError(
            f"is a broken link to {path.readlink()}", where=path, hint="Mend or remove the link."
        )
    if not path.exists():
        raise ImageError("no such file", where=path)
    if path.is_dir():
        raise ImageError("is a folder, not an image", where=path, hint="Move or rename it.")
    if not path.is_file():
        raise ImageError("is no ordinary file", where=path)
    if path.stat().st_size == 0:
        raise ImageError("is empty (0 bytes)", where=path, hint="Copy or export it again.")
