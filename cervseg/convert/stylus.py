"""Images with red stylus tracings into a dataset, as the paper made its masks (2.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cervseg.convert.assembly import (
    ConversionReport,
    as_integers,
    check_same_size,
    check_target,
    failures,
    finish,
    new_dataset,
    nothing_converted,
)
from cervseg.convert.outline import EDGES
from cervseg.convert.pairing import Pair, images_alone, pair_folders
from cervseg.convert.tracing import Tracing, read_tracing
from cervseg.core.errors import DatasetError
from cervseg.core.jsonio import write_json
from cervseg.core.types import SpacingMm
from cervseg.core.workers import map_cases
from cervseg.dataset.labels import check_labels
from cervseg.dataset.writer import DatasetWriter
from cervseg.imageio import RASTER_SUFFIXES, read_colors, read_image

TRACINGS_FILE = "tracings.json"
# What makes an image worth a second look.
_LARGE_GAP_WIDTHS = 4
_TINY = 0.15
_UNLIKE = 2
_MIN_IMAGES_TO_COMPARE = 5
# Share of the image's own spread. Images saved as JPEG, brighter or of another gamma have up to 0.08,
# lateral images of two patients at least 0.21.
_OTHER_PICTURE = 0.15
_MIN_OTHER_GREY = 2.0
_STEP = 7


@dataclass(frozen=True, kw_only=True)
class TracedImage:
    """One image of the dataset and what its tracing was like; ``doubts`` are reasons to look at it again.

    ``tracing`` is the picture that the mask was read from; ``test`` says in which part of the dataset it is.
    """

    case: str
    tracing: Path
    test: bool
    areas_px: tuple[int, ...]
    stroke_width_px: float
    gaps_px: tuple[float, ...]
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class StylusReport(ConversionReport):
    """A conversion's report, with every image's tracing; also in tracings.json of the dataset."""

    images: tuple[TracedImage, ...]

    @property
    def doubtful(self) -> tuple[TracedImage, ...]:
        """The images that somebody should look at."""
        return tuple(image for image in self.images if image.doubts)


@dataclass(frozen=True, kw_only=True)
class _Source:
    """The tracings of one part of the dataset, with the clean images where there are any."""

    pairs: tuple[Pair, ...]
    left_out: tuple[str, ...]
    untraced: tuple[Path, ...]
    is_clean: bool
    test: bool


@dataclass(frozen=True, kw_only=True)
class _Done:
    """What became of one image."""

    image: TracedImage
    spacing_mm: SpacingMm | None


@dataclass(frozen=True, kw_only=True)
class _ConvertTracing:
    """The work on one image, as a picklable call. A pair's ``mask`` is its tracing."""

    writer: DatasetWriter
    edge: str
    test: bool

    def __call__(self, pair: Pair) -> _Done:
        path = pair.mask or pair.image
        if path.suffix.lower() not in RASTER_SUFFIXES:
            raise DatasetError("has no colours", where=path, hint="A tracing is a PNG, JPEG, TIFF or BMP.")
        picture = read_colors(path)
        image = read_image(pair.image)
        pixels, _ = as_integers(image.pixels[0])
        check_same_size(pixels, picture, where=pair.image, what=f"its tracing {path.name}")
        found = read_tracing(picture, edge=self.edge)
        if not found.areas_px:
            raise DatasetError(_nothing(found), where=path)
        self.writer.add_case(pair.id, channels=[pixels], mask=found.mask, test=self.test)
        doubts = _doubts(found)
        if pair.mask is not None and _differs(pixels, picture, found.mask):
            doubts.append("the image and its tracing look like different pictures")
        return _Done(
            image=TracedImage(
                case=pair.id,
                tracing=path,
                test=self.test,
                areas_px=found.areas_px,
                stroke_width_px=round(found.width_px, 1),
                gaps_px=tuple(round(gap, 1) for gap in found.gaps_px),
                doubts=tuple(doubts),
            ),
            spacing_mm=image.spacing_mm,
        )


def convert_stylus(
    *,
    tracings: Path,
    folder: Path,
    images: Path | None = None,
    test_tracings: Path | None = None,
    test_images: Path | None = None,
    label: str = "spinous_process",
    edge: str = "middle",
    channel_name: str = "xray",
    workers: int = 1,
    overwrite: bool = False,
    progress: bool = True,
) -> StylusReport:
    """Make a dataset of images and masks from images on which outlines were traced in red.

    Args:
        tracings: folder of the traced images: PNG, JPEG, TIFF or BMP in colours.
        folder: the dataset's folder, .../raw_data/Dataset101_Name.
        images: folder of the same images without tracings, of the same names and sizes. Without it the traced
            pictures themselves become the images, and a note says that they show what is to be found.
        test_tracings, test_images: the same for held-out images, into imagesTs and labelsTs; their clean images
            may lie in ``images`` too.
        label: what is traced.
        edge: where a mask ends; see :func:`cervseg.convert.tracing.read_tracing`.
        overwrite: replace ``folder`` if it is there.

    Raises:
        DatasetError: a folder is missing, ``folder`` is there already, or no image at all could be converted.
    """
    if edge not in EDGES:
        raise DatasetError(f"{edge!r} is no edge", where="--edge", hint=f"Known: {', '.join(EDGES)}.")
    labels = {"background": 0, label: 1}
    check_labels(labels, where="--label")
    check_target(folder, overwrite=overwrite)
    sources = [_source(tracings, images, test=False)]
    if test_tracings is not None:
        sources.append(_source(test_tracings, test_images or images, test=True))
    done: list[_Done] = []
    left_out: list[str] = []
    with new_dataset(folder) as writer:
        for source in sources:
            work = _ConvertTracing(writer=writer, edge=edge, test=source.test)
            title = "read test tracings" if source.test else "read tracings"
            outcomes = map_cases(work, source.pairs, workers=workers, label=title, progress=progress)
            done += [outcome.result for outcome in outcomes if outcome.result is not None]
            left_out += failures(outcomes, [pair.image for pair in source.pairs])
            left_out += source.left_out
        listed = _compared([item.image for item in done])
        num_training = sum(not image.test for image in listed)
        if not num_training:
            raise nothing_converted(left_out)
        report = finish(
            writer,
            num_training=num_training,
            num_test=len(listed) - num_training,
            labels=labels,
            spacing_mm={item.image.case: item.spacing_mm for item in done if item.spacing_mm is not None},
            channel_name=channel_name,
            left_out=left_out,
            notes=_notes(sources, listed),
            folder=folder,
        )
        write_json(writer.folder / TRACINGS_FILE, listed)
    return StylusReport(**vars(report), images=tuple(listed))


