"""NIfTI images through nibabel."""

from __future__ import annotations

import logging
import math
from pathlib import Path

import nibabel
import numpy as np

from cervseg.core.errors import ImageError
from cervseg.core.types import SpacingMm
from cervseg.imageio.samples import Plane, check_size

# nibabel reports damaged headers on stderr; our errors say the same.
logging.getLogger("nibabel.global").setLevel(logging.CRITICAL)

_MM_PER_UNIT = {"mm": 1.0, "meter": 1000.0, "micron": 0.001, "unknown": 1.0}


def read_nifti(path: Path) -> Plane:
    """Read a NIfTI file of shape A x B or A x B x 1.

    Programs built on ITK (ITK-SNAP, 3D Slicer, SimpleITK, nnU-Net) store the column first, with negative
    directions for both axes; scripts that give nibabel an H x W array with a plain affine store the row
    first. Both are read as H x W.

    Returns:
        H x W samples and spacing. Writers without a spacing store exactly 1 x 1, which is read as None.

    Raises:
        ImageError: the file is not NIfTI, damaged, a volume or in colour.
    """
    try:
        image = nibabel.Nifti1Image.from_filename(path)
        shape = tuple(int(side) for side in image.shape)
        planar = len(shape) >= 2 and all(side == 1 for side in shape[2:])
        if not planar:
            raise ImageError(f"the file has a volume of shape {shape}, expected one image", where=path)
        check_size(shape, path=path)
        plane = np.asanyarray(image.dataobj).reshape(shape[:2])
    except ImageError:
        raise
    except Exception as problem:  # nibabel, gzip and zlib raise many kinds on damaged files
        if isinstance(problem, (PermissionError, MemoryError)):
            raise
        raise ImageError(f"the file is not NIfTI or damaged ({problem})", where=path) from None
    if plane.dtype.kind not in "buif":
        raise ImageError(f"the samples are {plane.dtype}, expected one grey plane", where=path)
    spacing, source = _spacing(image.header)
    if _is_column_first(image.affine):
        plane, spacing = plane.T, (spacing[1], spacing[0]) if spacing else None
    return Plane(samples=plane, spacing_mm=spacing, spacing_source=source)


def _is_column_first(affine: np.ndarray) -> bool:
    return bool(affine[0, 0] < 0 and affine[1, 1] < 0)


def _spacing(header: nibabel.Nifti1Header) -> tuple[SpacingMm | None, str]:
    """Return the spacing along the first and second axis as stored."""
    factor = _MM_PER_UNIT.get(header.get_xyzt_units()[0], 1.0)
    # Headers have 32-bit floats; seven digits restore the written value: 0.15, not 0.15000000596.
    first, second = (float(f"{zoom * factor:.7g}") for zoom in header.get_zooms()[:2])
    is_known = all(math.isfinite(side) and side > 0 for side in (first, second)) and (first, second) != (1, 1)
    return ((first, second), "NIfTI header") if is_known else (None, "")
