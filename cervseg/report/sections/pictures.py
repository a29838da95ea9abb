"""Images with their masks and references."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from cervseg.core.errors import CervsegError, one_line
from cervseg.core.scores import Summary
from cervseg.dataset.labels import keep_labels
from cervseg.evaluation.statistics import case_values
from cervseg.figures.overlays import overlay
from cervseg.imageio import read_image, read_mask
from cervseg.metrics.table import METRICS
from cervseg.report.blocks import Block, Gallery, Paragraph, Picture, Section
from cervseg.report.content import CaseFiles
from cervseg.report.sections.cases import worst_first

MAX_PICTURES = 48


class PicturedContent(Protocol):
    """A report with scores and images."""

    @property
    def summary(self) -> Summary | None:
        """The scores; None if there are none."""

    @property
    def files(self) -> CaseFiles | None:
        """The files of the cases; None without images."""


def pictures_section(content: PicturedContent) -> Section | None:
    """Show images with mask and reference, lowest Dice first; at most 48."""
    summary, files = content.summary, content.files
    if summary is None or files is None:
        return None
    dice = case_values(summary, "Dice")
    ordered = worst_first(dice)
    chosen = spread(ordered, MAX_PICTURES)
    missing: list[str] = []
    pictures = tuple(_pictures(chosen, dice, files, summary.labels, missing=missing))
    note = "Lowest Dice first. White: reference. Click to enlarge."
    if len(chosen) < len(ordered):
        note += f" {len(chosen)} of {len(ordered)}: the worst, the best, and some in between."
    blocks: list[Block] = [Paragraph(text=note), Gallery(pictures=pictures)]
    if missing:
        text = f"{len(missing)} image(s) could not be shown: {'; '.join(missing)}."
        blocks.append(Paragraph(text=text, is_warning=True))
    return Section(heading="Images", blocks=tuple(blocks))


def spread(ordered: Sequence[str], limit: int) -> list[str]:
    """Choose at most ``limit`` cases: half from the start, a quarter from the end, the rest evenly between.

    Args:
        ordered: the cases.
        limit: number of cases to choose.
    """
    if len(ordered) <= limit:
        return list(ordered)
    first, last = limit // 2, limit // 4
    between = ordered[first : len(ordered) - last]
    step = len(between) / (limit - first - last)
    chosen = [between[int(index * step)] for index in range(limit - first - last)]
    return [*ordered[:first], *chosen, *ordered[len(ordered) - last :]]


def _pictures(
    cases: Sequence[str],
    dice: Mapping[str, float | None],
    files: CaseFiles,
    labels: Mapping[str, int],
    *,
    missing: list[str],
) -> Iterator[Picture]:
    names = {value: name for name, value in labels.items()}
    for case in cases:
        mask = next((path for folder in files.masks if (path := folder.mask(case)).is_file()), None)
        reference = files.references / f"{case}.png"
        if mask is None or case not in files.images:
            missing.append(f"{case} (no {'mask' if mask is None else 'image'})")
            continue
        try:
            pixels = overlay(
                read_image(files.images[case]).pixels,
                keep_labels(read_mask(mask), labels),
                reference=keep_labels(read_mask(reference), labels) if reference.is_file() else None,
                names=names,
            )
        except (CervsegError, ValueError) as problem:
            missing.append(f"{case} ({one_line(problem)})")
            continue
        yield Picture(pixels=pixels, caption=f"{case}, Dice {METRICS['Dice'].text(dice[case])}")
