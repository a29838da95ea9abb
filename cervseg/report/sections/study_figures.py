"""The figures of a study."""

from __future__ import annotations

from cervseg.report.blocks import Block, Paragraph, Plot, Section
from cervseg.report.content import StudyContent


def study_figures_section(content: StudyContent) -> Section | None:
    """Show all figures with their captions, and name those that are missing."""
    folder = content.folder.figures
    blocks: list[Block] = [
        Plot(path=path, caption=caption)
        for name, caption in content.figures.captions.items()
        if (path := folder / f"{name}.png").is_file()
    ]
    blocks += [
        Paragraph(text=f"Missing: {name}: {reason}", is_warning=True)
        for name, reason in content.figures.missing.items()
    ]
    return Section(heading="Figures", blocks=tuple(blocks)) if blocks else None
