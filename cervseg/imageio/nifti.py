"""NIfTI images through nibabel."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any

import nibabel
import numpy as np

from cervseg.core.errors import ImageError
from cervseg.core.types import SpacingMm
from cervseg.imageio.samples import check_size

# nibabel comments on damaged headers on stderr; what users are told is in our errors.
logging.getLogger("nibabel.global").setLevel(logging.CRITICAL)

_MM_PER_UNIT = {"mm": 1.0, "meter": 1000.0, "micron": 0.001, "unknown": 1.0}


def read_nifti(path: Path) -> tuple[np.ndarray, SpacingMm | None, str]:
    """One image of a NIfTI file of shape A x B or A x B x 1.

    Programs built on ITK (ITK-SNAP, 3D Slicer, SimpleITK, nnU-Net) store the column first and mark it by
    negative directions for both axes; scripts that hand an H x W array to nibabel with a plain affine store
    the row first. Both are read as H x W.

    Returns:
        H x W samples; (row, column) spacing in mm; its source. A spacing of exactly 1 x 1 is what writers put
        where they know none, and counts as none.

    Raises:
        ImageError: it is no NIfTI file, damaged, or holds a volume or colours.
    """
    try:
        image = nibabel.Nifti1Image.from_filename(path)
        shape = tuple(int(side) for side in image.shape)
        planar = len(shape) >= 2 and all(side == 1 for side in shape[2:])
        if not planar:
            raise ImageError(f"holds a volume of shape {shape}, one image is wanted", where=path)
        check_size(shape, path=path)
        plane = np.asanyarray(image.dataobj).reshape(shape[:2])
    except ImageError:
        raise
    except Exception as problem:  # nibabel, gzip and zlib raise many kinds on damaged files
        if isinstance(problem, (PermissionError, MemoryError)):
            raise
        raise ImageError(f"is no NIfTI file or damaged ({problem})", where=path) from None
    if plane.dtype.kind not in "buif":
        raise ImageError(f"holds {plane.dtype} samples, one grey plane is wanted", where=path)
    spacing, source = _spacing(image)
    if _is_column_first(image.affine):
        plane, spacing = plane.T, (spacing[1], spacing[0]) if spacing else None
    return plane, spacing, source


def _is_column_first(affine: np.ndarray) -> bool:
    return bool(affine[0, 0] < 0 and affine[1, 1] < 0)


def _spacing(image: Any) -> tuple[SpacingMm | None, str]:
    """Spacing along the first and second axis as stored."""
    factor = _MM_PER_UNIT.get(image.header.get_xyzt_units()[0], 1.0)
    # Headers hold 32-bit floats; seven digits give back what was written: 0.15, not 0.15000000596.
    first, second = (float(f"{zoom * factor:.7g}") for zoom in image.header.get_zooms()[:2])
    is_known = all(math.isfinite(side) and side > 0 for side in (first, second)) and (first, second) != (1, 1)
    return ((first, second), "NIfTI header") if is_known else (None, "")
