import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from cervseg.core.errors import ImageError
from cervseg.imageio import read_image, read_mask, write_gray, write_mask
from cervseg.imageio import samples as samples_module

RNG = np.random.default_rng(0)
GRAY = RNG.integers(0, 256, (24, 40)).astype(np.uint8)
DEEP = RNG.integers(0, 4096, (24, 40)).astype(np.uint16)


def put(path: Path, pixels: np.ndarray) -> Path:
    path.write_bytes(cv2.imencode(path.suffix, pixels)[1].tobytes())
    return path


@pytest.mark.parametrize("name", ["a.png", "a.PNG", "a.tif", "a.TIFF", "a.bmp", "Röntgen 頸椎.png"])
def test_grey_images_are_read_as_stored(tmp_path: Path, name: str) -> None:
    """Lossless formats, upper-case suffixes and names in any script keep their pixels."""
    image = read_image(put(tmp_path / name, GRAY))
    assert (image.pixels.dtype, image.spacing_mm, image.path.name) == (np.uint8, None, name)
    np.testing.assert_array_equal(image.pixels, GRAY[np.newaxis])


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits_are_kept(tmp_path: Path, suffix: str) -> None:
    """12-bit values in a 16-bit file keep their values."""
    image = read_image(put(tmp_path / f"a{suffix}", DEEP))
    assert image.pixels.dtype == np.uint16
    np.testing.assert_array_equal(image.pixels[0], DEEP)


def test_jpeg_is_read(tmp_path: Path) -> None:
    """A JPEG of a smooth image differs by a few grey levels at most."""
    smooth = np.tile(np.arange(0, 160, 4, dtype=np.uint8), (24, 1))
    pixels = read_image(put(tmp_path / "a.jpg", smooth)).pixels[0]
    assert np.abs(pixels.astype(int) - smooth).max() <= 6


def test_content_decides_not_the_suffix(tmp_path: Path) -> None:
    """A PNG named .jpg is read as PNG."""
    path = tmp_path / "a.jpg"
    path.write_bytes(cv2.imencode(".png", GRAY)[1].tobytes())
    np.testing.assert_array_equal(read_image(path).pixels[0], GRAY)


@pytest.mark.parametrize("num_channels", [3, 4])
def test_grey_in_colour_channels_is_grey(tmp_path: Path, num_channels: int) -> None:
    """RGB and RGBA with equal channels are grey; transparency is dropped."""
    pixels = np.repeat(GRAY[:, :, None], num_channels, axis=2)
    if num_channels == 4:
        pixels[:, :, 3] = 7
    path = put(tmp_path / "a.png", pixels)
    np.testing.assert_array_equal(read_image(path).pixels, GRAY[np.newaxis])
    np.testing.assert_array_equal(read_mask(path), GRAY)


def test_colours_become_luminance(tmp_path: Path) -> None:
    """0.299 R + 0.587 G + 0.114 B, rounded: pure red is 76, green 150, blue 29; grey is not in colour."""
    pixels = np.zeros((24, 40, 3), np.uint8)
    pixels[:, :10, 2], pixels[:, 10:20, 1], pixels[:, 20:30, 0] = 255, 255, 255
    image = read_image(put(tmp_path / "a.png", pixels))
    assert image.pixels[0, 0, ::10].tolist() == [76, 150, 29, 0]
    assert image.is_colour
    assert not read_image(put(tmp_path / "b.png", np.repeat(GRAY[:, :, None], 3, axis=2))).is_colour


def test_a_coloured_mask_is_an_error(tmp_path: Path) -> None:
    """Colours are not label values."""
    pixels = np.zeros((24, 40, 3), np.uint8)
    pixels[5:9, 5:9, 2] = 255
    with pytest.raises(ImageError, match="is in colour"):
        read_mask(put(tmp_path / "a.png", pixels))


