"""Scores as text for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

from cervseg.core.scores import MetricValues, Summary
from cervseg.metrics.table import METRICS, SHOWN_METRICS
from cervseg.tables.terminal import WIDTH, aligned, paragraph

_NAMES_SHOWN = 10
_NOTE = (
    "Mean ± SD over cases. In brackets: cases in which the metric is undefined; they are left out of the "
    "mean. summary.json defines the metrics."
)


def score_table(summary: Summary) -> str:
    """Format scores: metrics down, labels across; then the folds, and what was not scored.

    Returns:
        Lines of at most ``cervseg.tables.terminal.WIDTH`` characters.
    """
    lines = [*_label_lines(summary), ""]
    if summary.folds:
        lines += ["means of the folds" + (", over labels" if len(summary.labels) > 1 else ""), ""]
        lines += [*_fold_lines(summary), ""]
    if summary.prompts:
        lines += [paragraph(f"prompts: {summary.prompts}"), ""]
    lines.append(paragraph(_NOTE))
    lines += _left_out("could not be scored", [f"{case}: {why}" for case, why in summary.failed.items()])
    lines += _left_out("with a reference but without a prediction", summary.without_prediction)
    lines += _left_out("with a prediction but without a reference", summary.without_reference)
    return "\n".join(lines)


def _label_lines(summary: Summary) -> list[str]:
    names = list(summary.labels)
    columns = ["", *(f"label {name}" if name == str(summary.labels[name]) else name for name in names)]
    rows = [["cases", *(str(len(summary.scores)) for _ in names)]]
    metrics = _metrics(summary.mean.values())
    rows += [[METRICS[key].title, *(_cell(summary, name, key) for name in names)] for key in metrics]
    rows.append(["missed", *(str(summary.missed[name]) for name in names)])
    rows.append(["invented", *(str(summary.invented[name]) for name in names)])
    if len(names) > 1:
        columns.append("mean over labels")
        means = {METRICS[key].title: METRICS[key].text(summary.foreground_mean.get(key)) for key in metrics}
        rows = [[*row, means.get(row[0], "")] for row in rows]
    return aligned(columns, rows)


def _fold_lines(summary: Summary) -> list[str]:
    columns = ["", *(f"fold {number}" for number in range(len(summary.folds)))]
    rows = [["cases", *(str(fold.num_cases) for fold in summary.folds)]]
    for key in _metrics(fold.foreground_mean for fold in summary.folds):
        metric = METRICS[key]
        rows.append([metric.title, *(metric.text(fold.foreground_mean.get(key)) for fold in summary.folds)])
    return aligned(columns, rows)


def _metrics(found: Iterable[MetricValues]) -> list[str]:
    names = {name for values in found for name in values}
    return [name for name in SHOWN_METRICS if name in names]


def _cell(summary: Summary, name: str, key: str) -> str:
    mean, std = summary.mean[name].get(key), summary.std[name].get(key)
    text = METRICS[key].text(mean)
    if mean is None:
        return text
    if std is not None:
        text += f" ± {METRICS[key].text(std)}"
    num_undefined = summary.undefined[name][key]
    return f"{text} ({num_undefined})" if num_undefined else text


def _left_out(what: str, cases: Sequence[str]) -> list[str]:
    if not cases:
        return []
    more = [f"  ... and {len(cases) - _NAMES_SHOWN} more"] if len(cases) > _NAMES_SHOWN else []
    named = (
        textwrap.fill(case, WIDTH, initial_indent="  ", subsequent_indent="    ", break_long_words=False)
        for case in cases[:_NAMES_SHOWN]
    )
    return [f"{len(cases)} case(s) {what}:", *named, *more]
