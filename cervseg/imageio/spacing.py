"""Sources of pixel spacing in DICOM files."""

from __future__ import annotations

from typing import Final

DETECTOR: Final = "ImagerPixelSpacing"
# In order of preference: calibrated in the patient, at the detector, on the scanned sheet.
DICOM_TAGS: Final = ("PixelSpacing", DETECTOR, "NominalScannedPixelSpacing")


def is_at_detector(source: str) -> bool:
    """Is this spacing measured at the detector, where the patient is magnified?

    Args:
        source: ``RawImage.spacing_source``.
    """
    return source == DETECTOR
