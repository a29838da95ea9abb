"""COCO's JSON: one file for many images, with polygons or run lengths."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np

from cervseg.convert.shapes import Shape
from cervseg.core.errors import DatasetError
from cervseg.core.jsonio import read_json


@dataclass(kw_only=True)
class CocoImage:
    """One image of a COCO file.

    Args:
        name: its path as the file states it.
        size: (height, width) in px if stated.
        num_without_area: annotations with a box or key points alone.
        num_crowd: of ``shapes``, those that are marked as a crowd (several things in one outline).
        problem: why it cannot be used; empty if it can.
    """

    name: str
    size: tuple[int, int] | None
    shapes: list[Shape] = field(default_factory=list)
    num_without_area: int = 0
    num_crowd: int = 0
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class CocoFile:
    """The images of a COCO file by their order, and its labels by the order of their numbers."""

    images: tuple[CocoImage, ...]
    labels: tuple[str, ...]


def read_coco(path: Path) -> CocoFile:
    """Read a COCO file. An image with a broken annotation carries its ``problem``; the others go on.

    Raises:
        DatasetError: it is no valid JSON, has no images, annotations or categories, or they lack fields.
    """
    content = read_json(path, error=DatasetError)
    images, annotations, categories = (
        _list(content, key, path) for key in ("images", "annotations", "categories")
    )
    labels = {item["id"]: str(item["name"]).strip() for item in _having(categories, ("id", "name"), path)}
    listed = {
        item["id"]: CocoImage(name=str(item["file_name"]), size=_size(item))
        for item in _having(images, ("id", "file_name"), path)
    }
    for item in _having(annotations, ("image_id", "category_id"), path):
        image = listed.get(item["image_id"])
        if image is None:
            raise DatasetError(f"an annotation is of the unknown image {item['image_id']!r}", where=path)
        try:
            _add(image, item, labels)
        except DatasetError as problem:
            image.problem = f"annotation {item.get('id', '?')}: {problem.what}"
    return CocoFile(images=tuple(listed.values()), labels=tuple(labels[key] for key in sorted(labels)))


def find_image(image: CocoImage, images: Path) -> Path | None:
    """The image's file in a folder: as stated, else by its bare name."""
    stated = Path(*PureWindowsPath(image.name).parts)
    return next((images / name for name in (stated, Path(stated.name)) if (images / name).is_file()), None)


def _add(image: CocoImage, item: dict[str, Any], labels: dict[Any, str]) -> None:
    label = labels.get(item["category_id"])
    if label is None:
        raise DatasetError(f"is of the unknown category {item['category_id']!r}")
    outline = item.get("segmentation")
    if not outline:
        image.num_without_area += 1
        return
    image.shapes.append(Shape(label=label, **_area(outline, image)))
    image.num_crowd += bool(item.get("iscrowd"))


def _area(outline: Any, image: CocoImage) -> dict[str, Any]:
    """Shape's ``parts`` of polygons, or its ``runs``."""
    if isinstance(outline, dict):
        counts, stated = outline.get("counts"), outline.get("size") or image.size
        if not isinstance(counts, (str, list)) or stated is None or len(stated) != 2:
            raise DatasetError("its run lengths have no counts or size")
        return {"runs": counts, "runs_size": (int(stated[0]), int(stated[1]))}
    try:
        numbers = [np.array(part, float) for part in outline]
    except (TypeError, ValueError):
        raise DatasetError("its outline is no list of numbers") from None
    if any(part.ndim != 1 or len(part) % 2 or not np.isfinite(part).all() for part in numbers):
        raise DatasetError("its outline is no list of x, y, x, y, ...")
    return {"parts": tuple(part.reshape(-1, 2) for part in numbers if len(part) >= 6)}


def _list(content: Any, key: str, path: Path) -> list[Any]:
    given = content.get(key) if isinstance(content, dict) else None
    if not isinstance(given, list):
        raise DatasetError(f"is no COCO file: it has no list of {key}", where=path)
    return given


def _having(items: list[Any], keys: tuple[str, ...], path: Path) -> list[dict[str, Any]]:
    for item in items:
        if not isinstance(item, dict) or any(key not in item for key in keys):
            raise DatasetError(f"something in it has no {' or '.join(keys)}", where=path)
    return items


def _size(item: dict[str, Any]) -> tuple[int, int] | None:
    height, width = item.get("height"), item.get("width")
    return (height, width) if isinstance(height, int) and isinstance(width, int) else None
