"""The plan with the reason of every decision."""

from __future__ import annotations

from cervseg.core.types import Plan
from cervseg.planning.planfile import as_words, edited
from cervseg.planning.planner import value_of
from cervseg.report.blocks import Block, Folded, Paragraph, Section, TableBlock, text_table
from cervseg.report.sections.dataset import PlannedContent


def plan_section(content: PlannedContent) -> Section | None:
    """Show every decision with its value and its reason; several configurations are folded."""
    plan = content.plan
    if plan is None:
        return None
    blocks: list[Block] = [Paragraph(text=f'Preset "{plan.preset}".')]
    if changed := edited(plan):
        blocks.append(Paragraph(text=f"Edited by hand: {'; '.join(changed)}.", is_warning=True))
    tables = {name: _decisions(plan, name) for name in content.configurations}
    if len(tables) == 1:
        blocks += tables.values()
    else:
        blocks += [Folded(summary=name, blocks=(table,)) for name, table in tables.items()]
    return Section(heading="Plan, with reasons", blocks=tuple(blocks))


def _decisions(plan: Plan, configuration: str) -> TableBlock:
    prefix = f"{configuration}."
    rows = [
        (
            key.removeprefix(prefix),
            as_words(value_of(plan.configurations[configuration], key.removeprefix(prefix))),
            decision.reason,
        )
        for key, decision in plan.decisions.items()
        if key.startswith(prefix)
    ]
    return text_table(("rule", "value", "reason"), rows, title=configuration)
