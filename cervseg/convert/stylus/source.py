"""Images on which outlines were traced in red, as the paper made its masks (2.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cervseg.convert.pairing import Pairing, images_alone, pair_folders
from cervseg.convert.pixels import as_integers, check_same_size
from cervseg.convert.source import CaseContent, ConvertedCase, Listing, Source, SourceCase, check_folders
from cervseg.convert.stylus.outline import EDGES
from cervseg.convert.stylus.traced import TracedImage, compared, differs, doubts_of
from cervseg.convert.stylus.tracing import Tracing, read_tracing
from cervseg.core.errors import DatasetError
from cervseg.core.jsonio import write_json
from cervseg.dataset.labels import check_labels
from cervseg.imageio import RASTER_SUFFIXES, read_colors, read_image

TRACINGS_FILE = "tracings.json"


@dataclass(frozen=True, kw_only=True)
class StylusCase(SourceCase[TracedImage]):
    """One image and its tracing.

    Args:
        tracing: the traced copy, None if the traced picture itself is the image.
        edge: where the mask ends; see :func:`cervseg.convert.stylus.tracing.read_tracing`.
    """

    tracing: Path | None
    edge: str

    def read(self) -> CaseContent[TracedImage]:
        """Read the image and fill its tracing; see :meth:`SourceCase.read`."""
        path = self.tracing or self.path
        if path.suffix.lower() not in RASTER_SUFFIXES:
            raise DatasetError(
                "a tracing without colours", where=path, hint="Save the tracing as PNG, JPEG, TIFF or BMP"
            )
        picture = read_colors(path)
        image = read_image(self.path)
        check_same_size(image, picture, name=f"its tracing {path.name}")
        found = read_tracing(picture, edge=self.edge)
        if not found.areas_px:
            raise DatasetError(_nothing(found), where=path)
        doubts = doubts_of(found)
        if self.tracing is not None and differs(as_integers(image.pixels[0])[0], picture, found.mask):
            doubts.append("the image and its tracing look like different pictures")
        facts = TracedImage(
            case=self.id,
            tracing=path,
            test=self.is_test,
            areas_px=found.areas_px,
            stroke_width_px=round(found.width_px, 1),
            gaps_px=tuple(round(gap, 1) for gap in found.gaps_px),
            doubts=tuple(doubts),
        )
        return CaseContent(image=image, mask=found.mask, facts=facts)


@dataclass(frozen=True, kw_only=True)
class StylusTracings(Source[TracedImage]):
    """Red tracings and the images below them. The dataset gets a file tracings.json on every tracing.

    Args:
        tracings: folder of the traced images: PNG, JPEG, TIFF or BMP in colour.
        images: folder of the same images without tracings, with the same names and sizes. Without it the
            traced pictures become the images, and a note warns that they show what is to be found.
        test_tracings: traced images that are held out.
        test_images: the same without tracings; by default ``images``.
        label: name of the traced label.
        edge: where a mask ends; see :func:`cervseg.convert.stylus.tracing.read_tracing`.

    Raises:
        DatasetError: ``edge`` is unknown, or ``label`` is invalid.
    """

    tracings: Path
    images: Path | None = None
    test_tracings: Path | None = None
    test_images: Path | None = None
    label: str = "spinous_process"
    edge: str = "middle"

    def __post_init__(self) -> None:
        if self.edge not in EDGES:
            raise DatasetError(
                f"unknown edge {self.edge!r}", where="--edge", hint=f"Choose one of {', '.join(EDGES)}"
            )
        check_labels(self._labels, where="--label")

    @property
    def _labels(self) -> dict[str, int]:
        return {"background": 0, self.label: 1}

    def list_cases(self) -> Listing[TracedImage]:
        """Pair tracings with images; see :meth:`Source.list_cases`."""
        parts = [(False, _pairing(self.tracings, self.images))]
        if self.test_tracings is not None:
            parts.append((True, _pairing(self.test_tracings, self.test_images or self.images)))
        pairs = [(is_test, pair) for is_test, pairing in parts for pair in pairing.pairs]
        used = {pair.image for _, pair in pairs}
        untraced = {path for _, pairing in parts for path in pairing.images_without_mask} - used
        notes = []
        if any(pair.mask is None for _, pair in pairs):
            notes.append(
                "without a folder of clean images the traced pictures are the images: they still show the "
                "tracings, so a network learns to find lines; use them for a trial only"
            )
        if untraced:
            notes.append(f"{len(untraced)} image(s) without a tracing are not used")
        return Listing(
            cases=tuple(
                StylusCase(id=pair.id, path=pair.image, is_test=is_test, tracing=pair.mask, edge=self.edge)
                for is_test, pair in pairs
            ),
            labels=self._labels,
            left_out=tuple(line for _, pairing in parts for line in _left_out(pairing)),
            notes=tuple(notes),
        )

    def notes(self, cases: Sequence[ConvertedCase[TracedImage]]) -> list[str]:
        """Count the open strokes that were closed."""
        num_closed = sum(bool(case.facts.gaps_px) for case in cases)
        return [f"{num_closed} image(s) with open strokes that were closed"] if num_closed else []

    def write_records(self, folder: Path, cases: Sequence[ConvertedCase[TracedImage]]) -> None:
        """Write tracings.json: areas, widths, gaps and doubts of every image."""
        write_json(folder / TRACINGS_FILE, traced_images(cases))


def traced_images(cases: Sequence[ConvertedCase[TracedImage]]) -> list[TracedImage]:
    """Return every tracing of a conversion with all reasons to check it."""
    return compared([case.facts for case in cases])


def _pairing(tracings: Path, images: Path | None) -> Pairing:
    check_folders(tracings, images)
    pairing = images_alone(tracings) if images is None else pair_folders(images, tracings)
    if not pairing.pairs:
        problem = (
            "no pictures in this folder"
            if images is None
            else f"no picture has an image of the same name in {images}"
        )
        raise DatasetError(problem, where=tracings)
    return pairing


def _left_out(pairing: Pairing) -> list[str]:
    return [
        *(f"tracing without an image: {path}" for path in pairing.masks_without_image),
        *(f"shares its name with another file: {path}" for path in pairing.doubled),
    ]


def _nothing(found: Tracing) -> str:
    if found.num_open:
        return f"{found.num_open} red stroke(s), but none encloses an area"
    return "its red strokes are not tracings" if found.num_other else "nothing in it is red"
