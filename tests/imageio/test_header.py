import io
from pathlib import Path

import cv2
import numpy as np
import pytest

from cervseg.core.errors import ImageError
from cervseg.imageio.header import read_header

PIXELS = np.random.default_rng(0).integers(0, 256, (24, 40)).astype(np.uint8)
NAME = Path("image")


def encoded(suffix: str, pixels: np.ndarray = PIXELS) -> bytes:
    return cv2.imencode(suffix, pixels)[1].tobytes()


@pytest.mark.parametrize(
    ("suffix", "kind"), [(".png", "png"), (".jpg", "jpeg"), (".tif", "tiff"), (".bmp", "bmp")]
)
def test_size_and_kind_without_decoding(suffix: str, kind: str) -> None:
    """Height, width, bits and kind are those of OpenCV's file."""
    header = read_header(encoded(suffix), path=NAME)
    assert (header.kind, header.size, header.bits, header.num_pages) == (kind, (24, 40), 8, 1)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".bmp"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_truncation_is_found_everywhere(suffix: str, share: float) -> None:
    """A file without its end is reported before it is decoded."""
    data = encoded(suffix)
    with pytest.raises(ImageError, match="truncated"):
        read_header(data[: int(len(data) * share)], path=NAME)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp"])
def test_the_last_byte_counts_and_bytes_after_the_end_do_not(suffix: str) -> None:
    """One byte less is truncated; bytes after the end are ignored."""
    data = encoded(suffix)
    with pytest.raises(ImageError, match="truncated"):
        read_header(data[:-1], path=NAME)
    assert read_header(data + b"\0garbage", path=NAME).size == (24, 40)


def test_tiff_with_its_directory_first_and_its_strips_cut() -> None:
    """With the directory before the pixels, only the strips show that the end is missing."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(PIXELS).save(stream, "TIFF")
    data = stream.getvalue()
    assert read_header(data, path=NAME).size == (24, 40)
    with pytest.raises(ImageError, match="truncated"):
        read_header(data[:-10], path=NAME)


def test_pages_of_a_tiff_are_counted(tmp_path: Path) -> None:
    """Three pictures in one file are three pages."""
    cv2.imwritemulti(str(tmp_path / "a.tif"), [PIXELS] * 3)
    assert read_header((tmp_path / "a.tif").read_bytes(), path=NAME).num_pages == 3


def test_damaged_png_pixels() -> None:
    """A changed byte in the picture gives a wrong checksum."""
    data = bytearray(encoded(".png"))
    data[len(data) // 2] ^= 0xFF
    with pytest.raises(ImageError, match="checksum"):
        read_header(bytes(data), path=NAME)


def test_text_is_not_an_image() -> None:
    """A file that starts as none of the four formats is an error."""
    with pytest.raises(ImageError, match="not a PNG, JPEG, TIFF or BMP"):
        read_header(b"this is no picture", path=NAME)
