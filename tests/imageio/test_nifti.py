from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK

from cervseg.core.errors import ImageError
from cervseg.imageio import read_image, read_mask

PIXELS = (np.arange(32 * 40).reshape(32, 40) * 3 % 4096).astype(np.uint16)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("is_flat", [True, False])
def test_an_array_by_nibabel_is_rows_by_columns(tmp_path: Path, suffix: str, is_flat: bool) -> None:
    """H x W and H x W x 1 with a plain affine are read as 1 x H x W with (row, column) spacing."""
    array = PIXELS if is_flat else PIXELS[:, :, None]
    path = tmp_path / f"a{suffix}"
    nibabel.save(nibabel.Nifti1Image(array, np.diag([0.2, 0.15, 1, 1])), path)
    image = read_image(path)
    np.testing.assert_array_equal(image.pixels[0], PIXELS)
    assert image.pixels.dtype == np.uint16
    assert (image.spacing_mm, image.spacing_source) == ((0.2, 0.15), "NIfTI header")


def test_an_image_by_simpleitk_is_upright(tmp_path: Path) -> None:
    """ITK stores the column first; rows, columns and spacing are read in our order."""
    image = SimpleITK.GetImageFromArray(PIXELS[np.newaxis])
    image.SetSpacing((0.15, 0.2, 1.0))
    SimpleITK.WriteImage(image, str(tmp_path / "a.nii.gz"))
    pixels = read_image(tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(pixels.pixels[0], PIXELS)
    assert pixels.spacing_mm == (0.2, 0.15)


def test_one_by_one_is_not_a_spacing(tmp_path: Path) -> None:
    """Writers without a spacing store 1 x 1, which is read as None."""
    nibabel.save(nibabel.Nifti1Image(PIXELS, np.eye(4)), tmp_path / "a.nii")
    assert read_image(tmp_path / "a.nii").spacing_mm is None


def test_a_mask_of_whole_floats_is_labels(tmp_path: Path) -> None:
    """float64 values 0.0, 1.0, 2.0 are labels, 0.5 is an error."""
    nibabel.save(nibabel.Nifti1Image((PIXELS % 3).astype(np.float64), np.eye(4)), tmp_path / "a.nii")
    mask = read_mask(tmp_path / "a.nii")
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask, PIXELS % 3)
    nibabel.save(nibabel.Nifti1Image(PIXELS / 2, np.eye(4)), tmp_path / "b.nii")
    with pytest.raises(ImageError, match="must be integers"):
        read_mask(tmp_path / "b.nii")


def test_volumes_and_truncated_files_are_errors(tmp_path: Path) -> None:
    """Three slices and half a file are errors."""
    nibabel.save(nibabel.Nifti1Image(np.stack([PIXELS] * 3, axis=2), np.eye(4)), tmp_path / "a.nii.gz")
    with pytest.raises(ImageError, match="volume of shape"):
        read_image(tmp_path / "a.nii.gz")
    nibabel.save(nibabel.Nifti1Image(PIXELS, np.eye(4)), tmp_path / "b.nii.gz")
    data = (tmp_path / "b.nii.gz").read_bytes()
    (tmp_path / "b.nii.gz").write_bytes(data[: len(data) // 2])
    with pytest.raises(ImageError, match=r"b\.nii\.gz"):
        read_image(tmp_path / "b.nii.gz")
