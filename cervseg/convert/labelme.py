"""Images annotated in LabelMe: one JSON file per image, with shapes and sometimes the image itself."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from cervseg.convert.drawn import AnnotatedImages, DrawnCase, DrawnShapes
from cervseg.convert.pairing import case_id
from cervseg.convert.shapes import Shape, circle, rectangle
from cervseg.convert.source import check_folders
from cervseg.core.errors import DatasetError, ImageError, one_line
from cervseg.core.jsonio import read_json
from cervseg.core.types import RawImage
from cervseg.imageio import SUFFIXES, list_images, read_image, read_mask

_WITHOUT_AREA = ("point", "points", "line", "linestrip")


@dataclass(frozen=True, kw_only=True)
class LabelMeFile:
    """The content of a LabelMe file, without the embedded image.

    Args:
        path: the file.
        shapes: the shapes that have an area.
        points: label and (x, y) of every single point, in the file's order.
        image_name: the image's path as stated.
        has_image: whether the image is embedded.
        size: (height, width) in px if stated.
        num_without_area: number of lines and degenerate shapes; single points are not counted.
    """

    path: Path
    shapes: tuple[Shape, ...]
    points: tuple[tuple[str, tuple[float, float]], ...]
    image_name: str
    has_image: bool
    size: tuple[int, int] | None
    num_without_area: int


@dataclass(frozen=True, kw_only=True)
class LabelMeCase(DrawnCase):
    """One LabelMe file; with an embedded image ``path`` is the file itself."""

    is_embedded: bool

    def load_image(self) -> RawImage:
        """Read the image, from the LabelMe file if it is embedded."""
        return read_embedded(self.path) if self.is_embedded else super().load_image()


@dataclass(frozen=True, kw_only=True)
class LabelMeFolder(DrawnShapes):
    """A folder of LabelMe files. By default labels are in alphabetical order.

    An image is taken from ``images``, from the path in its LabelMe file, or from the file itself.
    """

    def read_annotations(self, annotations: Path, images: Path | None, *, is_test: bool) -> AnnotatedImages:
        """Read all JSON files of a folder; see :meth:`DrawnShapes.read_annotations`."""
        check_folders(annotations, images)
        paths = sorted(path for path in annotations.glob("*.json") if not path.name.startswith("."))
        if not paths:
            raise DatasetError(
                "no JSON files in this folder", where=annotations, hint="LabelMe writes one per image"
            )
        cases: list[LabelMeCase] = []
        left_out = []
        for path in paths:
            try:
                cases.append(_case(path, images, is_test=is_test))
            except DatasetError as problem:
                left_out.append(one_line(problem))
        used = {case.path for case in cases}
        named = {case_id(path.with_suffix("")) for path in paths}
        left_out += [
            f"image without annotation: {path}"
            for path in list_images(images or annotations)
            if path not in used and case_id(path) not in named
        ]
        labels = sorted({shape.label for case in cases for shape in case.shapes})
        return AnnotatedImages(cases=tuple(cases), labels=tuple(labels), left_out=tuple(left_out))


def _case(path: Path, images: Path | None, *, is_test: bool) -> LabelMeCase:
    file = read_labelme(path)
    image = find_image(file, images)
    if image is None and not file.has_image:
        raise DatasetError(f"its image {file.image_name or path.stem!r} does not exist", where=path)
    return LabelMeCase(
        id=case_id(path.with_suffix("")),
        path=image or path,
        is_test=is_test,
        size=file.size,
        shapes=file.shapes,
        num_without_area=file.num_without_area + len(file.points),
        is_embedded=image is None,
    )


def read_labelme(path: Path) -> LabelMeFile:
    """Read a LabelMe file; unknown fields are ignored, optional ones may be missing.

    Raises:
        DatasetError: the file is not valid JSON or not LabelMe's, or a shape has no label or invalid points.
    """
    content = read_json(path, error=DatasetError)
    given = content.get("shapes") if isinstance(content, dict) else None
    if not isinstance(given, list):
        raise DatasetError("not a LabelMe file (no list of shapes)", where=path)
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
    """Find the image of a LabelMe file: at the stated path, else with the file's own name.

    Args:
        file: the LabelMe file.
        images: folder of the images; by default that of the file.
    """
    # Files written on Windows have backslashes.
    stated = Path(*PureWindowsPath(file.image_name).parts) if file.image_name else None
    for folder in [file.path.parent] if images is None else [images, file.path.parent]:
        names = [] if stated is None else [stated, Path(stated.name)]
        names += [Path(file.path.stem + suffix) for suffix in SUFFIXES]
        for name in names:
            if (folder / name).is_file():
                return folder / name
    return None


def read_embedded(path: Path) -> RawImage:
    """Read the image inside a LabelMe file.

    Raises:
        ImageError: the embedded image cannot be read.
    """
    content = read_json(path, error=DatasetError)
    with TemporaryDirectory() as scratch:
        try:
            image = read_image(_unpacked(content["imageData"], Path(scratch) / "image.png"))
        except (ImageError, TypeError, KeyError) as problem:
            what = problem.what if isinstance(problem, ImageError) else "not text"
            raise ImageError(f"imageData cannot be read ({what})", where=path) from None
    return RawImage(pixels=image.pixels, spacing_mm=None, path=path)


def _parsed(item: Any) -> tuple[str, str, np.ndarray]:
    """Label, kind and N x 2 points of one shape."""
    if not isinstance(item, dict) or not isinstance(item.get("label"), str):
        raise DatasetError("no label")
    try:
        places = np.array(item.get("points"), float)
    except (TypeError, ValueError):
        raise DatasetError("its points are not pairs of numbers") from None
    if places.ndim == 1 and len(places) == 2:
        places = places[np.newaxis]
    if places.ndim != 2 or places.shape[1] != 2 or not len(places) or not np.isfinite(places).all():
        raise DatasetError("its points are not pairs of numbers")
    # Early files state no kind: one point is a point, several are a polygon.
    kind = str(item.get("shape_type") or ("point" if len(places) == 1 else "polygon"))
    return item["label"].strip(), kind, places


def _shape(label: str, kind: str, places: np.ndarray, item: dict[str, Any]) -> Shape | None:
    """Convert a shape to its area; None if it has none."""
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
    raise DatasetError(f"unknown kind {kind!r}")


def _mask_shape(label: str, places: np.ndarray, item: dict[str, Any]) -> Shape:
    with TemporaryDirectory() as scratch:
        mask = read_mask(_unpacked(item.get("mask"), Path(scratch) / "mask.png")) > 0
    left, top = np.rint(places.min(axis=0)).astype(int)
    return Shape(label=label, mask=mask, corner=(int(left), int(top)))


def _unpacked(text: Any, path: Path) -> Path:
    try:
        path.write_bytes(base64.b64decode(text))
    except (TypeError, ValueError, binascii.Error):
        raise ImageError("not a base64-encoded image") from None
    return path
