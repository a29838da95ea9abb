from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import SimpleITK
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, RLELossless, generate_uid

from cervseg.core.errors import ImageError
from cervseg.imageio import list_images, list_other_files, read_image, stem_of

PIXELS = (np.arange(32 * 40).reshape(32, 40) * 3 % 4096).astype(np.uint16)


def write_dicom(
    path: Path, pixels: np.ndarray = PIXELS, *, photometric: str = "MONOCHROME2", **tags: Any
) -> Dataset:
    """Write a CR image of 12 bits with the given tags."""
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
    """MONOCHROME1 gives 4095 - value, MONOCHROME2 the value."""
    write_dicom(tmp_path / "one.dcm", photometric="MONOCHROME1")
    write_dicom(tmp_path / "two.dcm", photometric="MONOCHROME2")
    one, two = read_image(tmp_path / "one.dcm").pixels, read_image(tmp_path / "two.dcm").pixels
    assert one.dtype == two.dtype == np.uint16
    np.testing.assert_array_equal(two[0], PIXELS)
    np.testing.assert_array_equal(one[0], 4095 - PIXELS)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_monochrome1_decoded_by_simpleitk_is_inverted_exactly_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, photometric: str
) -> None:
    """SimpleITK decodes what pydicom cannot, with the same result."""
    dataset = write_dicom(tmp_path / "a.dcm", photometric=photometric)
    dataset.compress(RLELossless)
    dataset.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    by_pydicom = read_image(tmp_path / "a.dcm").pixels
    monkeypatch.setattr("cervseg.imageio.dicom._can_decode", lambda _syntax: False)
    np.testing.assert_array_equal(read_image(tmp_path / "a.dcm").pixels, by_pydicom)
    np.testing.assert_array_equal(by_pydicom[0], PIXELS if photometric == "MONOCHROME2" else 4095 - PIXELS)


def test_jpeg_lossless_is_decoded(tmp_path: Path) -> None:
    """A file written by SimpleITK is read exactly."""
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
    """PixelSpacing is preferred to ImagerPixelSpacing; spacing is (row, column), or None."""
    write_dicom(tmp_path / "a.dcm", **tags)
    image = read_image(tmp_path / "a.dcm")
    assert (image.spacing_mm, image.spacing_source) == (expected, source)


def test_rescale_slope_and_intercept(tmp_path: Path) -> None:
    """2 v - 10 has negative values and gives float32; 1 v + 0 changes nothing."""
    write_dicom(tmp_path / "a.dcm", RescaleSlope=2, RescaleIntercept=-10)
    image = read_image(tmp_path / "a.dcm").pixels
    assert image.dtype == np.float32
    np.testing.assert_array_equal(image[0], 2.0 * PIXELS - 10)
    write_dicom(tmp_path / "b.dcm", RescaleSlope=1, RescaleIntercept=0)
    assert read_image(tmp_path / "b.dcm").pixels.dtype == np.uint16


def test_a_file_without_preamble_is_read(tmp_path: Path) -> None:
    """Some archives omit the first 132 bytes."""
    write_dicom(tmp_path / "a.dcm")
    (tmp_path / "b.dcm").write_bytes((tmp_path / "a.dcm").read_bytes()[132:])
    np.testing.assert_array_equal(read_image(tmp_path / "b.dcm").pixels[0], PIXELS)


def test_bad_dicom_files_are_named(tmp_path: Path) -> None:
    """Truncated pixels and several frames are errors."""
    write_dicom(tmp_path / "a.dcm")
    (tmp_path / "cut.dcm").write_bytes((tmp_path / "a.dcm").read_bytes()[:1500])
    with pytest.raises(ImageError, match=r"the pixels cannot be decoded .*: .*cut\.dcm"):
        read_image(tmp_path / "cut.dcm")
    write_dicom(tmp_path / "b.dcm", np.stack([PIXELS, PIXELS]), NumberOfFrames=2)
    with pytest.raises(ImageError, match="2 frames"):
        read_image(tmp_path / "b.dcm")


def test_colours_become_luminance(tmp_path: Path) -> None:
    """RGB samples are weighted as in other formats: 76, 150 and 29."""
    pixels = np.zeros((32, 40, 3), np.uint8)
    pixels[:, :10, 0], pixels[:, 10:20, 1], pixels[:, 20:30, 2] = 255, 255, 255
    dataset = write_dicom(tmp_path / "a.dcm")
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PlanarConfiguration = 3, "RGB", 0
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
    dataset.PixelData = pixels.tobytes()
    dataset.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    image = read_image(tmp_path / "a.dcm")
    assert image.is_colour
    assert image.pixels[0, 0, ::10].tolist() == [76, 150, 29, 0]


@pytest.mark.parametrize("name", ["IM0001", "1.2.840.113619.2"])
def test_a_file_without_suffix_is_recognized_by_its_content(tmp_path: Path, name: str) -> None:
    """Hospitals export DICOM without a suffix, or with an identifier as name."""
    write_dicom(tmp_path / name)
    write_dicom(tmp_path / "DICOMDIR")
    (tmp_path / "notes").write_text("no image")
    assert [path.name for path in list_images(tmp_path)] == [name]
    assert [path.name for path in list_other_files(tmp_path)] == ["DICOMDIR", "notes"]
    np.testing.assert_array_equal(read_image(tmp_path / name).pixels[0], PIXELS)
    assert stem_of(tmp_path / name) == name
