"""Image files of a folder, recognized by their suffix, or as DICOM by their first bytes."""

from __future__ import annotations

from pathlib import Path

RASTER_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
DICOM_SUFFIXES = (".dcm", ".dicom")
NIFTI_SUFFIXES = (".nii", ".nii.gz")
SUFFIXES = RASTER_SUFFIXES + DICOM_SUFFIXES + NIFTI_SUFFIXES
_DICOM_DIRECTORY = "DICOMDIR"  # lists the files of a disc, has no pixels


def image_suffix(path: Path) -> str:
    """Return the lower-case image suffix of ``path`` (``.nii.gz`` is one suffix), or "" for other files."""
    name = path.name.lower()
    return next((suffix for suffix in sorted(SUFFIXES, key=len, reverse=True) if name.endswith(suffix)), "")


def stem_of(path: Path) -> str:
    """Return the name of ``path`` without its image suffix: ``a`` for ``a.nii.gz``."""
    return path.name[: len(path.name) - len(image_suffix(path))]


def is_dicom(path: Path) -> bool:
    """Does a file start as DICOM: 128 bytes, then ``DICM``? Hospitals export such files without a suffix."""
    if not path.is_file() or path.name.upper() == _DICOM_DIRECTORY:
        return False
    try:
        with open(path, "rb") as stream:
            return stream.read(132)[128:] == b"DICM"
    except OSError:
        return False


def list_images(folder: Path) -> list[Path]:
    """List files with an image suffix, in upper or lower case, and DICOM files of any name, sorted.

    Hidden files are ignored. Broken links and folders with an image suffix are listed, so that reading them
    reports an error.

    Raises:
        OSError: ``folder`` is not a folder or cannot be read.
    """
    return [path for path in _entries(folder) if image_suffix(path) or is_dicom(path)]


def list_other_files(folder: Path) -> list[Path]:
    """List the files that :func:`list_images` leaves out, sorted, without hidden files and folders.

    Raises:
        OSError: ``folder`` is not a folder or cannot be read.
    """
    images = set(list_images(folder))
    return [path for path in _entries(folder) if path.is_file() and path not in images]


def _entries(folder: Path) -> list[Path]:
    return sorted(path for path in Path(folder).iterdir() if not path.name.startswith("."))
