"""Headers of PNG, JPEG, TIFF and BMP files, and checks that the files are complete.

Some decoders silently fill truncated files with grey or black, so the containers are checked before decoding.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cervseg.core.errors import ImageError

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_TRUNCATED = "is truncated: its end is missing"
_COPY_AGAIN = "Copy or export it again."


@dataclass(frozen=True, kw_only=True)
class RasterHeader:
    """Properties of a file by its header.

    ``size`` is (height, width) in px, ``bits`` are bits per sample, ``num_pages`` counts pictures of full
    size. ``is_indexed``: a PNG whose samples are indices of a palette. ``is_white_low``: a TIFF in which low
    values are bright.
    """

    kind: str
    size: tuple[int, int]
    bits: int = 8
    num_pages: int = 1
    is_indexed: bool = False
    is_white_low: bool = False


def read_header(data: bytes, *, path: Path) -> RasterHeader:
    """Read the header of a raster file and check that the file is complete.

    Args:
        data: content of the file.
        path: its name, for messages.

    Raises:
        ImageError: the file is none of the four formats, truncated or damaged.
    """
    try:
        if data.startswith(PNG_SIGNATURE):
            return _png(data, path)
        if data.startswith(b"\xff\xd8\xff"):
            return _jpeg(data, path)
        if data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
            return _tiff(data, path)
        if data.startswith(b"BM"):
            return _bmp(data, path)
    except (struct.error, IndexError):
        raise ImageError(_TRUNCATED, where=path, hint=_COPY_AGAIN) from None
    raise ImageError(
        "the file is not a PNG, JPEG, TIFF or BMP image, although its name says so",
        where=path,
        hint="export it again as PNG",
    )


def png_chunks(data: bytes) -> Iterator[tuple[bytes, memoryview, int]]:
    """Iterate over kind, content and checksum of the chunks of a PNG file, including its end chunk.

    Raises:
        IndexError: the file ends before its end chunk.
    """
    view, position = memoryview(data), len(PNG_SIGNATURE)
    while position + 12 <= len(data):
        length = int.from_bytes(view[position : position + 4], "big")
        end = position + 12 + length
        if end > len(data):
            break
        kind = bytes(view[position + 4 : position + 8])
        yield kind, view[position + 8 : end - 4], int.from_bytes(view[end - 4 : end], "big")
        if kind == b"IEND":
            return
        position = end
    raise IndexError("no end chunk")


def _png(data: bytes, path: Path) -> RasterHeader:
    found = None
    for kind, content, checksum in png_chunks(data):
        # Only checksums of chunks that make the picture are checked, not those of texts and colour profiles.
        if kind in (b"IHDR", b"PLTE", b"IDAT") and zlib.crc32(content, zlib.crc32(kind)) != checksum:
            raise ImageError("the file is damaged: wrong checksum", where=path, hint=_COPY_AGAIN)
        if kind == b"IHDR":
            width, height, bits, color = struct.unpack(">IIBB", content[:10])
            found = RasterHeader(kind="png", size=(height, width), bits=bits, is_indexed=color == 3)
    if found is None:
        raise ImageError("the file is damaged: no PNG header", where=path, hint=_COPY_AGAIN)
    return found


def _jpeg(data: bytes, path: Path) -> RasterHeader:
    position, found = 2, None
    while True:
        while data[position + 1] == 0xFF:  # fill bytes
            position += 1
        if data[position] != 0xFF:
            raise ImageError("the file is damaged: a JPEG marker is missing", where=path, hint=_COPY_AGAIN)
        marker = data[position + 1]
        (length,) = struct.unpack_from(">H", data, position + 2)
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            bits, height, width = struct.unpack_from(">BHH", data, position + 4)
            found = RasterHeader(kind="jpeg", size=(height, width), bits=bits)
        if marker == 0xDA:
            break
        position += 2 + length
    # Within a scan FF is always followed by 00 or a restart marker, so the next FF D9 is the end.
    if found is None or data.find(b"\xff\xd9", position) < 0:
        raise ImageError(_TRUNCATED, where=path, hint=_COPY_AGAIN)
    return found


_TIFF_TYPES = {1: "B", 3: "H", 4: "I", 16: "Q"}


def _tiff(data: bytes, path: Path) -> RasterHeader:
    pages = list(_tiff_pages(data))
    whole = [tags for tags in pages if not tags.get(254, (0,))[0] & 0b101]  # no thumbnails, no transparency
    tags = (whole or pages)[0]
    places, sizes = tags.get(273, tags.get(324, ())), tags.get(279, tags.get(325, ()))
    if any(place + size > len(data) for place, size in zip(places, sizes)):
        raise ImageError(_TRUNCATED, where=path, hint=_COPY_AGAIN)
    if 256 not in tags or 257 not in tags:
        raise ImageError("the file is damaged: a TIFF without a size", where=path, hint=_COPY_AGAIN)
    return RasterHeader(
        kind="tiff",
        size=(tags[257][0], tags[256][0]),
        bits=tags.get(258, (1,))[0],
        num_pages=max(1, len(whole)),
        is_white_low=tags.get(262, (1,))[0] == 0,
    )


def _tiff_pages(data: bytes) -> Iterator[dict[int, tuple[int, ...]]]:
    """Iterate over the integer tags of every directory of a TIFF or BigTIFF file."""
    order = "<" if data.startswith(b"II") else ">"
    is_big = data[2:4] in (b"+\0", b"\0+")
    count, entry, offset = ("Q", "HHQ", "Q") if is_big else ("H", "HHI", "I")
    value_size = struct.calcsize(order + offset)
    (position,) = struct.unpack_from(order + offset, data, 8 if is_big else 4)
    seen: set[int] = set()
    while position and position not in seen:
        seen.add(position)
        (num,) = struct.unpack_from(order + count, data, position)
        position += struct.calcsize(order + count)
        tags = {}
        for _ in range(num):
            tag, kind, length = struct.unpack_from(order + entry, data, position)
            place = position + struct.calcsize(order + entry)
            if kind in _TIFF_TYPES:
                form = f"{order}{length}{_TIFF_TYPES[kind]}"
                if struct.calcsize(form) > value_size:
                    (place,) = struct.unpack_from(order + offset, data, place)
                tags[tag] = struct.unpack_from(form, data, place)
            position += struct.calcsize(order + entry) + value_size
        yield tags
        # Some writers omit the last, empty link.
        rest = data[position : position + value_size]
        position = struct.unpack(order + offset, rest)[0] if len(rest) == value_size else 0


def _bmp(data: bytes, path: Path) -> RasterHeader:
    start, header = struct.unpack_from("<II", data, 10)
    if header < 40:  # OS/2: 16-bit sizes
        width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
        compression = 0
    else:
        width, height, _, bits, compression = struct.unpack_from("<iiHHI", data, 18)
    height = abs(height)  # negative: rows from the top
    if compression in (0, 3) and start + (width * bits + 31) // 32 * 4 * height > len(data):
        raise ImageError(_TRUNCATED, where=path, hint=_COPY_AGAIN)
    return RasterHeader(kind="bmp", size=(height, width), bits=bits)
