"""Sentences of summary.json that explain its statistics; the metrics' own are in ``metrics/table.py``."""

from __future__ import annotations

from cervseg.core.scores import Summary
from cervseg.metrics.table import METRICS

THRESHOLD = 0.5

STATISTICS: dict[str, str] = {
    "mean": "Mean over the cases in which the metric is defined; the others are counted under undefined.",
    "std": "Sample standard deviation (n - 1) over the cases in which the metric is defined.",
    "foreground_mean": "Mean over the labels of their means.",
    "missed": "Cases whose reference has the label and whose prediction does not.",
    "invented": "Cases whose prediction has the label and whose reference does not.",
}


def definitions(summary: Summary) -> dict[str, str]:
    """Definitions of the summary's metrics and statistics, one sentence each: name -> sentence."""
    used = {metric for means in summary.mean.values() for metric in means}
    return {name: metric.definition for name, metric in METRICS.items() if name in used} | STATISTICS
