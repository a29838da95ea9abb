"""PNG, JPEG, TIFF and BMP through OpenCV."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np

from cervseg.core.atomic import atomic_path
from cervseg.core.errors import ImageError
from cervseg.imageio.colour import grey_to_rgb, is_colour, luminance
from cervseg.imageio.header import PNG_SIGNATURE, RasterHeader, png_chunks, read_header
from cervseg.imageio.samples import Plane, check_size

# OpenCV reports unreadable files on stderr; our errors say the same. OpenCV 4 and 5 have this call in
# different places; 0 means silent.
(cv2.setLogLevel if hasattr(cv2, "setLogLevel") else cv2.utils.logging.setLogLevel)(0)

# Suffixes of lossless formats.
LOSSLESS_SUFFIXES = (".png", ".tif", ".tiff", ".bmp")


def read_raster(path: Path) -> Plane:
    """Read a raster file as one grey plane, H x W, dtype as stored.

    Colours become luminance, transparency is dropped and EXIF orientation is ignored, as it is for masks.

    Raises:
        ImageError: the file is truncated, damaged, too large, not an image or has several pages.
    """
    data, header = _load(path)
    stored = _decode(_without_extras(data) if header.kind == "png" else data, path)
    plane = luminance(stored, blue_first=True)
    # OpenCV inverts such pictures itself in 8 bits, but not in 16.
    if header.is_white_low and plane.dtype == np.uint16:
        plane = np.iinfo(np.uint16).max - plane
    return Plane(samples=plane, is_colour=is_colour(stored))


def read_colors(path: Path) -> np.ndarray:
    """Read a raster file as H x W x 3 uint8, RGB; grey pictures have three equal channels.

    Transparency is dropped, EXIF orientation is ignored, and of 16 bits the upper eight are kept.

    Raises:
        ImageError: as for ``read_image``, or the samples are floating-point numbers.
    """
    data, header = _load(path)
    stored = _decode(_without_extras(data) if header.kind == "png" else data, path)
    if stored.dtype == np.uint16:
        stored = (stored >> 8).astype(np.uint8)
    if stored.dtype != np.uint8:
        raise ImageError(f"the samples are {stored.dtype}, colours need 8 or 16 bits", where=path)
    if stored.ndim == 2 or stored.shape[2] < 3:
        plane = stored if stored.ndim == 2 else stored[:, :, 0]
        return grey_to_rgb(plane)
    return np.ascontiguousarray(stored[:, :, 2::-1])


def read_labels(path: Path) -> Plane:
    """Read a raster file as stored, H x W: palette indices if the palette has colours.

    Raises:
        ImageError: as for ``read_image``, or the mask is in colour.
    """
    data, header = _load(path)
    if header.is_indexed:
        return Plane(samples=_indexed_labels(data, header, path))
    stored = _decode(_without_extras(data) if header.kind == "png" else data, path)
    if is_colour(stored):
        raise ImageError(
            "the mask is in colour, it must have label values",
            where=path,
            hint="save it as grey PNG whose pixels are label values",
        )
    plane = luminance(stored, blue_first=True)
    # OpenCV scales samples of 1, 2 and 4 bits to the 8-bit range; labels must keep their values.
    return Plane(samples=_unscaled(plane, header.bits) if header.kind in ("png", "tiff") else plane)


def write_mask(path: Path, mask: np.ndarray) -> None:
    """Write label values under a temporary name, then rename.

    Args:
        path: a .png, .tif, .tiff or .bmp file; its folder is created.
        mask: H x W, integers or bool, in [0, 65535] (BMP: 255); stored in 8 bits if possible.

    Raises:
        ImageError: the suffix is not lossless, or values are out of range.
    """
    mask = np.asarray(mask)
    top = int(mask.max()) if mask.size else 0
    if mask.dtype.kind not in "bui" or (mask.size and int(mask.min()) < 0) or top > 65535:
        raise ImageError("label values must be integers in [0, 65535]", where=path)
    write_gray(path, mask.astype(np.uint8 if top < 256 else np.uint16))


def write_gray(path: Path, pixels: np.ndarray) -> None:
    """Write one grey plane without loss under a temporary name, then rename.

    Args:
        path: a .png, .tif, .tiff or .bmp (8 bits only) file; its folder is created.
        pixels: H x W uint8 or uint16.

    Raises:
        ImageError: the suffix is not lossless, or the shape or dtype is unsupported.
    """
    path, pixels = Path(path), np.asarray(pixels)
    suffix = path.suffix.lower()
    if suffix not in LOSSLESS_SUFFIXES:
        raise ImageError(
            f"{suffix or 'no suffix'} is not a lossless format", where=path, hint="write .png or .tif"
        )
    fits = pixels.dtype == np.uint8 or (pixels.dtype == np.uint16 and suffix != ".bmp")
    if pixels.ndim != 2 or not pixels.size or not fits:
        raise ImageError(f"{suffix} cannot store {pixels.dtype} pixels of shape {pixels.shape}", where=path)
    # No options: by default OpenCV writes PNG at level 1 with one filter. With an explicit level 1 it tries
    # all filters on every row, which takes 2.4 times as long and gives larger files.
    done, data = cv2.imencode(suffix, np.ascontiguousarray(pixels))
    if not done:
        raise ImageError("the image cannot be encoded", where=path)
    with atomic_path(path) as temporary:
        temporary.write_bytes(data.tobytes())


def _load(path: Path) -> tuple[bytes, RasterHeader]:
    # Not cv2.imread: it cannot open names outside the system's code page, and gives no reason when it fails.
    data = Path(path).read_bytes()
    header = read_header(data, path=path)
    if header.num_pages > 1:
        raise ImageError(
            f"the file has {header.num_pages} pages, expected one image",
            where=path,
            hint="save each page as its own file",
        )
    check_size(header.size, path=path)
    return data, header


def _decode(data: bytes, path: Path) -> np.ndarray:
    try:
        # IMREAD_UNCHANGED keeps depth and channels, and ignores EXIF orientation.
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as problem:
        reason = str(problem.err or "").strip()
        raise ImageError(
            f"the image cannot be decoded ({reason})", where=path, hint="export it as PNG"
        ) from None
    if pixels is None:
        raise ImageError(
            "the image cannot be decoded: damaged or unsupported", where=path, hint="export it as PNG"
        )
    if pixels.ndim == 3 and pixels.shape[2] > 4:
        raise ImageError(f"the file has {pixels.shape[2]} channels, expected one image", where=path)
    return np.asarray(pixels)


def _indexed_labels(data: bytes, header: RasterHeader, path: Path) -> np.ndarray:
    """Return the indices of a PNG with a palette, or its greys if all used colours are grey."""
    palette = next((bytes(content) for kind, content, _ in png_chunks(data) if kind == b"PLTE"), b"")
    indices = _unscaled(_decode(_without_extras(data, as_gray=True), path), header.bits)
    colors = np.zeros((256, 3), np.uint8)
    listed = np.frombuffer(palette, np.uint8).reshape(-1, 3)
    colors[: len(listed)] = listed
    used = colors[np.unique(indices)]
    is_gray = bool((used == used[:, :1]).all())
    return colors[:, 0][indices] if is_gray else indices


def _unscaled(plane: np.ndarray, bits: int) -> np.ndarray:
    if bits >= 8 or plane.dtype != np.uint8:
        return plane
    return plane // np.uint8(255 // (2**bits - 1)) if plane.max() > 2**bits - 1 else plane


def _without_extras(data: bytes, *, as_gray: bool = False) -> bytes:
    """Remove colour profiles and texts from a PNG: libpng writes warnings about them to stderr.

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
