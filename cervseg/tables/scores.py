"""Scores as text for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from cervseg.core.types import MetricValues, Summary
from cervseg.metrics.table import METRICS, SHOWN_METRICS

_LABELS_A_BLOCK = 4
_NAMES_SHOWN = 10
_NOTES = (
    "mean ± SD over cases; in brackets: cases in which the metric is undefined and left out of the mean.",
    "HD95 in px: 95th percentile of both directed distance sets pooled (Eq. 20); max_directed: the larger of",
    "the two directed percentiles, as MONAI has it; missed_as_diagonal: HD95 in which a missed or invented",
    "structure counts as the image's diagonal.",
)


def score_table(summary: Summary) -> str:
    """Metrics down, labels across (four a block), then what was missed, invented and not scored."""
    lines: list[str] = []
    names = list(summary.labels)
    for start in range(0, len(names), _LABELS_A_BLOCK):
        lines += [*_block(summary, names[start : start + _LABELS_A_BLOCK]), ""]
    if len(names) > 1:
        lines += ["mean over labels: " + _in_one_line(summary.foreground_mean), ""]
    for number, fold in enumerate(summary.folds):
        lines.append(f"fold {number} ({fold.num_cases} cases): " + _in_one_line(fold.foreground_mean))
    if summary.folds:
        lines.append("")
    if summary.prompts:
        lines += [f"prompts: {summary.prompts}", ""]
    lines += _NOTES
    if any(value is not None for means in summary.mean.values() for value in [means.get("HD95_mm")]):
        lines.append("mm: by the pixel size in dataset.json, else in the image's own header.")
    lines += _left_out("could not be scored", [f"{case} ({why})" for case, why in summary.failed.items()])
    lines += _left_out("with a reference but without a prediction", summary.without_prediction)
    lines += _left_out("with a prediction but without a reference", summary.without_reference)
    return "\n".join(lines)


def _block(summary: Summary, names: Sequence[str]) -> list[str]:
    header = ["", *(f"{name} ({summary.labels[name]})" for name in names)]
    rows = [header, ["cases", *(str(len(summary.scores)) for _ in names)]]
    metrics = [key for key in SHOWN_METRICS if any(key in summary.mean[name] for name in names)]
    rows += [[key, *(_cell(summary, name, key) for name in names)] for key in metrics]
    rows.append(["missed", *(str(summary.missed[name]) for name in names)])
    rows.append(["invented", *(str(summary.invented[name]) for name in names)])
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip() for row in rows]


def _cell(summary: Summary, name: str, key: str) -> str:
    mean, std = summary.mean[name].get(key), summary.std[name].get(key)
    if mean is None:
        return "undefined"
    text = METRICS[key].text(mean)
    if std is not None:
        text += f" ± {METRICS[key].text(std)}"
    num_undefined = summary.undefined[name][key]
    return f"{text} ({num_undefined})" if num_undefined else text


def _in_one_line(means: MetricValues) -> str:
    shown = ((key, means.get(key)) for key in ("Dice", "IoU", "HD95", "HD95_missed_as_diagonal"))
    return ", ".join(f"{key} {METRICS[key].text(value)}" for key, value in shown)


def _left_out(what: str, cases: Sequence[str]) -> list[str]:
    if not cases:
        return []
    more = [f"  ... and {len(cases) - _NAMES_SHOWN} more"] if len(cases) > _NAMES_SHOWN else []
    return [f"{len(cases)} case(s) {what}:", *(f"  {case}" for case in cases[:_NAMES_SHOWN]), *more]
