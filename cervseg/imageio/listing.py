"""Which files are images, judged by their suffix alone."""

from __future__ import annotations

from pathlib import Path

RASTER_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
DICOM_SUFFIXES = (".dcm", ".dicom")
NIFTI_SUFFIXES = (".nii", ".nii.gz")
SUFFIXES = RASTER_SUFFIXES + DICOM_SUFFIXES + NIFTI_SUFFIXES


def image_suffix(path: Path) -> str:
    """The lower-case image suffix of ``path`` (``.nii.gz`` counts as one), empty if it has none of ours."""
    name = path.name.lower()
    return next((suffix for suffix in sorted(SUFFIXES, key=len, reverse=True) if name.endswith(suffix)), "")


def stem_of(path: Path) -> str:
    """The name of ``path`` without its image suffix: ``a`` for ``a.nii.gz``."""
    return path.name[: len(path.name) - len(image_suffix(path))]


def list_images(folder: Path) -> list[Path]:
    """Everything in ``folder`` that carries an image suffix, in upper or lower case, sorted; no hidden files.

    Broken links and folders with such a name are listed too, so that reading can name them as bad.

    Raises:
        OSError: ``folder`` is no folder or may not be read.
    """
    entries = [path for path in Path(folder).iterdir() if not path.name.startswith(".")]
    return sorted(path for path in entries if image_suffix(path))
