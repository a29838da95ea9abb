"""Images and masks of any supported format."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cervseg.core.errors import ImageError
from cervseg.core.types import RawImage
from cervseg.imageio import raster
from cervseg.imageio.listing import (
    DICOM_SUFFIXES,
    NIFTI_SUFFIXES,
    RASTER_SUFFIXES,
    SUFFIXES,
    image_suffix,
    is_dicom,
)
from cervseg.imageio.samples import Plane, as_image, as_mask


def read_image(path: Path | str) -> RawImage:
    """Read one image.

    Returns:
        ``pixels`` are 1 x H x W uint8, uint16 or float32, as stored. Colours become luminance (then
        ``is_colour``), transparency is dropped, EXIF orientation is ignored. DICOM is rescaled, and
        MONOCHROME1 is inverted, so that bone is bright. ``spacing_mm`` is (row, column), or None if the file
        has no spacing; ``spacing_source`` is the tag or header.

    Raises:
        ImageError: the file is missing, empty, truncated, damaged or not an image; a side is shorter than
            16 px; it has more than 100 million pixels, several pages, a volume, or NaN or infinite values.
    """
    path = Path(path)
    plane = _read(path, labels=False)
    return RawImage(
        pixels=as_image(plane.samples, path=path),
        spacing_mm=plane.spacing_mm,
        path=path,
        spacing_source=plane.spacing_source,
        is_colour=plane.is_colour,
    )


def read_mask(path: Path | str) -> np.ndarray:
    """Read label values, exactly as they are stored.

    Returns:
        H x W uint8 or uint16. RGB with equal channels is grey; of a PNG with a coloured palette the indices
        are the labels.

    Raises:
        ImageError: as for ``read_image``, except for short sides; the mask is in colour, or its values are
            not integers in [0, 65535].
    """
    path = Path(path)
    return as_mask(_read(path, labels=True).samples, path=path)


def _read(path: Path, *, labels: bool) -> Plane:
    _check_file(path)
    suffix = image_suffix(path)
    try:
        if suffix in RASTER_SUFFIXES:
            return raster.read_labels(path) if labels else raster.read_raster(path)
        # pydicom and nibabel are slow to import, so they are imported when a file needs them.
        if suffix in DICOM_SUFFIXES or (not suffix and is_dicom(path)):
            from cervseg.imageio.dicom import read_dicom

            return read_dicom(path)
        if suffix in NIFTI_SUFFIXES:
            from cervseg.imageio.nifti import read_nifti

            return read_nifti(path)
    except OSError as problem:
        raise ImageError(f"the file cannot be read ({problem.strerror or problem})", where=path) from None
    except MemoryError:
        raise ImageError("the image does not fit into memory", where=path) from None
    raise ImageError(
        f"unsupported image format ({path.suffix or 'no suffix'})",
        where=path,
        hint=f"supported: {' '.join(SUFFIXES)}, and DICOM without a suffix",
    )


def _check_file(path: Path) -> None:
    if path.is_symlink() and not path.exists():
        raise ImageError(
            f"the link is broken: it leads to {path.readlink()}", where=path, hint="fix or remove the link"
        )
    if not path.exists():
        raise ImageError("no such file", where=path)
    if path.is_dir():
        raise ImageError("this is a folder, not an image", where=path, hint="move or rename it")
    if not path.is_file():
        raise ImageError("this is not a regular file", where=path)
    if path.stat().st_size == 0:
        raise ImageError("the file is empty (0 bytes)", where=path, hint="copy or export it again")
