"""PNG, JPEG, TIFF and BMP through OpenCV."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np

from cervseg.core.errors import ImageError
from cervseg.core.paths import atomic_path
from cervseg.imageio.header import PNG_SIGNATURE, RasterHeader, png_chunks, read_header
from cervseg.imageio.samples import COLOR_TOLERANCE, channel_spread, check_size

# OpenCV talks on stderr about every file that it cannot read; what users are told is in our errors.
# The call lies in another place in OpenCV 4 and 5; 0 means silent.
(cv2.setLogLevel if hasattr(cv2, "setLogLevel") else cv2.utils.logging.setLogLevel)(0)

# Suffixes of formats that keep every value.
LOSSLESS_SUFFIXES = (".png", ".tif", ".tiff", ".bmp")


def read_raster(path: Path) -> np.ndarray:
    """A raster file's picture as one grey plane, H x W, dtype as stored.

    Colours become luminance (0.299 R + 0.587 G + 0.114 B), transparency is dropped and EXIF orientation is
    ignored, as it is for masks.

    Raises:
        ImageError: the file is truncated, damaged, too large, of several pages or no image.
    """
    data, header = _load(path)
    plane = _gray(_decode(_without_extras(data) if header.kind == "png" else data, path))
    # OpenCV inverts such pictures itself in 8 bits, and forgets to in 16.
    return np.iinfo(np.uint16).max - plane if header.is_white_low and plane.dtype == np.uint16 else plane


def read_colors(path: Path) -> np.ndarray:
    """A raster file's picture in colours, H x W x 3 uint8, RGB; grey pictures have three equal channels.

    Transparency is dropped, EXIF orientation ignored, and of 16 bits the upper eight are kept.

    Raises:
        ImageError: as for ``read_image``, or it is of floating-point numbers.
    """
    data, header = _load(path)
    stored = _decode(_without_extras(data) if header.kind == "png" else data, path)
    if stored.dtype == np.uint16:
        stored = (stored >> 8).astype(np.uint8)
    if stored.dtype != np.uint8:
        raise ImageError(f"has {stored.dtype} samples, colours have 8 or 16 bits", where=path)
    if stored.ndim == 2 or stored.shape[2] < 3:
        plane = stored if stored.ndim == 2 else stored[:, :, 0]
        return np.repeat(plane[:, :, np.newaxis], 3, axis=2)
    return np.ascontiguousarray(stored[:, :, 2::-1])


def read_labels(path: Path) -> np.ndarray:
    """A raster file's samples as they are stored, H x W: palette indices where a palette has colours.

    Raises:
        ImageError: as for ``read_image``, and if the mask has colours.
    """
    data, header = _load(path)
    if header.is_indexed:
        return _indexed_labels(data, header, path)
    stored = _decode(_without_extras(data) if header.kind == "png" else data, path)
    if channel_spread(stored) > COLOR_TOLERANCE:
        raise ImageError(
            "has colours, a mask must hold label values",
            where=path,
            hint="Save it as grey PNG in which each pixel is the number of its label.",
        )
    plane = _gray(stored)
    # OpenCV stretches samples of 1, 2 and 4 bits over the 8-bit range; labels must stay as they were.
    return _unstretched(plane, header.bits) if header.kind in ("png", "tiff") else plane


def write_mask(path: Path, mask: np.ndarray) -> None:
    """Write label values under a temporary name, then rename.

    Args:
        path: ends in .png, .tif, .tiff or .bmp; its folder is made.
        mask: H x W, integers or bool, 0 to 65535 (BMP: 255); stored in 8 bits if they suffice.

    Raises:
        ImageError: the suffix is not lossless or the values do not fit.
    """
    mask = np.asarray(mask)
    top = int(mask.max()) if mask.size else 0
    if mask.dtype.kind not in "bui" or (mask.size and int(mask.min()) < 0) or top > 65535:
        raise ImageError("label values must be whole numbers from 0 to 65535", where=path)
    write_gray(path, mask.astype(np.uint8 if top < 256 else np.uint16))


def write_gray(path: Path, pixels: np.ndarray) -> None:
    """Write one grey plane without loss under a temporary name, then rename.

    Args:
        path: ends in .png, .tif, .tiff or .bmp (8 bits only); its folder is made.
        pixels: H x W uint8 or uint16.

    Raises:
        ImageError: the suffix is not lossless, or shape or type are not as above.
    """
    path, pixels = Path(path), np.asarray(pixels)
    suffix = path.suffix.lower()
    if suffix not in LOSSLESS_SUFFIXES:
        raise ImageError(
            f"{suffix or 'no suffix'} does not keep every value", where=path, hint="Write .png or .tif."
        )
    fits = pixels.dtype == np.uint8 or (pixels.dtype == np.uint16 and suffix != ".bmp")
    if pixels.ndim != 2 or not pixels.size or not fits:
        raise ImageError(f"cannot hold {pixels.dtype} pixels of shape {pixels.shape}", where=path)
    # No options: by default OpenCV writes PNG at level 1 with one filter, 2.4 times as fast as if level 1 is
    # asked for (then it tries all filters on every row), and images get smaller.
    done, data = cv2.imencode(suffix, np.ascontiguousarray(pixels))
    if not done:
        raise ImageError("cannot be encoded", where=path)
    with atomic_path(path) as temporary:
        temporary.write_bytes(data.tobytes())


def _load(path: Path) -> tuple[bytes, RasterHeader]:
    # Not cv2.imread: it cannot open names outside the system's code page, and does not say why it failed.
    data = Path(path).read_bytes()
    header = read_header(data, path=path)
    if header.num_pages > 1:
        raise ImageError(
            f"holds {header.num_pages} pages, one image is wanted",
            where=path,
            hint="Save each page as a file.",
        )
    check_size(header.size, path=path)
    return data, header


def _decode(data: bytes, path: Path) -> np.ndarray:
    try:
        # IMREAD_UNCHANGED keeps depth and channels, and ignores EXIF orientation.
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as problem:
        reason = str(problem.err or "").strip()
        raise ImageError(f"cannot be decoded ({reason})", where=path, hint="Export it as PNG.") from None
    if pixels is None:
        raise ImageError(
            "cannot be decoded: it is damaged or of an unusual kind", where=path, hint="Export it as PNG."
        )
    if pixels.ndim == 3 and pixels.shape[2] > 4:
        raise ImageError(f"has {pixels.shape[2]} channels, one image is wanted", where=path)
    return np.asarray(pixels)


def _gray(stored: np.ndarray) -> np.ndarray:
    """H x W from H x W or H x W x (1, 2 = with alpha, 3, 4 = with alpha), blue first."""
    if stored.ndim == 2:
        return stored
    if stored.shape[2] < 3 or channel_spread(stored) == 0:
        return np.ascontiguousarray(stored[:, :, 0])
    if stored.dtype not in (np.uint8, np.uint16, np.float32):
        stored = stored.astype(np.float32)
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(stored[:, :, :3]), cv2.COLOR_BGR2GRAY))


def _indexed_labels(data: bytes, header: RasterHeader, path: Path) -> np.ndarray:
    """The indices of a PNG with a palette; its greys where everything that occurs is grey."""
    palette = next((bytes(content) for kind, content, _ in png_chunks(data) if kind == b"PLTE"), b"")
    indices = _unstretched(_decode(_without_extras(data, as_gray=True), path), header.bits)
    colors = np.zeros((256, 3), np.uint8)
    listed = np.frombuffer(palette, np.uint8).reshape(-1, 3)
    colors[: len(listed)] = listed
    used = colors[np.unique(indices)]
    is_gray = bool((used == used[:, :1]).all())
    return colors[:, 0][indices] if is_gray else indices


def _unstretched(plane: np.ndarray, bits: int) -> np.ndarray:
    if bits >= 8 or plane.dtype != np.uint8:
        return plane
    return plane // np.uint8(255 // (2**bits - 1)) if plane.max() > 2**bits - 1 else plane


def _without_extras(data: bytes, *, as_gray: bool = False) -> bytes:
    """A PNG of its picture's chunks alone: colour profiles and texts make libpng talk on stderr.

    ``as_gray`` declares the indices of a palette to be grey values, so that they can be read.
    """
    kept = [PNG_SIGNATURE]
    wanted = {b"IHDR", b"IDAT", b"IEND"} if as_gray else {b"IHDR", b"PLTE", b"IDAT", b"IEND"}
    for kind, content, checksum in png_chunks(data):
        if kind not in wanted:
            continue
        body: bytes | memoryview = content
        if kind == b"IHDR" and as_gray:
            body = bytes(content[:9]) + b"\0" + bytes(content[10:])  # the colour type
            checksum = zlib.crc32(body, zlib.crc32(kind))
        kept += [struct.pack(">I", len(body)), kind, bytes(body), struct.pack(">I", checksum)]
    return b"".join(kept)
