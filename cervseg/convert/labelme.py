"""LabelMe's JSON: one file an image, with shapes and, if need be, the image itself."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from cervseg.convert.shapes import Shape, circle, rectangle
from cervseg.core.errors import DatasetError, ImageError
from cervseg.core.jsonio import read_json
from cervseg.core.types import RawImage
from cervseg.imageio import SUFFIXES, read_image, read_mask

_WITHOUT_AREA = ("point", "points", "line", "linestrip")


@dataclass(frozen=True, kw_only=True)
class LabelMeFile:
    """What a LabelMe file holds, without the embedded image.

    Args:
        shapes: those that have an area.
        points: label and (x, y) of every single point, in the file's order.
        image_name: the image's path as the file states it.
        has_image: is the image embedded?
        size: (height, width) in px if stated.
        num_without_area: lines and degenerate shapes; single points are not counted.
    """

    path: Path
    shapes: tuple[Shape, ...]
    points: tuple[tuple[str, tuple[float, float]], ...]
    image_name: str
    has_image: bool
    size: tuple[int, int] | None
    num_without_area: int


def read_labelme(path: Path) -> LabelMeFile:
    """Read a LabelMe file; unknown fields are ignored, fields that are not needed may lack.

    Raises:
        DatasetError: it is no valid JSON, no LabelMe file, or a shape has no label or no proper points.
    """
    content = read_json(path, error=DatasetError)
    given = content.get("shapes") if isinstance(content, dict) else None
    if not isinstance(given, list):
        raise DatasetError("is no LabelMe file: it has no list of shapes", where=path)
    shapes: list[Shape] = []
    points: list[tuple[str, tuple[float, float]]] = []
    num_without_area = 0
    for number, item in enumerate(given):
        try:
            label, kind, places = _parsed(item)
            shape = _shape(label, kind, places, item)
        except (DatasetError, ImageError) as problem:
            raise DatasetError(f"shape {number + 1}: {problem.what}", where=path) from None
        if shape is not None:
            shapes.append(shape)
        elif kind in ("point", "points"):
            points += [(label, (float(x), float(y))) for x, y in places]
        else:
            num_without_area += 1
    height, width = content.get("imageHeight"), content.get("imageWidth")
    has_size = isinstance(height, int) and isinstance(width, int)
    return LabelMeFile(
        path=path,
        shapes=tuple(shapes),
        points=tuple(points),
        image_name=str(content.get("imagePath") or ""),
        has_image=bool(content.get("imageData")),
        size=(height, width) if has_size else None,
        num_without_area=num_without_area,
    )


def find_image(file: LabelMeFile, images: Path | None) -> Path | None:
    """The image that a LabelMe file is about: as it states it, else one of its own name.

    Args:
        images: where the images are; by default beside the file.
    """
    # Files that were made on Windows have backslashes.
    stated = Path(*PureWindowsPath(file.image_name).parts) if file.image_name else None
    for folder in [file.path.parent] if images is None else [images, file.path.parent]:
        names = [] if stated is None else [stated, Path(stated.name)]
        names += [Path(file.path.stem + suffix) for suffix in SUFFIXES]
        for name in names:
            if (folder / name).is_file():
                return folder / name
    return None


def read_embedded(path: Path) -> RawImage:
    """The image inside a LabelMe file.

    Raises:
        ImageError: it is no picture that we can read.
    """
    content = read_json(path, error=DatasetError)
    with TemporaryDirectory() as scratch:
        try:
            image = read_image(_unpacked(content["imageData"], Path(scratch) / "image.png"))
        except (ImageError, TypeError, KeyError) as problem:
            what = problem.what if isinstance(problem, ImageError) else "is no text"
            raise ImageError(f"the image in imageData {what}", where=path) from None
    return RawImage(pixels=image.pixels, spacing_mm=None, path=path)


def _parsed(item: Any) -> tuple[str, str, np.ndarray]:
    """Label, kind and N x 2 points of one shape."""
    if not isinstance(item, dict) or not isinstance(item.get("label"), str):
        raise DatasetError("has no label")
    try:
        places = np.array(item.get("points"), float)
    except (TypeError, ValueError):
        raise DatasetError("its points are no pairs of numbers") from None
    if places.ndim == 1 and len(places) == 2:
        places = places[np.newaxis]
    if places.ndim != 2 or places.shape[1] != 2 or not len(places) or not np.isfinite(places).all():
        raise DatasetError("its points are no pairs of numbers")
    # Early files state no kind; a lone point is one then, and more are an outline.
    kind = str(item.get("shape_type") or ("point" if len(places) == 1 else "polygon"))
    return item["label"].strip(), kind, places


def _shape(label: str, kind: str, places: np.ndarray, item: dict[str, Any]) -> Shape | None:
    """The area of a shape, None if it has none."""
    if kind in _WITHOUT_AREA:
        return None
    if kind == "mask":
        return _mask_shape(label, places, item)
    if kind == "circle" and len(places) == 2:
        return Shape(label=label, parts=(circle(places[0], places[1]),))
    if kind == "rectangle" and len(places) == 2:
        return Shape(label=label, parts=(rectangle(places),))
    if kind in ("polygon", "rectangle", "rotation", "oriented_rectangle"):
        return Shape(label=label, parts=(places,)) if len(places) >= 3 else None
    raise DatasetError(f"is of the unknown kind {kind!r}")


def _mask_shape(label: str, places: np.ndarray, item: dict[str, Any]) -> Shape:
    with TemporaryDirectory() as scratch:
        mask = read_mask(_unpacked(item.get("mask"), Path(scratch) / "mask.png")) > 0
    left, top = np.rint(places.min(axis=0)).astype(int)
    return Shape(label=label, mask=mask, corner=(int(left), int(top)))


def _unpacked(text: Any, path: Path) -> Path:
    try:
        path.write_bytes(base64.b64decode(text))
    except (TypeError, ValueError, binascii.Error):
        raise ImageError("is no picture in base64") from None
    return path
