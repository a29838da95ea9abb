"""Images on which shapes were drawn in an annotation tool."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from cervseg.convert.pixels import size_text
from cervseg.convert.shapes import BACKGROUND, Shape, draw
from cervseg.convert.source import CaseContent, ConvertedCase, Listing, Source, SourceCase
from cervseg.core.errors import DatasetError
from cervseg.core.types import RawImage
from cervseg.dataset.labels import check_labels, number_labels
from cervseg.imageio import read_image


@dataclass(frozen=True, kw_only=True)
class DrawnFacts:
    """What the notes need to know about one mask."""

    is_empty: bool
    has_overlap: bool
    num_clipped: int


@dataclass(frozen=True, kw_only=True)
class DrawnCase(SourceCase[DrawnFacts]):
    """One image with its shapes; ``path`` is the image.

    Args:
        size: (height, width) in px that the annotation states, None if it does not.
        shapes: the shapes, in the file's order.
        num_without_area: number of points, lines and boxes without an outline.
        num_crowd: number of shapes marked as a crowd.
        numbers: annotated label -> number in the mask; shapes of other labels are not drawn.
    """

    size: tuple[int, int] | None
    shapes: tuple[Shape, ...]
    num_without_area: int
    num_crowd: int = 0
    numbers: Mapping[str, int] = field(default_factory=dict)

    def load_image(self) -> RawImage:
        """Read the image."""
        return read_image(self.path)

    def read(self) -> CaseContent[DrawnFacts]:
        """Read the image and draw the mask; see :meth:`SourceCase.read`."""
        image = self.load_image()
        plane = image.pixels[0]
        if self.size is not None and self.size != plane.shape:
            raise DatasetError(
                f"the image has {size_text(plane)} pixels, its annotation {self.size[1]} x {self.size[0]}",
                where=self.path,
                hint="Use the image that was annotated",
            )
        try:
            drawn = draw(self.shapes, (plane.shape[0], plane.shape[1]), self.numbers)
        except DatasetError as problem:
            raise DatasetError(problem.what, where=self.path) from None
        facts = DrawnFacts(
            is_empty=not drawn.mask.any(), has_overlap=drawn.has_overlap, num_clipped=drawn.num_clipped
        )
        return CaseContent(image=image, mask=drawn.mask, facts=facts)


@dataclass(frozen=True, kw_only=True)
class AnnotatedImages:
    """The annotated images of one part of a dataset.

    Args:
        cases: one per image.
        labels: the annotated labels in the format's order.
        left_out: one line for each image or file that is not used, with the reason.
    """

    cases: tuple[DrawnCase, ...]
    labels: tuple[str, ...]
    left_out: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class DrawnShapes(Source[DrawnFacts]):
    """Images and the shapes on them. Where shapes overlap, the later one in the file wins.

    Args:
        annotations: the annotations, a file or a folder.
        images: folder of the images; by default the place that the annotations state.
        test_annotations: annotations of held-out images.
        test_images: folder of the held-out images.
        labels: label name -> number in the masks, from 1; other labels are left out and listed. By default
            all labels are used, in the format's own order.
        rename: annotated label -> label name; several may get one name.
        auxiliary: names of labels that help to train and are neither shown nor scored; without ``labels``
            they get the highest numbers.
    """

    annotations: Path
    images: Path | None = None
    test_annotations: Path | None = None
    test_images: Path | None = None
    labels: Mapping[str, int] = field(default_factory=dict)
    rename: Mapping[str, str] = field(default_factory=dict)
    auxiliary: tuple[str, ...] = ()

    @abstractmethod
    def read_annotations(self, annotations: Path, images: Path | None, *, is_test: bool) -> AnnotatedImages:
        """Read the annotations of one part of the dataset.

        Raises:
            DatasetError: a file or folder is missing or invalid as a whole.
        """

    def list_cases(self) -> Listing[DrawnFacts]:
        """Read the annotations and number their labels; see :meth:`Source.list_cases`."""
        parts = [self.read_annotations(self.annotations, self.images, is_test=False)]
        if self.test_annotations is not None:
            parts.append(self.read_annotations(self.test_annotations, self.test_images, is_test=True))
        annotated = tuple(
            dict.fromkeys(label for part in parts for label in part.labels if label not in BACKGROUND)
        )
        names = {label: self.rename.get(label, label) for label in annotated}
        numbers = dict(self.labels) or number_labels(names.values(), auxiliary=self.auxiliary)
        if not numbers:
            raise DatasetError("no annotated areas, so no labels", where=self.annotations)
        labels = {"background": 0, **numbers}
        check_labels(labels, where="--labels", auxiliary=self.auxiliary)
        drawn = {label: numbers[name] for label, name in names.items() if name in numbers}
        cases = tuple(replace(case, numbers=drawn) for part in parts for case in part.cases)
        return Listing(
            cases=cases,
            labels=labels,
            auxiliary=self.auxiliary,
            left_out=tuple(line for part in parts for line in part.left_out),
            notes=(*_of_shapes(cases), *_of_labels(cases, drawn), *self._of_absent(names)),
        )

    def _of_absent(self, names: Mapping[str, str]) -> list[str]:
        absent = sorted({*self.labels, *self.rename} - names.keys() - set(names.values()))
        return [f"no shape has the label {', '.join(absent)}"] if absent else []

    def notes(self, cases: Sequence[ConvertedCase[DrawnFacts]]) -> list[str]:
        """Count empty masks, overlaps and shapes that are cut off."""
        facts = [case.facts for case in cases]
        lines = [
            (sum(item.has_overlap for item in facts), "image(s) with overlapping shapes; the later one wins"),
            (sum(item.num_clipped for item in facts), "shape(s) reach beyond their image and are cut off"),
            (sum(item.is_empty for item in facts), "image(s) have none of these labels"),
        ]
        return [f"{number} {text}" for number, text in lines if number]


def _of_shapes(cases: Sequence[DrawnCase]) -> list[str]:
    lines = [
        (
            sum(case.num_without_area for case in cases),
            "points, lines or boxes without an outline are not used",
        ),
        (sum(case.num_crowd for case in cases), "area(s) are marked as crowds and are used like the others"),
    ]
    return [f"{number} {text}" for number, text in lines if number]


def _of_labels(cases: Sequence[DrawnCase], drawn: Mapping[str, int]) -> list[str]:
    """Count the shapes whose label is not drawn."""
    counts = Counter(shape.label for case in cases for shape in case.shapes)
    return [
        f"label {label!r} is not in --labels: {number} shape(s) left out"
        for label, number in sorted(counts.items())
        if label not in drawn and label not in BACKGROUND
    ]