def _source(tracings: Path, images: Path | None, *, test: bool) -> _Source:
    for folder in (tracings, images):
        if folder is not None and not folder.is_dir():
            raise DatasetError("no such folder", where=folder)
    pairing = images_alone(tracings) if images is None else pair_folders(images, tracings)
    if not pairing.pairs:
        what = (
            "holds no pictures"
            if images is None
            else f"none of its pictures has an image of its name in {images}"
        )
        raise DatasetError(what, where=tracings)
    left_out = [
        *(f"{path}: a tracing without image" for path in pairing.masks_without_image),
        *(f"{path}: shares its name with another file" for path in pairing.doubled),
    ]
    return _Source(
        pairs=pairing.pairs,
        left_out=tuple(left_out),
        untraced=tuple(pairing.images_without_mask),
        is_clean=images is not None,
        test=test,
    )


def _nothing(found: Tracing) -> str:
    if found.num_open:
        return f"{found.num_open} red stroke(s), but none encloses an area"
    return "what is red in it is no tracing" if found.num_other else "nothing in it is red"


def _doubts(found: Tracing) -> list[str]:
    gap_px = max(found.gaps_px, default=0.0)
    lines = [
        (found.num_open, f"{found.num_open} red stroke(s) enclose nothing, or only in part"),
        (found.num_between, f"{found.num_between} filled area(s) lie between tracings that touch or overlap"),
        (
            gap_px > _LARGE_GAP_WIDTHS * found.width_px,
            f"an open stroke was closed over a gap of {gap_px:.0f} px",
        ),
        (found.touches_border, "a mask touches the image's border"),
    ]
    return [text for holds, text in lines if holds]


def _differs(pixels: np.ndarray, picture: np.ndarray, mask: np.ndarray) -> bool:
    """Are image and traced picture different images? Most pixels carry no stroke, so their median tells."""
    image = pixels.astype(np.float32) / (np.iinfo(pixels.dtype).max / 255)
    grey = picture.astype(np.float32).mean(axis=2)
    image, grey = image[mask == 0][::_STEP], grey[mask == 0][::_STEP]
    # A tablet may save at another brightness, contrast or gamma; a parabola fitted through takes that out.
    fitted = np.polynomial.Polynomial.fit(image, grey, 2)
    unexplained = np.median(np.abs(fitted(image) - grey))
    spread = np.median(np.abs(grey - np.median(grey)))
    return bool(unexplained > max(_OTHER_PICTURE * spread, _MIN_OTHER_GREY))


def _compared(images: Sequence[TracedImage]) -> list[TracedImage]:
    """The images with those doubts that only the others can tell."""
    counts = [len(image.areas_px) for image in images]
    usual = float(np.median(counts)) if counts else 0.0
    compared = []
    for image, count in zip(images, counts):
        doubts = list(image.doubts)
        if len(images) >= _MIN_IMAGES_TO_COMPARE and abs(count - usual) >= _UNLIKE:
            doubts.append(f"{count} separate mask(s), the images have {usual:g} as a rule")
        tiny = sum(area < _TINY * float(np.median(image.areas_px)) for area in image.areas_px)
        if tiny:
            doubts.append(f"{tiny} mask(s) are tiny beside the others")
        compared.append(TracedImage(**{**vars(image), "doubts": tuple(doubts)}))
    return compared


def _notes(sources: Sequence[_Source], images: Sequence[TracedImage]) -> list[str]:
    notes = []
    if not all(source.is_clean for source in sources):
        notes.append(
            "without a folder of clean images the traced pictures are the images: they still show the "
            "tracings, so a network would learn to find lines; use them for a trial only"
        )
    used = {pair.image for source in sources for pair in source.pairs}
    untraced = {path for source in sources for path in source.untraced} - used
    if untraced:
        notes.append(f"{len(untraced)} image(s) without tracing are not used")
    closed = sum(bool(image.gaps_px) for image in images)
    if closed:
        notes.append(f"{closed} image(s) with open strokes that were closed")
    both = {image.case for image in images if image.test} & {image.case for image in images if not image.test}
    if both:
        notes.append(f"{len(both)} test image(s) are called like a training image, such as {min(both)}")
    return notes
