"""Summaries of several systems, checked and ready to be compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cervseg.core.comparison import Comparison, Estimate
from cervseg.core.errors import DatasetError
from cervseg.core.types import Summary
from cervseg.evaluation.statistics import Values, case_values, compare_systems, estimate
from cervseg.evaluation.summary import read_summary
from cervseg.metrics.table import COMPARABLE_METRICS, COMPARED_METRICS

_NAMED = 5


@dataclass(frozen=True, kw_only=True)
class Systems:
    """Metric -> system -> case -> value, over the cases that all summaries have; ``notes`` say more."""

    metrics: tuple[str, ...]
    values: Mapping[str, Mapping[str, Values]]
    notes: tuple[str, ...]

    def estimates(self) -> dict[str, dict[str, Estimate]]:
        """System -> metric -> mean over the shared cases in which it is defined, with its interval."""
        names = next(iter(self.values.values()))
        return {
            name: {metric: estimate([self.values[metric][name]]) for metric in self.metrics} for name in names
        }

    def comparisons(self) -> list[Comparison]:
        """Every metric, over the cases in which all systems have a value."""
        return [compare_systems(self.values[metric], metric=metric) for metric in self.metrics]


def read_systems(
    summaries: Mapping[str, Path], *, metrics: Sequence[str] | None = None, label: str | None = None
) -> Systems:
    """Read summaries, ours or nnU-Net's.

    Args:
        summaries: name -> summary.json; where its masks were made with oracle points the name will say so.
        metrics: by default the paper's, and HD95 with missed structures, as far as every summary has them.
        label: by default the mean over labels. nnU-Net's files name no labels: there its number is meant.

    Raises:
        DatasetError: fewer than two, one cannot be read, they differ in labels or references, or there is no
            case or metric in common.
    """
    if len(summaries) < 2:
        raise DatasetError("a comparison needs at least two summaries")
    read = {name: read_summary(path) for name, path in summaries.items()}
    shared = _shared_cases(read)
    labels = _labels(read, label)
    _check_references(read, shared, labels)
    wanted, notes = _metrics(read, metrics)
    notes = [*_case_notes(read, shared), *_label_notes(read, label), *notes, *_prompt_notes(read)]
    values = {
        metric: {
            _title(name, summary): _over(case_values(summary, metric, label=labels[name]), shared)
            for name, summary in read.items()
        }
        for metric in wanted
    }
    return Systems(metrics=wanted, values=values, notes=tuple(notes))


def _over(values: Values, cases: Sequence[str]) -> Values:
    return {case: values[case] for case in cases}


def _shared_cases(read: Mapping[str, Summary]) -> list[str]:
    cases = {name: {score.case for score in summary.scores} for name, summary in read.items()}
    for name, summary in read.items():
        if len(cases[name]) < len(summary.scores):
            raise DatasetError("the summary has a case twice", where=name)
    shared = set.intersection(*cases.values())
    if not shared:
        raise DatasetError("the summaries have no case in common", hint="Compare scores of the same images.")
    return [score.case for score in next(iter(read.values())).scores if score.case in shared]


def _check_references(
    read: Mapping[str, Summary], shared: Sequence[str], labels: Mapping[str, str | None]
) -> None:
    """Cases of the same name may be other images: then their references have other numbers of pixels."""
    first, *others = read
    expected = _reference_pixels(read[first], labels[first])
    for name in others:
        found = _reference_pixels(read[name], labels[name])
        differing = [case for case in shared if _differ(expected[case], found[case])]
        if differing:
            raise DatasetError(
                f"{first} and {name} were scored against different references in {len(differing)} of "
                f"{len(shared)} case(s), the first is {differing[0]}",
                hint="Score both against the same masks with cervseg_evaluate.",
            )


def _reference_pixels(summary: Summary, label: str | None) -> dict[str, list[float | None]]:
    # In the order of the labels' numbers; where all are compared, all summaries have the same numbers.
    wanted = list(summary.labels) if label is None else [label]
    return {
        score.case: [score.metrics.get(name, {}).get("n_ref") for name in wanted] for score in summary.scores
    }


def _differ(one: Sequence[float | None], other: Sequence[float | None]) -> bool:
    return any(a != b for a, b in zip(one, other, strict=True) if a is not None and b is not None)


def _labels(read: Mapping[str, Summary], label: str | None) -> dict[str, str | None]:
    """Name of the system -> what it calls the label that is wanted.

    Raises:
        DatasetError: a summary lacks the label; or no label is named, and they do not all have the same.
    """
    if label is None:
        numbers = {name: sorted(summary.labels.values()) for name, summary in read.items()}
        first, *others = numbers
        for name in others:
            if numbers[name] != numbers[first]:
                raise DatasetError(
                    f"{first} has the labels {numbers[first]}, {name} has {numbers[name]}",
                    hint="Compare one label with --label.",
                )
        return dict.fromkeys(read)
    known = {value for summary in read.values() for name, value in summary.labels.items() if name == label}
    found: dict[str, str | None] = {}
    for system, summary in read.items():
        by_number = [str(value) for value in known if summary.labels.get(str(value)) == value]
        if label not in summary.labels and not by_number:
            raise DatasetError(
                f"has no label {label!r}", where=system, hint=f"It has: {', '.join(summary.labels)}."
            )
        found[system] = label if label in summary.labels else by_number[0]
    return found


def _metrics(read: Mapping[str, Summary], metrics: Sequence[str] | None) -> tuple[tuple[str, ...], list[str]]:
    """The metrics to compare, and a note for each of the usual ones that some summary lacks."""
    has = {name: {m for found in summary.mean.values() for m in found} for name, summary in read.items()}
    lacking = {
        metric: [name for name in read if metric not in has[name]]
        for metric in dict.fromkeys(metrics or COMPARED_METRICS)
    }
    for metric, names in lacking.items():
        if metrics and metric not in COMPARABLE_METRICS:
            raise DatasetError(
                f"{metric!r} cannot be compared",
                where="--metrics",
                hint=f"Use {', '.join(COMPARABLE_METRICS)}.",
            )
        if metrics and names:
            there = (
                ", ".join(m for m in COMPARABLE_METRICS if m in has[names[0]]) or "none that can be compared"
            )
            raise DatasetError(f"has no {metric}", where=names[0], hint=f"It has: {there}.")
    wanted = tuple(metric for metric, names in lacking.items() if not names)
    if not wanted:
        raise DatasetError("the summaries have no metric of the paper in common", hint="Name --metrics.")
    notes = [f"{metric} is not compared: not in {', '.join(n)}." for metric, n in lacking.items() if n]
    return wanted, notes


def _case_notes(read: Mapping[str, Summary], shared: Sequence[str]) -> list[str]:
    counts = {name: len(summary.scores) for name, summary in read.items()}
    notes = [f"{len(shared)} cases are in all summaries."]
    if any(count > len(shared) for count in counts.values()):
        each = ", ".join(f"{name} {count}" for name, count in counts.items())
        notes = [f"Only the {len(shared)} cases that are in all summaries are compared ({each})."]
    for name, summary in read.items():
        lost = sorted({*summary.without_prediction, *summary.failed})
        if lost:
            more = ", ..." if len(lost) > _NAMED else ""
            notes.append(f"{name} has no score in {len(lost)} case(s): {', '.join(lost[:_NAMED])}{more}.")
    return notes


def _label_notes(read: Mapping[str, Summary], label: str | None) -> list[str]:
    if label is not None:
        return [f"Label: {label}."]
    if all(len(summary.labels) == 1 for summary in read.values()):
        return []
    return [
        "Values are means over the labels defined in a case: a missed label drops out of HD95, not out of "
        "HD95_missed_as_diagonal."
    ]


def _prompt_notes(read: Mapping[str, Summary]) -> list[str]:
    return [
        f"{name} was shown points: {summary.prompts}." for name, summary in read.items() if summary.prompts
    ]


def _title(name: str, summary: Summary) -> str:
    if summary.oracle_prompts and "oracle" not in name:
        return f"{name} (oracle points)"
    return name
