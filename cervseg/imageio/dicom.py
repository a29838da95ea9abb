"""DICOM images: pydicom reads tags and uncompressed pixels, SimpleITK decodes compressed pixels.

SimpleITK's spacing and its handling of MONOCHROME1 are not used: for CR and DX it returns the spacing at the
detector even if PixelSpacing is present, and its versions differ in whether they invert.
"""

from __future__ import annotations

import copy
import logging
import math
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pydicom
from pydicom.errors import InvalidDicomError
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_modality_lut
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from cervseg.core.errors import ImageError
from cervseg.core.types import SpacingMm
from cervseg.imageio.colour import is_colour, luminance
from cervseg.imageio.samples import Plane, check_size
from cervseg.imageio.spacing import DICOM_TAGS

if TYPE_CHECKING:
    from pydicom.dataset import Dataset


def read_dicom(path: Path) -> Plane:
    """Read the image of a DICOM file.

    Returns:
        H x W pixels after the modality transform (rescale slope and intercept, or its table), integer or
        float; bone is bright for both MONOCHROME1 and MONOCHROME2. Display windows are not applied. The
        spacing's source is its tag.

    Raises:
        ImageError: the file is not DICOM, has no pixels or several frames, or cannot be decoded.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom warns about tags that are not used here
        logging.getLogger("pydicom").setLevel(logging.CRITICAL)
        dataset = _read_tags(path)
        pixels = _samples(dataset, path)
        grey = _upright_values(luminance(pixels), dataset)
    spacing_mm, source = _spacing(dataset)
    return Plane(samples=grey, spacing_mm=spacing_mm, spacing_source=source, is_colour=is_colour(pixels))


def _read_tags(path: Path) -> Dataset:
    with open(path, "rb") as stream:
        # Some archives omit the preamble; then the file begins with a tag of group 2 or 8.
        has_no_preamble = stream.read(2) in (b"\x02\0", b"\x08\0")
    try:
        dataset = pydicom.dcmread(path, force=has_no_preamble)
    except InvalidDicomError:
        raise ImageError("the file is not DICOM, although its name says so", where=path) from None
    except OSError:
        raise
    except Exception as problem:  # pydicom raises many kinds on damaged files
        raise ImageError(f"the DICOM file is damaged ({problem})", where=path) from None
    if "PixelData" not in dataset:
        raise ImageError("the DICOM file has no pixels", where=path)
    frames = int(dataset.get("NumberOfFrames") or 1)
    if frames != 1:
        raise ImageError(f"the file has {frames} frames, expected one image", where=path)
    check_size((int(dataset.get("Rows") or 0), int(dataset.get("Columns") or 0)), path=path)
    return dataset


def _samples(dataset: Dataset, path: Path) -> np.ndarray:
    """Return the stored samples, H x W or H x W x 3 (RGB)."""
    try:
        pixels = _decode(dataset)
    except Exception as problem:  # decoders raise many kinds on damaged files
        reason = " ".join(str(problem).split())[:200]
        raise ImageError(f"the pixels cannot be decoded ({reason})", where=path) from None
    if pixels.ndim != 2 and pixels.shape[2:] != (3,):
        raise ImageError(f"the pixels have shape {pixels.shape}, expected one image", where=path)
    return pixels


def _decode(dataset: Dataset) -> np.ndarray:
    syntax = getattr(dataset.file_meta, "TransferSyntaxUID", None)
    if syntax is None:  # pydicom assumed this when it read the tags
        syntax = ImplicitVRLittleEndian if dataset.original_encoding[0] else ExplicitVRLittleEndian
        dataset.file_meta.TransferSyntaxUID = syntax
    if _can_decode(syntax):
        return np.asarray(dataset.pixel_array)
    import SimpleITK

    # Neutral tags, so that the decoder neither inverts nor rescales the stored samples.
    plain = copy.deepcopy(dataset)
    if str(plain.get("PhotometricInterpretation")) == "MONOCHROME1":
        plain.PhotometricInterpretation = "MONOCHROME2"
    for tag in ("RescaleSlope", "RescaleIntercept", "ModalityLUTSequence"):
        if tag in plain:
            delattr(plain, tag)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "image.dcm"
        plain.save_as(file)
        volume = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(file), imageIO="GDCMImageIO"))
    return np.asarray(volume[0])


def _can_decode(syntax: UID) -> bool:
    """Can pydicom decode this transfer syntax with the installed packages?"""
    try:
        return not syntax.is_compressed or get_decoder(syntax).is_available
    except NotImplementedError:
        return False


def _upright_values(pixels: np.ndarray, dataset: Dataset) -> np.ndarray:
    """Apply the modality transform, and invert if low values are white."""
    rescaled = np.asarray(apply_modality_lut(pixels, dataset))
    if str(dataset.get("PhotometricInterpretation")) != "MONOCHROME1":
        return rescaled
    if np.array_equal(rescaled, pixels):
        return _inverted(pixels, *_stored_range(dataset))
    return _inverted(rescaled, float(rescaled.min()), float(rescaled.max()))


def _inverted(pixels: np.ndarray, low: float, high: float) -> np.ndarray:
    return (low + high) - pixels.astype(np.float64)


def _stored_range(dataset: Dataset) -> tuple[int, int]:
    bits = int(dataset.get("BitsStored") or dataset.BitsAllocated)
    if int(dataset.get("PixelRepresentation") or 0):
        return -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    return 0, 2**bits - 1


def _spacing(dataset: Dataset) -> tuple[SpacingMm | None, str]:
    for tag in DICOM_TAGS:
        values = _numbers(dataset.get(tag))
        if len(values) == 2 and all(math.isfinite(value) and value > 0 for value in values):
            return (values[0], values[1]), tag
    return None, ""


def _numbers(value: object) -> list[float]:
    try:
        return [float(item) for item in value]  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        return []
