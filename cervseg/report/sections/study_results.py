"""The tables of scores and costs of a study."""

from __future__ import annotations

from cervseg.report.blocks import Block, Paragraph, Section, TableBlock
from cervseg.report.content import StudyContent
from cervseg.report.sections.study_tests import is_test


def study_results_section(content: StudyContent) -> Section:
    """Show the notes, the models that are missing, and all tables but those of statistical tests."""
    study = content.study
    blocks: list[Block] = [Paragraph(text=note, is_warning=True) for note in study.notes]
    blocks += [
        Paragraph(text=f"Missing: {model}: {reason}", is_warning=True)
        for model, reason in study.missing.items()
    ]
    blocks += [TableBlock(table=table) for table in content.tables if not is_test(table)]
    return Section(heading="Results", blocks=tuple(blocks))
