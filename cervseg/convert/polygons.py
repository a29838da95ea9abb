"""Images annotated in LabelMe, or in a tool that writes COCO, into a dataset."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cervseg.convert import coco, labelme
from cervseg.convert.assembly import (
    ConversionReport,
    as_integers,
    check_target,
    finish,
    new_dataset,
    nothing_converted,
    reason,
    size_text,
)
from cervseg.convert.pairing import case_id
from cervseg.convert.shapes import BACKGROUND, Shape, draw
from cervseg.core.errors import DatasetError
from cervseg.core.types import RawImage, SpacingMm
from cervseg.core.workers import map_cases
from cervseg.dataset.labels import check_labels
from cervseg.dataset.writer import DatasetWriter
from cervseg.imageio import list_images, read_image

FORMATS = ("labelme", "coco")


@dataclass(frozen=True, kw_only=True)
class _Annotated:
    """One image with its shapes. ``image`` is None where the image is embedded in ``source``."""

    case: str
    source: Path
    image: Path | None
    size: tuple[int, int] | None
    shapes: tuple[Shape, ...]
    num_without_area: int
    num_crowd: int
    test: bool


@dataclass(frozen=True, kw_only=True)
class _Found:
    """The annotated images of one part of the dataset, and their labels in an order that is theirs."""

    images: tuple[_Annotated, ...]
    labels: tuple[str, ...]
    left_out: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class _Done:
    """What the report needs to know of one image."""

    case: str
    test: bool
    is_empty: bool
    has_overlap: bool
    num_clipped: int
    spacing_mm: SpacingMm | None


@dataclass(frozen=True, kw_only=True)
class _ConvertImage:
    """The work on one image, as a picklable call."""

    writer: DatasetWriter
    numbers: Mapping[str, int]

    def __call__(self, item: _Annotated) -> _Done:
        image: RawImage = labelme.read_embedded(item.source) if item.image is None else read_image(item.image)
        pixels, _ = as_integers(image.pixels[0])
        if item.size is not None and item.size != pixels.shape:
            raise DatasetError(
                f"the image has {size_text(pixels)} pixels, its annotation {item.size[1]} x {item.size[0]}",
                where=item.image or item.source,
                hint="Take the image that was annotated.",
            )
        try:
            drawn = draw(item.shapes, (pixels.shape[0], pixels.shape[1]), self.numbers)
        except DatasetError as problem:
            raise DatasetError(problem.what, where=item.image or item.source) from None
        self.writer.add_case(item.case, channels=[pixels], mask=drawn.mask, test=item.test)
        return _Done(
            case=item.case,
            test=item.test,
            is_empty=not drawn.mask.any(),
            has_overlap=drawn.has_overlap,
            num_clipped=drawn.num_clipped,
            spacing_mm=image.spacing_mm,
        )


def convert_polygons(
    *,
    file_format: str,
    annotations: Path,
    folder: Path,
    images: Path | None = None,
    test_annotations: Path | None = None,
    test_images: Path | None = None,
    labels: Mapping[str, str] | None = None,
    channel_name: str = "xray",
    workers: int = 1,
    overwrite: bool = False,
    progress: bool = True,
) -> ConversionReport:
    """Make a dataset of images and of shapes that were drawn on them.

    Shapes are drawn in the file's order: where they overlap the later one wins.

    Args:
        file_format: "labelme": ``annotations`` is a folder of JSON files; "coco": it is one JSON file.
        folder: the dataset's folder, .../raw_data/Dataset101_Name.
        images: folder of the images; by default as the annotations state it, relative to themselves. LabelMe's
            embedded images are used where there is no file.
        test_annotations, test_images: the same for held-out images, into imagesTs and labelsTs.
        labels: label as annotated -> name in the dataset, in the order of their numbers; several may become
            one. Other labels are left out and listed. By default all labels are taken, LabelMe's in the order
            of the alphabet, COCO's in that of their numbers.
        overwrite: replace ``folder`` if it is there.

    Raises:
        DatasetError: a file or folder is missing, ``folder`` is there already, labels make no sense, or no
            image at all could be converted.
    """
    check_target(folder, overwrite=overwrite)
    find = {"labelme": _labelme_images, "coco": _coco_images}[file_format]
    found = [find(annotations, images, False)]
    if test_annotations is not None:
        found.append(find(test_annotations, test_images, True))
    known = tuple(dict.fromkeys(label for part in found for label in part.labels if label not in BACKGROUND))
    names = dict(labels) if labels else {label: label for label in known}
    if not names:
        raise DatasetError("holds no areas, so there are no labels", where=annotations)
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names.values()), start=1)}
    check_labels({"background": 0, **numbers}, where="labels")
    listed = [image for part in found for image in part.images]
    left_out = [line for part in found for line in part.left_out]
    with new_dataset(folder) as writer:
        work = _ConvertImage(writer=writer, numbers={label: numbers[name] for label, name in names.items()})
        outcomes = map_cases(work, listed, workers=workers, label="draw shapes", progress=progress)
        done = [outcome.result for outcome in outcomes if outcome.result is not None]
        left_out += [reason(o.item.image or o.item.source, o.error) for o in outcomes if o.error is not None]
        num_training = sum(not image.test for image in done)
        if not num_training:
            raise nothing_converted(left_out)
        return finish(
            writer,
            num_training=num_training,
            num_test=len(done) - num_training,
            labels={"background": 0, **numbers},
            spacing_mm={image.case: image.spacing_mm for image in done if image.spacing_mm is not None},
            channel_name=channel_name,
            left_out=left_out,
            notes=_notes(listed, done, names, known),
            folder=folder,
        )


def _labelme_images(annotations: Path, images: Path | None, test: bool) -> _Found:
    for folder in (annotations, images):
        if folder is not None and not folder.is_dir():
            raise DatasetError("no such folder", where=folder)
    paths = sorted(path for path in annotations.glob("*.json") if not path.name.startswith("."))
    if not paths:
        raise DatasetError("holds no JSON files", where=annotations, hint="LabelMe writes one an image.")
    listed, left_out, used = [], [], set()
    for path in paths:
        try:
            file = labelme.read_labelme(path)
            image = labelme.find_image(file, images)
            if image is None and not file.has_image:
                raise DatasetError(f"its image {file.image_name or path.stem!r} is not there", where=path)
        except DatasetError as problem:
            left_out.append(str(problem))
            continue
        used.add(image)
        listed.append(
            _Annotated(
                case=case_id(path.with_suffix("")),
                source=path,
                image=image,
                size=file.size,
                shapes=file.shapes,
                num_without_area=file.num_without_area + len(file.points),
                num_crowd=0,
                test=test,
            )
        )
    named = {case_id(path.with_suffix("")) for path in paths}
    left_out += [
        f"{path}: an image without annotation"
        for path in list_images(images or annotations)
        if path not in used and case_id(path) not in named
    ]
    labels = sorted({shape.label for listed_image in listed for shape in listed_image.shapes})
    return _Found(images=tuple(listed), labels=tuple(labels), left_out=tuple(left_out))


def _coco_images(annotations: Path, images: Path | None, test: bool) -> _Found:
    images = annotations.parent if images is None else images
    if not images.is_dir():
        raise DatasetError("no such folder", where=images)
    file = coco.read_coco(annotations)
    cases = Counter(case_id(Path(listed_image.name)) for listed_image in file.images)
    listed, left_out = [], []
    for listed_image in file.images:
        case, image = case_id(Path(listed_image.name)), coco.find_image(listed_image, images)
        problem = listed_image.problem or ("is not there" if image is None else "")
        if cases[case] > 1:
            problem = "shares its name with another image"
        if problem:
            left_out.append(f"{image or images / listed_image.name}: {problem}")
            continue
        listed.append(
            _Annotated(
                case=case,
                source=annotations,
                image=image,
                size=listed_image.size,
                shapes=tuple(listed_image.shapes),
                num_without_area=listed_image.num_without_area,
                num_crowd=listed_image.num_crowd,
                test=test,
            )
        )
    return _Found(images=tuple(listed), labels=file.labels, left_out=tuple(left_out))


def _notes(
    images: Sequence[_Annotated], done: Sequence[_Done], names: Mapping[str, str], known: Sequence[str]
) -> list[str]:
    lines = [
        (sum(image.has_overlap for image in done), "image(s) with shapes that overlap; the later one wins"),
        (sum(image.num_clipped for image in done), "shape(s) reach beyond their image and are cut off"),
        (sum(image.is_empty for image in done), "image(s) show nothing of these labels"),
        (
            sum(image.num_without_area for image in images),
            "points, lines or boxes without an outline are not used",
        ),
        (
            sum(image.num_crowd for image in images),
            "area(s) are marked as crowds and are used like the others",
        ),
    ]
    notes = [f"{number} {text}" for number, text in lines if number]
    unknown = Counter(
        s.label for image in images for s in image.shapes if s.label not in (*names, *BACKGROUND)
    )
    notes += [
        f"label {label!r} is not in --labels: {n} shape(s) left out" for label, n in sorted(unknown.items())
    ]
    if absent := sorted(set(names) - set(known)):
        notes.append(f"no shape has the label {', '.join(absent)}")
    cases = [image.case for image in done]
    if both := sorted({case for case in cases if cases.count(case) > 1}):
        notes.append(f"{len(both)} test image(s) are called like a training image, such as {both[0]}")
    return notes
