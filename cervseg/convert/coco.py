"""Images annotated in COCO's format: one JSON file for all, with polygons or run lengths."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np

from cervseg.convert.drawn import AnnotatedImages, DrawnCase, DrawnShapes
from cervseg.convert.pairing import case_id
from cervseg.convert.shapes import Shape
from cervseg.convert.source import check_folders
from cervseg.core.errors import DatasetError
from cervseg.core.jsonio import read_json


@dataclass(kw_only=True)
class CocoImage:
    """One image of a COCO file.

    Args:
        name: the image's path as stated.
        size: (height, width) in px if stated.
        shapes: its areas.
        num_without_area: number of annotations with only a box or key points.
        num_crowd: number of shapes marked as a crowd (several objects in one outline).
        problem: why the image cannot be used; empty if it can.
    """

    name: str
    size: tuple[int, int] | None
    shapes: list[Shape] = field(default_factory=list)
    num_without_area: int = 0
    num_crowd: int = 0
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class CocoContent:
    """The content of a COCO file: images in the file's order, labels in the order of their ids."""

    images: tuple[CocoImage, ...]
    labels: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class CocoFile(DrawnShapes):
    """A COCO file and its images. By default labels are in the order of their ids.

    Images are in ``images``, by default in the folder of the file.
    """

    def read_annotations(self, annotations: Path, images: Path | None, *, is_test: bool) -> AnnotatedImages:
        """Read one COCO file; see :meth:`DrawnShapes.read_annotations`."""
        folder = annotations.parent if images is None else images
        check_folders(folder)
        content = read_coco(annotations)
        ids = Counter(case_id(Path(image.name)) for image in content.images)
        cases, left_out = [], []
        for image in content.images:
            case, path = case_id(Path(image.name)), find_image(image, folder)
            problem = image.problem or ("no such file" if path is None else "")
            if ids[case] > 1:
                problem = "shares its name with another image"
            if problem or path is None:
                left_out.append(f"{problem}: {path or folder / image.name}")
                continue
            cases.append(
                DrawnCase(
                    id=case,
                    path=path,
                    is_test=is_test,
                    size=image.size,
                    shapes=tuple(image.shapes),
                    num_without_area=image.num_without_area,
                    num_crowd=image.num_crowd,
                )
            )
        return AnnotatedImages(cases=tuple(cases), labels=content.labels, left_out=tuple(left_out))


def read_coco(path: Path) -> CocoContent:
    """Read a COCO file. An image with an invalid annotation carries its ``problem``.

    Raises:
        DatasetError: the file is not valid JSON, or images, annotations, categories or fields are missing.
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
            raise DatasetError(f"an annotation has the unknown image id {item['image_id']!r}", where=path)
        try:
            _add(image, item, labels)
        except DatasetError as problem:
            image.problem = f"annotation {item.get('id', '?')}: {problem.what}"
    return CocoContent(images=tuple(listed.values()), labels=tuple(labels[key] for key in sorted(labels)))


def find_image(image: CocoImage, images: Path) -> Path | None:
    """Find an image in a folder: at the stated path, else by its bare name."""
    stated = Path(*PureWindowsPath(image.name).parts)
    return next((images / name for name in (stated, Path(stated.name)) if (images / name).is_file()), None)


def _add(image: CocoImage, item: dict[str, Any], labels: dict[Any, str]) -> None:
    label = labels.get(item["category_id"])
    if label is None:
        raise DatasetError(f"unknown category {item['category_id']!r}")
    outline = item.get("segmentation")
    if not outline:
        image.num_without_area += 1
        return
    image.shapes.append(Shape(label=label, **_area(outline, image)))
    image.num_crowd += bool(item.get("iscrowd"))


def _area(outline: Any, image: CocoImage) -> dict[str, Any]:
    """The arguments of :class:`Shape` for polygons or run lengths."""
    if isinstance(outline, dict):
        counts, stated = outline.get("counts"), outline.get("size") or image.size
        if not isinstance(counts, (str, list)) or stated is None or len(stated) != 2:
            raise DatasetError("its run lengths lack counts or size")
        return {"runs": counts, "runs_size": (int(stated[0]), int(stated[1]))}
    try:
        numbers = [np.array(part, float) for part in outline]
    except (TypeError, ValueError):
        raise DatasetError("its outline is not a list of numbers") from None
    if any(part.ndim != 1 or len(part) % 2 or not np.isfinite(part).all() for part in numbers):
        raise DatasetError("its outline is not a list of x, y, x, y, ...")
    return {"parts": tuple(part.reshape(-1, 2) for part in numbers if len(part) >= 6)}


def _list(content: Any, key: str, path: Path) -> list[Any]:
    given = content.get(key) if isinstance(content, dict) else None
    if not isinstance(given, list):
        raise DatasetError(f"not a COCO file (no list of {key})", where=path)
    return given


def _having(items: list[Any], keys: tuple[str, ...], path: Path) -> list[dict[str, Any]]:
    for item in items:
        if not isinstance(item, dict) or any(key not in item for key in keys):
            raise DatasetError(f"an entry has no {' or '.join(keys)}", where=path)
    return items


def _size(item: dict[str, Any]) -> tuple[int, int] | None:
    height, width = item.get("height"), item.get("width")
    return (height, width) if isinstance(height, int) and isinstance(width, int) else None
