"""The scores of every case."""

from __future__ import annotations

from cervseg.evaluation.statistics import case_values
from cervseg.metrics.table import METRICS, SHOWN_METRICS
from cervseg.report.blocks import CaseTable, Paragraph, Section, Value
from cervseg.report.sections.scores import ScoredContent


def cases_section(content: ScoredContent) -> Section | None:
    """Show a table of all cases, lowest Dice first; several labels are averaged."""
    summary = content.summary
    if summary is None or not summary.scores:
        return None
    metrics = [name for name in SHOWN_METRICS if any(name in found for found in summary.mean.values())]
    by_metric = {metric: case_values(summary, metric) for metric in metrics}
    rows = tuple(
        (case, tuple(case_value(by_metric[metric][case], metric) for metric in metrics))
        for case in worst_first(by_metric["Dice"])
    )
    note = "Lowest Dice first. Click a heading to sort."
    if len(summary.labels) > 1:
        note += " Mean over labels."
    table = CaseTable(columns=tuple(metrics), rows=rows, threshold_of="Dice")
    return Section(heading="Case by case", blocks=(Paragraph(text=note), table))


def case_value(value: float | None, metric: str) -> Value:
    """Return a value with the decimals of its metric.

    Args:
        value: None is undefined.
        metric: name of the metric.
    """
    return Value(text=METRICS[metric].text(value), value=value)


def worst_first(values: dict[str, float | None]) -> list[str]:
    """Sort cases by their value, lowest first; cases without a value come last.

    Args:
        values: case -> value.
    """
    return sorted(values, key=lambda case: (values[case] is None, values[case] or 0.0, case))
