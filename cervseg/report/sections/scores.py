"""The scores of a model or a folder of masks."""

from __future__ import annotations

from typing import Protocol

from cervseg.core.scores import Summary
from cervseg.evaluation.definitions import definitions
from cervseg.evaluation.statistics import bootstrap_mean, case_values
from cervseg.metrics.table import METRICS, SHOWN_METRICS
from cervseg.report.blocks import Block, Facts, Folded, Paragraph, Section, TableBlock
from cervseg.tables.table import Table

_COLUMNS = ("metric", "mean", "SD over cases", "95 % bootstrap interval", "undefined in")


class ScoredContent(Protocol):
    """A report with scores."""

    @property
    def summary(self) -> Summary | None:
        """The scores; None if there are none."""


def scores_section(content: ScoredContent) -> Section | None:
    """Show means with intervals, missed and invented structures, and the definitions of the metrics."""
    summary = content.summary
    if summary is None:
        return None
    blocks: list[Block] = []
    if summary.prompts:
        blocks.append(Paragraph(text=f"Prompts: {summary.prompts}.", is_warning=True))
    blocks += [TableBlock(table=_label_table(summary, label)) for label in summary.labels]
    for problem, cases in (
        ("could not be scored", [f"{case} ({why})" for case, why in summary.failed.items()]),
        ("have no prediction", summary.without_prediction),
    ):
        if cases:
            text = f"{len(cases)} case(s) {problem}: {', '.join(cases)}."
            blocks.append(Paragraph(text=text, is_warning=True))
    blocks.append(Folded(summary="Definitions of the metrics", blocks=(Facts(facts=definitions(summary)),)))
    return Section(heading="Scores", blocks=tuple(blocks))


def _label_table(summary: Summary, label: str) -> Table:
    return Table(
        name="",
        title=label,
        note=f"{len(summary.scores)} cases; missed in {summary.missed[label]}, "
        f"invented in {summary.invented[label]}.",
        columns=_COLUMNS,
        rows=tuple(_row(summary, label, metric) for metric in SHOWN_METRICS if metric in summary.mean[label]),
    )


def _row(summary: Summary, label: str, metric: str) -> tuple[str, ...]:
    values = case_values(summary, metric, label=label).values()
    mean, low, high = bootstrap_mean([value for value in values if value is not None])
    spread = summary.std[label].get(metric)
    text = METRICS[metric].text
    return (
        METRICS[metric].title,
        text(mean),
        "-" if spread is None else text(spread),
        "-" if low is None else f"{text(low)} to {text(high)}",
        str(summary.undefined[label][metric]),
    )
