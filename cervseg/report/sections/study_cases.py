"""The Dice of every case and system of a study."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from cervseg.evaluation.statistics import case_values
from cervseg.report.blocks import Block, CaseTable, Paragraph, Section
from cervseg.report.content import StudyContent
from cervseg.report.sections.cases import case_value


def study_cases_section(content: StudyContent) -> Section | None:
    """Show one table per variant: cases down, systems across, mean over seeds."""
    study = content.study
    if not study.models:
        return None
    blocks: list[Block] = [Paragraph(text="Mean over seeds. Click a heading to sort.")]
    for variant in dict.fromkeys(result.model.variant for result in study.models):
        systems: dict[str, list[Mapping[str, float | None]]] = {}
        for result in study.models:
            if result.model.variant == variant:
                values = case_values(content.summaries[result.summary], "Dice")
                systems.setdefault(result.title, []).append(values)
        rows = tuple(
            (case, tuple(case_value(_mean(seeds, case), "Dice") for seeds in systems.values()))
            for case in next(iter(systems.values()))[0]
        )
        blocks.append(Paragraph(text=f"Variant {variant}:"))
        blocks.append(CaseTable(columns=tuple(systems), rows=rows, threshold_of=list(systems)[-1]))
    return Section(heading="Dice, case by case", blocks=tuple(blocks))


def _mean(seeds: Sequence[Mapping[str, float | None]], case: str) -> float | None:
    values = [value for seed in seeds if (value := seed.get(case)) is not None]
    return statistics.fmean(values) if values else None
