"""The conversion of a source to a dataset."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic

from cervseg.convert.pixels import as_integers
from cervseg.convert.source import ConvertedCase, Facts, Listing, Source, SourceCase
from cervseg.convert.target import DatasetTarget
from cervseg.core.errors import DatasetError, as_cervseg_error, one_line
from cervseg.core.workers import map_cases
from cervseg.dataset.attributes import CaseAttributes, write_attributes
from cervseg.dataset.landmarks import write_landmarks
from cervseg.dataset.writer import DatasetWriter

_MAX_REASONS = 20


@dataclass(frozen=True, kw_only=True)
class ConversionReport(Generic[Facts]):
    """The outcome of a conversion.

    Args:
        folder: the dataset's folder.
        labels: label name -> number in the masks, with background 0.
        cases: the cases of the dataset, training and test.
        left_out: one line for each file that is not in the dataset, with the reason.
        notes: remarks on the cases of the dataset.
        auxiliary: those of the labels that are neither shown nor scored.
    """

    folder: Path
    labels: Mapping[str, int]
    cases: tuple[ConvertedCase[Facts], ...]
    left_out: tuple[str, ...]
    notes: tuple[str, ...]
    auxiliary: tuple[str, ...] = ()

    @property
    def num_training(self) -> int:
        """Number of training cases."""
        return sum(not case.is_test for case in self.cases)

    @property
    def num_test(self) -> int:
        """Number of held-out cases."""
        return sum(case.is_test for case in self.cases)

    @property
    def is_complete(self) -> bool:
        """Whether every given file is in the dataset; the command's exit code is 1 if not."""
        return not self.left_out


@dataclass(frozen=True, kw_only=True)
class _ConvertCase(Generic[Facts]):
    """Read and write one case, as a picklable call."""

    writer: DatasetWriter

    def __call__(self, case: SourceCase[Facts]) -> ConvertedCase[Facts]:
        content = case.read()
        pixels, was_rescaled = as_integers(content.image.pixels[0])
        self.writer.add_case(case.id, channels=[pixels], mask=content.mask, test=case.is_test)
        if content.landmarks is not None:
            write_landmarks(self.writer.folder, case.id, content.landmarks)
        return ConvertedCase(
            id=case.id,
            path=case.path,
            is_test=case.is_test,
            has_mask=content.mask is not None,
            was_rescaled=was_rescaled,
            spacing_mm=content.image.spacing_mm,
            spacing_source=content.image.spacing_source,
            attributes=content.attributes,
            facts=content.facts,
        )


def convert(
    source: Source[Facts], target: DatasetTarget, *, workers: int = 1, progress: bool = True
) -> ConversionReport[Facts]:
    """Convert a source to a dataset.

    A case that cannot be used is left out and named in the report. The dataset appears when it is complete;
    a killed run leaves none.

    Args:
        source: the files to convert, such as :class:`cervseg.convert.paired.PairedFolders`.
        target: the dataset to write.
        workers: processes; fewer than 2 convert in this one.
        progress: show a progress bar.

    Raises:
        DatasetError: the target exists, the source has no cases, an option is invalid, or no case could be
            converted (with the reasons).
    """
    target.check()
    listing = source.list_cases()
    with target.open() as writer:
        work = _ConvertCase[Facts](writer=writer)
        outcomes = map_cases(work, listing.cases, workers=workers, label="convert", progress=progress)
        cases = tuple(outcome.result for outcome in outcomes if outcome.result is not None)
        failures = [
            one_line(as_cervseg_error(o.error, where=o.item.path)) for o in outcomes if o.error is not None
        ]
        report = ConversionReport(
            folder=target.folder,
            labels=dict(listing.labels),
            cases=cases,
            left_out=(*failures, *listing.left_out),
            notes=(*listing.notes, *source.notes(cases), *_notes(cases)),
            auxiliary=listing.auxiliary,
        )
        _check(report, listing)
        source.write_records(writer.folder, cases)
        _finish(writer, report, channel_name=target.channel_name)
    return report


def _check(report: ConversionReport[Facts], listing: Listing[Facts]) -> None:
    if report.cases and (report.num_training or not listing.needs_training):
        return
    lines = report.left_out[:_MAX_REASONS]
    raise DatasetError("no image could be converted" + "".join(f"\n  {line}" for line in lines))


def _finish(writer: DatasetWriter, report: ConversionReport[Facts], *, channel_name: str) -> None:
    """Write cases.csv and, last, dataset.json."""
    attributes = {case.id: case.attributes for case in report.cases if case.attributes is not None}
    if any(known != CaseAttributes() for known in attributes.values()):
        write_attributes(writer.folder, attributes)
    # A training case goes before a test case of the same name.
    in_order = sorted(report.cases, key=lambda case: not case.is_test)
    spacing_mm = {case.id: case.spacing_mm for case in in_order if case.spacing_mm is not None}
    description = writer.finish(
        channel_names=[channel_name],
        labels=report.labels,
        spacing_mm=dict(sorted(spacing_mm.items())),
        auxiliary=report.auxiliary,
    )
    if description.num_training != report.num_training:
        raise DatasetError(
            "another conversion writes to the same dataset", where=report.folder, hint="Run it again"
        )


def _notes(cases: Sequence[ConvertedCase[Facts]]) -> list[str]:
    """Remarks that any source can have."""
    sources = Counter(case.spacing_source for case in cases if case.spacing_mm and case.spacing_source)
    training = {case.id for case in cases if not case.is_test}
    shared = sorted(training & {case.id for case in cases if case.is_test})
    lines = [
        (
            sum(case.was_rescaled for case in cases),
            "image(s) with fractions or negative values, rescaled to 16 bits",
        ),
        *((number, f"image(s) with pixel spacing from {name}") for name, number in sorted(sources.items())),
        (
            len(shared),
            f"test image(s) share their name with a training image, such as {min(shared, default='')}",
        ),
    ]
    return [f"{number} {text}" for number, text in lines if number]
