from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import SimpleITK
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, RLELossless, generate_uid

from cervseg.core.errors import ImageError
from cervseg.imageio import read_image

PIXELS = (np.arange(32 * 40).reshape(32, 40) * 3 % 4096).astype(np.uint16)


def write_dicom(
    path: Path, pixels: np.ndarray = PIXELS, *, photometric: str = "MONOCHROME2", **tags: Any
) -> Dataset:
    """A CR image of 12 bits with the given tags."""
    dataset = Dataset()
    dataset.preamble = b"\0" * 128
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.1"
    dataset.SOPInstanceUID = generate_uid()
    dataset.Rows, dataset.Columns = pixels.shape[-2:]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, photometric
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    dataset.PixelData = pixels.tobytes()
    for name, value in tags.items():
        setattr(dataset, name, value)
    dataset.save_as(path, enforce_file_format=True)
    return dataset


def test_monochrome1_is_inverted_exactly_once(tmp_path: Path) -> None:
    """The same image in both photometric interpretations: 4095 - value, and value."""
    write_dicom(tmp_path / "one.dcm", photometric="MONOCHROME1")
    write_dicom(tmp_path / "two.dcm", photometric="MONOCHROME2")
    one, two = read_image(tmp_path / "one.dcm").pixels, read_image(tmp_path / "two.dcm").pixels
    assert one.dtype == two.dtype == np.uint16
    np.testing.assert_array_equal(two[0], PIXELS)
    np.testing.assert_array_equal(one[0], 4095 - PIXELS)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_what_simpleitk_decodes_is_inverted_exactly_once_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, photometric: str
) -> None:
    """Compressed pixels that pydicom cannot decode go through SimpleITK, with the same result."""
    dataset = write_dicom(tmp_path / "a.dcm", photometric=photometric)
    dataset.compress(RLELossless)
    dataset.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    by_pydicom = read_image(tmp_path / "a.dcm").pixels
    monkeypatch.setattr("cervseg.imageio.dicom._can_decode", lambda _syntax: False)
    np.testing.assert_array_equal(read_image(tmp_path / "a.dcm").pixels, by_pydicom)
    np.testing.assert_array_equal(by_pydicom[0], PIXELS if photometric == "MONOCHROME2" else 4095 - PIXELS)


def test_jpeg_lossless_is_decoded(tmp_path: Path) -> None:
    """What archives like to send: written by SimpleITK, read back exactly."""
    writer = SimpleITK.ImageFileWriter()
    writer.SetImageIO("GDCMImageIO")
    writer.SetFileName(str(tmp_path / "a.dcm"))
    writer.UseCompressionOn()
    writer.SetCompressor("JPEG")
    writer.Execute(SimpleITK.GetImageFromArray(PIXELS[np.newaxis]))
    assert pydicom.dcmread(tmp_path / "a.dcm").file_meta.TransferSyntaxUID.is_compressed
    np.testing.assert_array_equal(read_image(tmp_path / "a.dcm").pixels[0], PIXELS)


@pytest.mark.parametrize(
    ("tags", "expected", "source"),
    [
        ({"PixelSpacing": [0.2, 0.15], "ImagerPixelSpacing": [0.3, 0.3]}, (0.2, 0.15), "PixelSpacing"),
        ({"ImagerPixelSpacing": [0.3, 0.25]}, (0.3, 0.25), "ImagerPixelSpacing"),
        ({"PixelSpacing": [0, 0]}, None, ""),
        ({}, None, ""),
    ],
)
def test_spacing_and_its_source(tmp_path: Path, tags: dict[str, Any], expected: object, source: str) -> None:
    """PixelSpacing before ImagerPixelSpacing, (row, column), and never invented."""
    write_dicom(tmp_path / "a.dcm", **tags)
    image = read_image(tmp_path / "a.dcm")
    assert (image.spacing_mm, image.spacing_source) == (expected, source)


def test_rescale_slope_and_intercept(tmp_path: Path) -> None:
    """2 v - 10 has negative values, so the image becomes float32; 1 v + 0 changes nothing."""
    write_dicom(tmp_path / "a.dcm", RescaleSlope=2, RescaleIntercept=-10)
    image = read_image(tmp_path / "a.dcm").pixels
    assert image.dtype == np.float32
    np.testing.assert_array_equal(image[0], 2.0 * PIXELS - 10)
    write_dicom(tmp_path / "b.dcm", RescaleSlope=1, RescaleIntercept=0)
    assert read_image(tmp_path / "b.dcm").pixels.dtype == np.uint16


def test_a_file_without_preamble_is_read(tmp_path: Path) -> None:
    """Some archives leave the first 132 bytes out."""
    write_dicom(tmp_path / "a.dcm")
    (tmp_path / "b.dcm").write_bytes((tmp_path / "a.dcm").read_bytes()[132:])
    np.testing.assert_array_equal(read_image(tmp_path / "b.dcm").pixels[0], PIXELS)


def test_bad_dicom_files_are_named(tmp_path: Path) -> None:
    """Truncated pixels and images of several frames."""
    write_dicom(tmp_path / "a.dcm")
    (tmp_path / "cut.dcm").write_bytes((tmp_path / "a.dcm").read_bytes()[:1500])
    with pytest.raises(ImageError, match=r"its pixels cannot be decoded .*: .*cut\.dcm"):
        read_image(tmp_path / "cut.dcm")
    write_dicom(tmp_path / "b.dcm", np.stack([PIXELS, PIXELS]), NumberOfFrames=2)
    with pytest.raises(ImageError, match="2 frames"):
        read_image(tmp_path / "b.dcm")
