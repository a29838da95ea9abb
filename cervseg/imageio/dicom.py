"""DICOM images: pydicom reads tags and plain pixels, SimpleITK decodes what is compressed.

SimpleITK's own spacing and its handling of MONOCHROME1 are not used: on CR and DX it gives the detector's
spacing even where PixelSpacing is present, and accounts differ on whether it inverts.
"""

from __future__ import annotations

import copy
import logging
import math
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pydicom
from pydicom.errors import InvalidDicomError
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_modality_lut
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from cervseg.core.errors import ImageError
from cervseg.core.types import SpacingMm
from cervseg.imageio.samples import check_size

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

# In the order of preference: calibrated in the patient, at the detector, on the scanned sheet of image.
_SPACING_TAGS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")
_LUMINANCE = np.array([0.299, 0.587, 0.114])


def read_dicom(path: Path) -> tuple[np.ndarray, SpacingMm | None, str]:
    """One image of a DICOM file.

    Returns:
        H x W pixels after the modality transform (rescale slope and intercept, or its table), integer or
        float; bone is bright whether the file is MONOCHROME1 or MONOCHROME2. Display windows are not applied.
        Then (row, column) spacing in mm or None, and the tag it is from.

    Raises:
        ImageError: it is no DICOM file, holds no pixels or several frames, or cannot be decoded.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom remarks on tags that do not concern us
        logging.getLogger("pydicom").setLevel(logging.CRITICAL)
        dataset = _read_tags(path)
        pixels = _samples(dataset, path)
        pixels = _upright_values(pixels, dataset)
    return pixels, *_spacing(dataset)


def _read_tags(path: Path) -> Dataset:
    with open(path, "rb") as stream:
        # Some archives leave the preamble out; then the file begins with a tag of group 2 or 8.
        has_no_preamble = stream.read(2) in (b"\x02\0", b"\x08\0")
    try:
        dataset = pydicom.dcmread(path, force=has_no_preamble)
    except InvalidDicomError:
        raise ImageError("is no DICOM file, whatever its name says", where=path) from None
    except OSError:
        raise
    except Exception as problem:  # pydicom raises many kinds on damaged files
        raise ImageError(f"is a damaged DICOM file ({problem})", where=path) from None
    if "PixelData" not in dataset:
        raise ImageError("is a DICOM file without pixels", where=path)
    frames = int(dataset.get("NumberOfFrames") or 1)
    if frames != 1:
        raise ImageError(f"holds {frames} frames, one image is wanted", where=path)
    check_size((int(dataset.get("Rows") or 0), int(dataset.get("Columns") or 0)), path=path)
    return dataset


def _samples(dataset: Dataset, path: Path) -> np.ndarray:
    """The stored samples, H x W, or the luminance of colours."""
    try:
        pixels = _decode(dataset)
    except Exception as problem:  # decoders raise many kinds on damaged files
        reason = " ".join(str(problem).split())[:200]
        raise ImageError(f"its pixels cannot be decoded ({reason})", where=path) from None
    if pixels.ndim == 3 and pixels.shape[2] == 3:
        pixels = np.rint(pixels @ _LUMINANCE).astype(pixels.dtype)
    if pixels.ndim != 2:
        raise ImageError(f"holds an array of shape {pixels.shape}, one image is wanted", where=path)
    return pixels


def _decode(dataset: Dataset) -> np.ndarray:
    syntax = getattr(dataset.file_meta, "TransferSyntaxUID", None)
    if syntax is None:  # what pydicom assumed when it read the tags
        syntax = ImplicitVRLittleEndian if dataset.original_encoding[0] else ExplicitVRLittleEndian
        dataset.file_meta.TransferSyntaxUID = syntax
    if _can_decode(syntax):
        return np.asarray(dataset.pixel_array)
    import SimpleITK

    # With these tags neutral the decoder has nothing to invert or rescale: what it returns is what is stored.
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
    """Does pydicom decode this transfer syntax with what is installed?"""
    try:
        return not syntax.is_compressed or get_decoder(syntax).is_available
    except NotImplementedError:
        return False


def _upright_values(pixels: np.ndarray, dataset: Dataset) -> np.ndarray:
    """Modality values, inverted if white stands for low ones."""
    rescaled = np.asarray(apply_modality_lut(pixels, dataset))
    if str(dataset.get("PhotometricInterpretation")) != "MONOCHROME1":
        return rescaled
    if np.array_equal(rescaled, pixels):
        return _mirrored(pixels, *_stored_range(dataset))
    return _mirrored(rescaled, float(rescaled.min()), float(rescaled.max()))


def _mirrored(pixels: np.ndarray, low: float, high: float) -> np.ndarray:
    return (low + high) - pixels.astype(np.float64)


def _stored_range(dataset: Dataset) -> tuple[int, int]:
    bits = int(dataset.get("BitsStored") or dataset.BitsAllocated)
    if int(dataset.get("PixelRepresentation") or 0):
        return -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    return 0, 2**bits - 1


def _spacing(dataset: Dataset) -> tuple[SpacingMm | None, str]:
    for tag in _SPACING_TAGS:
        values = _numbers(dataset.get(tag))
        if len(values) == 2 and all(math.isfinite(value) and value > 0 for value in values):
            return (values[0], values[1]), tag
    return None, ""


def _numbers(value: Any) -> list[float]:
    try:
        return [float(item) for item in value]
    except (TypeError, ValueError):
        return []
