"""The statistical tests of a study."""

from __future__ import annotations

from cervseg.report.blocks import Block, Folded, Section, TableBlock
from cervseg.report.content import StudyContent
from cervseg.tables.comparisons import OVERALL_TABLE, PAIR_TABLE
from cervseg.tables.table import Table


def study_tests_section(content: StudyContent) -> Section | None:
    """Show Friedman's tests, and the tests of all pairs folded."""
    blocks: list[Block] = []
    for table in content.tables:
        if table.name == OVERALL_TABLE:
            blocks.append(TableBlock(table=table))
        elif table.name == PAIR_TABLE:
            summary = f"{table.title} ({len(table.rows)} rows)"
            blocks.append(Folded(summary=summary, blocks=(TableBlock(table=table),)))
    return Section(heading="Statistical tests", blocks=tuple(blocks)) if blocks else None


def is_test(table: Table) -> bool:
    """Whether a table holds statistical tests.

    Args:
        table: a table of a study.
    """
    return table.name in (OVERALL_TABLE, PAIR_TABLE)
