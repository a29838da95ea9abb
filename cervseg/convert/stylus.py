"""Films with red stylus tracings into a dataset, as the paper made its masks (2.2)."""

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
from cervseg.convert.pairing import Pair, films_alone, pair_folders
from cervseg.convert.tracing import Tracing, read_tracing
from cervseg.core.errors import DatasetError
from cervseg.core.jsonio import write_json
from cervseg.core.types import SpacingMm
from cervseg.core.workers import map_cases
from cervseg.dataset.labels import check_labels
from cervseg.dataset.writer import DatasetWriter
from cervseg.imageio import RASTER_SUFFIXES, read_colors, read_image

TRACINGS_FILE = "tracings.json"
# What makes a film worth a second look.
_LARGE_GAP_WIDTHS = 4
_TINY = 0.15
_UNLIKE = 2
_MIN_FILMS_TO_COMPARE = 5
# Share of the film's own spread. Films saved as JPEG, brighter or of another gamma have up to 0.08,
# lateral films of two patients at least 0.21.
_OTHER_PICTURE = 0.15
_MIN_OTHER_GREY = 2.0
_STEP = 7


@dataclass(frozen=True, kw_only=True)
class TracedFilm:
    """One film of the dataset and what its tracing was like; ``doubts`` are reasons to look at it again.

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
    """A conversion's report, with every film's tracing; also in tracings.json of the dataset."""

    films: tuple[TracedFilm, ...]

    @property
    def doubtful(self) -> tuple[TracedFilm, ...]:
        """The films that somebody should look at."""
        return tuple(film for film in self.films if film.doubts)


@dataclass(frozen=True, kw_only=True)
class _Source:
    """The tracings of one part of the dataset, with the clean films where there are any."""

    pairs: tuple[Pair, ...]
    left_out: tuple[str, ...]
    untraced: tuple[Path, ...]
    is_clean: bool
    test: bool


@dataclass(frozen=True, kw_only=True)
class _Done:
    """What became of one film."""

    film: TracedFilm
    spacing_mm: SpacingMm | None


@dataclass(frozen=True, kw_only=True)
class _ConvertTracing:
    """The work on one film, as a picklable call. A pair's ``mask`` is its tracing."""

    writer: DatasetWriter
    edge: str
    test: bool

    def __call__(self, pair: Pair) -> _Done:
        path = pair.mask or pair.image
        if path.suffix.lower() not in RASTER_SUFFIXES:
            raise DatasetError("has no colours", where=path, mend="A tracing is a PNG, JPEG, TIFF or BMP.")
        picture = read_colors(path)
        film = read_image(pair.image)
        pixels, _ = as_integers(film.pixels[0])
        check_same_size(pixels, picture, where=pair.image, what=f"its tracing {path.name}")
        found = read_tracing(picture, edge=self.edge)
        if not found.areas_px:
            raise DatasetError(_nothing(found), where=path)
        self.writer.add_case(pair.id, channels=[pixels], mask=found.mask, test=self.test)
        doubts = _doubts(found)
        if pair.mask is not None and _differs(pixels, picture, found.mask):
            doubts.append("the film and its tracing look like different pictures")
        return _Done(
            film=TracedFilm(
                case=pair.id,
                tracing=path,
                test=self.test,
                areas_px=found.areas_px,
                stroke_width_px=round(found.width_px, 1),
                gaps_px=tuple(round(gap, 1) for gap in found.gaps_px),
                doubts=tuple(doubts),
            ),
            spacing_mm=film.spacing_mm,
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
    """Make a dataset of films and masks from films on which outlines were traced in red.

    Args:
        tracings: folder of the traced films: PNG, JPEG, TIFF or BMP in colours.
        folder: the dataset's folder, .../raw_data/Dataset101_Name.
        images: folder of the same films without tracings, of the same names and sizes. Without it the traced
            pictures themselves become the films, and a note says that they show what is to be found.
        test_tracings, test_images: the same for held-out films, into imagesTs and labelsTs; their clean films
            may lie in ``images`` too.
        label: what is traced.
        edge: where a mask ends; see :func:`cervseg.convert.tracing.read_tracing`.
        overwrite: replace ``folder`` if it is there.

    Raises:
        DatasetError: a folder is missing, ``folder`` is there already, or no film at all could be converted.
    """
    if edge not in EDGES:
        raise DatasetError(f"{edge!r} is no edge", where="--edge", mend=f"Known: {', '.join(EDGES)}.")
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
        films = _compared([item.film for item in done])
        num_training = sum(not film.test for film in films)
        if not num_training:
            raise nothing_converted(left_out)
        report = finish(
            writer,
            num_training=num_training,
            num_test=len(films) - num_training,
            labels=labels,
            spacing_mm={item.film.case: item.spacing_mm for item in done if item.spacing_mm is not None},
            channel_name=channel_name,
            left_out=left_out,
            notes=_notes(sources, films),
            folder=folder,
        )
        write_json(writer.folder / TRACINGS_FILE, films)
    return StylusReport(**vars(report), films=tuple(films))


def _source(tracings: Path, images: Path | None, *, test: bool) -> _Source:
    for folder in (tracings, images):
        if folder is not None and not folder.is_dir():
            raise DatasetError("no such folder", where=folder)
    pairing = films_alone(tracings) if images is None else pair_folders(images, tracings)
    if not pairing.pairs:
        what = (
            "holds no pictures"
            if images is None
            else f"none of its pictures has a film of its name in {images}"
        )
        raise DatasetError(what, where=tracings)
    left_out = [
        *(f"{path}: a tracing without film" for path in pairing.masks_without_image),
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
        (found.touches_border, "a mask touches the film's border"),
    ]
    return [text for holds, text in lines if holds]


def _differs(pixels: np.ndarray, picture: np.ndarray, mask: np.ndarray) -> bool:
    """Are film and traced picture different films? Most pixels carry no stroke, so their median tells."""
    film = pixels.astype(np.float32) / (np.iinfo(pixels.dtype).max / 255)
    grey = picture.astype(np.float32).mean(axis=2)
    film, grey = film[mask == 0][::_STEP], grey[mask == 0][::_STEP]
    # A tablet may save at another brightness, contrast or gamma; a parabola fitted through takes that out.
    fitted = np.polynomial.Polynomial.fit(film, grey, 2)
    unexplained = np.median(np.abs(fitted(film) - grey))
    spread = np.median(np.abs(grey - np.median(grey)))
    return bool(unexplained > max(_OTHER_PICTURE * spread, _MIN_OTHER_GREY))


def _compared(films: Sequence[TracedFilm]) -> list[TracedFilm]:
    """The films with those doubts that only the others can tell."""
    counts = [len(film.areas_px) for film in films]
    usual = float(np.median(counts)) if counts else 0.0
    compared = []
    for film, count in zip(films, counts):
        doubts = list(film.doubts)
        if len(films) >= _MIN_FILMS_TO_COMPARE and abs(count - usual) >= _UNLIKE:
            doubts.append(f"{count} separate mask(s), the films have {usual:g} as a rule")
        tiny = sum(area < _TINY * float(np.median(film.areas_px)) for area in film.areas_px)
        if tiny:
            doubts.append(f"{tiny} mask(s) are tiny beside the others")
        compared.append(TracedFilm(**{**vars(film), "doubts": tuple(doubts)}))
    return compared


def _notes(sources: Sequence[_Source], films: Sequence[TracedFilm]) -> list[str]:
    notes = []
    if not all(source.is_clean for source in sources):
        notes.append(
            "without a folder of clean films the traced pictures are the films: they still show the "
            "tracings, so a network would learn to find lines; use them for a trial only"
        )
    used = {pair.image for source in sources for pair in source.pairs}
    untraced = {path for source in sources for path in source.untraced} - used
    if untraced:
        notes.append(f"{len(untraced)} film(s) without tracing are not used")
    closed = sum(bool(film.gaps_px) for film in films)
    if closed:
        notes.append(f"{closed} film(s) with open strokes that were closed")
    both = {film.case for film in films if film.test} & {film.case for film in films if not film.test}
    if both:
        notes.append(f"{len(both)} test film(s) are called like a training film, such as {min(both)}")
    return notes