def test_palette_indices_are_labels_unless_the_palette_is_grey(tmp_path: Path) -> None:
    """Coloured palettes give indices, grey palettes give greys."""
    from PIL import Image

    indices = (GRAY % 3).astype(np.uint8)
    for name, palette, expected in (
        ("colored", [0, 0, 0, 200, 0, 0, 0, 200, 0], indices),
        ("gray", [0, 0, 0, 255, 255, 255, 9, 9, 9], np.array([0, 255, 9], np.uint8)[indices]),
    ):
        image = Image.fromarray(indices, "P")
        image.putpalette(palette)
        image.save(tmp_path / f"{name}.png")
        np.testing.assert_array_equal(read_mask(tmp_path / f"{name}.png"), expected)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_one_bit_masks_hold_zero_and_one(tmp_path: Path, suffix: str) -> None:
    """OpenCV scales 1 bit to 0 and 255; a label stays 1."""
    from PIL import Image

    Image.fromarray(GRAY > 100).save(tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(read_mask(tmp_path / f"a{suffix}"), GRAY > 100)


@pytest.mark.parametrize("pixels", [GRAY, DEEP])
def test_tiff_in_which_white_is_low_is_inverted_once(tmp_path: Path, pixels: np.ndarray) -> None:
    """PhotometricInterpretation 0 is inverted in 8 and 16 bits."""
    data = bytearray(cv2.imencode(".tif", pixels, [cv2.IMWRITE_TIFF_COMPRESSION, 1])[1].tobytes())
    entry = data.find(b"\x06\x01\x03\x00\x01\x00\x00\x00\x01\x00")  # tag 262, SHORT, one value, 1
    assert entry > 0
    data[entry + 8] = 0
    (tmp_path / "a.tif").write_bytes(data)
    np.testing.assert_array_equal(
        read_image(tmp_path / "a.tif").pixels[0], np.iinfo(pixels.dtype).max - pixels
    )


@pytest.mark.parametrize("mask", [GRAY % 4, DEEP, GRAY > 9, (GRAY % 3).astype(np.int64)])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_masks_are_read_as_written(tmp_path: Path, mask: np.ndarray, suffix: str) -> None:
    """A mask keeps its values in the smallest dtype, and no temporary file is left."""
    write_mask(tmp_path / "new" / f"m{suffix}", mask)
    found = read_mask(tmp_path / "new" / f"m{suffix}")
    assert found.dtype == (np.uint16 if mask.max() > 255 else np.uint8)
    np.testing.assert_array_equal(found, mask)
    assert os.listdir(tmp_path / "new") == [f"m{suffix}"]


def test_lossy_writing_is_an_error(tmp_path: Path) -> None:
    """JPEG, 16-bit BMP, negative labels and fractions are errors."""
    with pytest.raises(ImageError, match="not a lossless format"):
        write_mask(tmp_path / "m.jpg", GRAY)
    with pytest.raises(ImageError, match="cannot store uint16"):
        write_gray(tmp_path / "m.bmp", DEEP)
    with pytest.raises(ImageError, match=r"in \[0, 65535\]"):
        write_mask(tmp_path / "m.png", np.full((4, 4), -1))
    with pytest.raises(ImageError, match=r"in \[0, 65535\]"):
        write_mask(tmp_path / "m.png", np.zeros((4, 4)))
    assert os.listdir(tmp_path) == []


def bad_files(folder: Path) -> dict[str, str]:
    """Write one bad file of each kind; return name -> part of the expected message."""
    whole = cv2.imencode(".png", GRAY)[1].tobytes()
    jpeg = cv2.imencode(".jpg", GRAY)[1].tobytes()
    (folder / "truncated.png").write_bytes(whole[: len(whole) // 2])
    (folder / "truncated.jpg").write_bytes(jpeg[: len(jpeg) // 2])
    (folder / "empty.png").write_bytes(b"")
    (folder / "text.png").write_text("this is no picture")
    (folder / "folder.png").mkdir()
    (folder / "broken_link.png").symlink_to(folder / "nowhere.png")
    put(folder / "tiny.png", GRAY[:1, :1])
    put(folder / "thin.png", GRAY[:15])
    put(folder / "nan.tif", np.full((24, 40), np.nan, np.float32))
    cv2.imwritemulti(str(folder / "pages.tif"), [GRAY, GRAY])
    (folder / "unknown.gif").write_bytes(b"GIF89a")
    (folder / "text.dcm").write_text("this is no image")
    (folder / "text.nii").write_text("this is no image")
    (folder / "text.nii.gz").write_text("this is no image")
    return {
        "missing.png": "no such file", "truncated.png": "truncated", "truncated.jpg": "truncated",
        "empty.png": "empty", "text.png": "not a PNG", "folder.png": "is a folder",
        "broken_link.png": "link is broken", "tiny.png": "1 x 1 pixels", "thin.png": "40 x 15 pixels",
        "nan.tif": "NaN", "pages.tif": "2 pages", "unknown.gif": "unsupported image format",
        "text.dcm": "not DICOM", "text.nii": "not NIfTI", "text.nii.gz": "not NIfTI",
    }  # fmt: skip


def test_bad_files_are_named_with_the_reason(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Every bad file raises an ImageError with path and reason, and no library writes to stderr."""
    expected = bad_files(tmp_path)
    for name, reason in expected.items():
        with pytest.raises(ImageError) as caught:
            read_image(tmp_path / name)
        assert str(tmp_path / name) in str(caught.value)
        assert reason in str(caught.value)
    assert capfd.readouterr().err == ""


def test_a_constant_image_is_read(tmp_path: Path) -> None:
    """An all-black image is unusual, not broken."""
    assert read_image(put(tmp_path / "a.png", GRAY * 0)).pixels.max() == 0


def test_too_large_images_are_rejected_before_decoding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The size in the header decides."""
    monkeypatch.setattr(samples_module, "MAX_PIXELS", 24 * 40 - 1)
    with pytest.raises(ImageError, match="has 40 x 24 pixels, more than"):
        read_image(put(tmp_path / "a.png", GRAY))
