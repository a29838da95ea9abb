"""Summaries of several systems, checked and ready for comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cervseg.core.comparison import Comparison, Estimate
from cervseg.core.errors import DatasetError
from cervseg.core.scores import Summary
from cervseg.evaluation.statistics import Values, case_values, compare_systems, estimate
from cervseg.evaluation.summary import read_summary
from cervseg.metrics.table import COMPARABLE_METRICS, COMPARED_METRICS, listed

_CASES_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class Systems:
    """Values of several systems over the cases that all of them have.

    Args:
        metrics: names in ``METRICS``.
        values: metric -> system -> case -> value.
        notes: sentences that belong below the tables.
    """

    metrics: tuple[str, ...]
    values: Mapping[str, Mapping[str, Values]]
    notes: tuple[str, ...]

    def estimates(self) -> dict[str, dict[str, Estimate]]:
        """Estimate means over the shared cases in which a metric is defined: system -> metric -> estimate."""
        names = next(iter(self.values.values()))
        return {
            name: {metric: estimate([self.values[metric][name]]) for metric in self.metrics} for name in names
        }

    def comparisons(self) -> list[Comparison]:
        """Compare the systems by every metric, over the cases in which all of them have a value."""
        return [compare_systems(self.values[metric], metric=metric) for metric in self.metrics]


def read_systems(
    summaries: Mapping[str, Path], *, metrics: Sequence[str] | None = None, label: str | None = None
) -> Systems:
    """Read summaries of cervseg or nnU-Net v2.

    Args:
        summaries: name -> summary.json; a name gets "(oracle points)" where its masks were made with them.
        metrics: names in ``METRICS``; by default ``COMPARED_METRICS``, as far as every summary has them.
        label: label to compare; by default the mean over labels. nnU-Net's files have no label names: there
            the label is found by its number.

    Raises:
        DatasetError: there are fewer than two summaries, one cannot be read, they differ in labels or
            references, or they have no case or metric in common.
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
            raise DatasetError("the summary has a duplicate case", where=name)
    shared = set.intersection(*cases.values())
    if not shared:
        raise DatasetError("the summaries have no case in common", hint="Compare scores of the same images")
    return [score.case for score in next(iter(read.values())).scores if score.case in shared]


def _check_references(
    read: Mapping[str, Summary], shared: Sequence[str], labels: Mapping[str, str | None]
) -> None:
    # Cases of the same name may be different images: then the pixel counts of their references differ.
    first, *others = read
    expected = _reference_pixels(read[first], labels[first])
    for name in others:
        found = _reference_pixels(read[name], labels[name])
        differing = [case for case in shared if _differ(expected[case], found[case])]
        if differing:
            raise DatasetError(
                f"{first} and {name} were scored against different references in {len(differing)} of "
                f"{len(shared)} case(s), the first is {differing[0]}",
                hint="Score both against the same masks with cervseg_evaluate",
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
    """Find the label's name in each summary: system -> name, None for the mean over labels.

    Raises:
        DatasetError: a summary lacks the label; or no label is named, and the labels differ.
    """
    if label is None:
        numbers = {name: sorted(summary.labels.values()) for name, summary in read.items()}
        first, *others = numbers
        for name in others:
            if numbers[name] != numbers[first]:
                raise DatasetError(
                    f"{first} has the labels {numbers[first]}, {name} has {numbers[name]}",
                    hint="Compare one label with --label",
                )
        return dict.fromkeys(read)
    known = {value for summary in read.values() for name, value in summary.labels.items() if name == label}
    found: dict[str, str | None] = {}
    for system, summary in read.items():
        by_number = [str(value) for value in known if summary.labels.get(str(value)) == value]
        if label not in summary.labels and not by_number:
            raise DatasetError(
                f"no label {label!r}", where=system, hint=f"It has: {', '.join(summary.labels)}."
            )
        found[system] = label if label in summary.labels else by_number[0]
    return found


def _metrics(read: Mapping[str, Summary], metrics: Sequence[str] | None) -> tuple[tuple[str, ...], list[str]]:
    """Choose the metrics, and note each default metric that some summary lacks."""
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
                hint=f"Use {listed(COMPARABLE_METRICS)}",
            )
        if metrics and names:
            there = (
                ", ".join(m for m in COMPARABLE_METRICS if m in has[names[0]]) or "none that can be compared"
            )
            raise DatasetError(f"no {metric} in this summary", where=names[0], hint=f"It has: {there}")
    wanted = tuple(metric for metric, names in lacking.items() if not names)
    if not wanted:
        raise DatasetError("the summaries have no metric in common", hint="Choose metrics with --metrics")
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
            more = ", ..." if len(lost) > _CASES_SHOWN else ""
            notes.append(
                f"{name} has no score in {len(lost)} case(s): {', '.join(lost[:_CASES_SHOWN])}{more}."
            )
    return notes


def _label_notes(read: Mapping[str, Summary], label: str | None) -> list[str]:
    if label is not None:
        return [f"Label: {label}."]
    if all(len(summary.labels) == 1 for summary in read.values()):
        return []
    return [
        "Values are means over the labels for which the metric is defined in the case. HD95 of a missed "
        "label is undefined; HD95_missed_as_diagonal counts it."
    ]


def _prompt_notes(read: Mapping[str, Summary]) -> list[str]:
    return [
        f"{name} was prompted with points: {summary.prompts}."
        for name, summary in read.items()
        if summary.prompts
    ]


def _title(name: str, summary: Summary) -> str:
    if summary.oracle_prompts and "oracle" not in name:
        return f"{name} (oracle points)"
    return name
