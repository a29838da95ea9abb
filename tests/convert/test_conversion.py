from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from cervseg.convert.conversion import convert
from cervseg.convert.source import CaseContent, ConvertedCase, Listing, Source, SourceCase
from cervseg.convert.target import DatasetTarget
from cervseg.core.errors import DatasetError
from cervseg.core.types import RawImage
from cervseg.dataset.attributes import CaseAttributes, read_attributes
from cervseg.dataset.description import read_description
from cervseg.dataset.landmarks import Landmarks, read_landmarks

PIXELS = np.arange(20 * 30, dtype=np.float32).reshape(1, 20, 30)


@dataclass(frozen=True, kw_only=True)
class MadeCase(SourceCase[str]):
    """A case without files; its fact is its own name."""

    def read(self) -> CaseContent[str]:
        if self.id == "bad":
            raise ValueError("no such pixel")
        spacing_mm = (0.2, 0.2) if self.is_test else (0.1, 0.1)
        return CaseContent(
            image=RawImage(pixels=PIXELS, spacing_mm=spacing_mm, path=self.path, spacing_source="a list"),
            mask=None if self.is_test else (PIXELS[0] > 300).astype(np.uint8),
            facts=self.id,
            landmarks=Landmarks(points={"tip": (1.0, 2.0)}),
            attributes=CaseAttributes(sex="F"),
        )


@dataclass(frozen=True, kw_only=True)
class MadeSource(Source[str]):
    """Training cases and test cases by name."""

    training: tuple[str, ...]
    test: tuple[str, ...] = ()
    needs_training: bool = True

    def list_cases(self) -> Listing[str]:
        named = [(name, False) for name in self.training] + [(name, True) for name in self.test]
        return Listing(
            cases=tuple(MadeCase(id=name, path=Path(name), is_test=is_test) for name, is_test in named),
            labels={"background": 0, "bone": 1},
            left_out=("not an image: notes.txt",),
            notes=("first",),
            needs_training=self.needs_training,
        )

    def notes(self, cases: Sequence[ConvertedCase[str]]) -> list[str]:
        return [f"names: {' '.join(case.facts for case in cases)}"]

    def write_records(self, folder: Path, cases: Sequence[ConvertedCase[str]]) -> None:
        (folder / "records.txt").write_text(str(len(cases)))


def test_a_source_of_two_classes_is_enough(tmp_path: Path) -> None:
    """Images, masks, landmarks, attributes, spacing and records are written; failures have a reason."""
    source = MadeSource(training=("a", "bad"), test=("a", "t"))
    report = convert(source, DatasetTarget(folder=tmp_path / "Dataset001_Made"), progress=False)
    assert (report.num_training, report.num_test, report.is_complete) == (1, 2, False)
    assert report.left_out == ("ValueError: no such pixel: bad", "not an image: notes.txt")
    assert report.notes == (
        "first",
        "names: a a t",
        "3 image(s) with fractions or negative values, rescaled to 16 bits",
        "3 image(s) with pixel spacing from a list",
        "1 test image(s) share their name with a training image, such as a",
    )
    description = read_description(report.folder)
    assert (description.num_training, description.foreground) == (1, {"bone": 1})
    assert description.spacing_mm == {"a": (0.1, 0.1), "t": (0.2, 0.2)}
    assert read_landmarks(report.folder, "t") == Landmarks(points={"tip": (1.0, 2.0)})
    assert read_attributes(report.folder) == {name: CaseAttributes(sex="F") for name in "at"}
    assert (report.folder / "records.txt").read_text() == "3"


def test_a_dataset_without_training_cases(tmp_path: Path) -> None:
    """An error, unless the source allows it; nothing is left behind."""
    target = DatasetTarget(folder=tmp_path / "Dataset001_Made")
    with pytest.raises(DatasetError, match="no image could be converted"):
        convert(MadeSource(training=("bad",), test=("t",)), target, progress=False)
    assert list(tmp_path.iterdir()) == []
    source = MadeSource(training=(), test=("t",), needs_training=False)
    assert convert(source, target, progress=False).num_test == 1
