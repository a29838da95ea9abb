"""The content of a report as values: sections of paragraphs, tables and pictures.

Text is plain text; :mod:`cervseg.report.page` escapes it. To add a kind of block, add a class here, add it to
``Block``, and add a macro of the same ``kind`` to assets/blocks.html.jinja.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from cervseg.tables.table import Table


@dataclass(frozen=True, kw_only=True)
class Paragraph:
    """A paragraph; a warning stands out."""

    kind: ClassVar[str] = "paragraph"
    text: str
    is_warning: bool = False


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Names and values."""

    kind: ClassVar[str] = "facts"
    facts: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class TableBlock:
    """A table; on a phone, each row becomes a card.

    Args:
        table: cells as text.
        cells: "numbers" are aligned right, "text" is aligned left and wrapped.
    """

    kind: ClassVar[str] = "table"
    table: Table
    cells: Literal["numbers", "text"] = "numbers"


@dataclass(frozen=True, kw_only=True)
class Value:
    """A number of a case table: its text, and its full value for sorting; None is undefined."""

    text: str
    value: float | None


@dataclass(frozen=True, kw_only=True)
class CaseTable:
    """A table with one row per case that can be sorted by any column and filtered.

    Args:
        columns: headings of the values.
        rows: (case, values).
        threshold_of: the column that the filter "at most" reads.
    """

    kind: ClassVar[str] = "cases"
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Value, ...]], ...]
    threshold_of: str

    @property
    def headings(self) -> tuple[str, ...]:
        """All headings, that of the cases first."""
        return ("case", *self.columns)

    @property
    def threshold_column(self) -> int:
        """Index of the filtered column; the case's name is column 0."""
        return self.headings.index(self.threshold_of)


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A thumbnail: H x W x 3 uint8 RGB with a caption."""

    pixels: np.ndarray
    caption: str


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """Thumbnails that a click enlarges."""

    kind: ClassVar[str] = "gallery"
    pictures: tuple[Picture, ...]


@dataclass(frozen=True, kw_only=True)
class Plot:
    """A PNG file of the results, embedded unchanged."""

    kind: ClassVar[str] = "plot"
    path: Path
    caption: str


@dataclass(frozen=True, kw_only=True)
class Folded:
    """Blocks that open on a click."""

    kind: ClassVar[str] = "folded"
    summary: str
    blocks: tuple[Block, ...]


Block = Paragraph | Facts | TableBlock | CaseTable | Gallery | Plot | Folded


@dataclass(frozen=True, kw_only=True)
class Section:
    """A heading and its blocks."""

    heading: str
    blocks: tuple[Block, ...]


def text_table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], *, title: str = "", note: str = ""
) -> TableBlock:
    """Make a table of wrapped text.

    Args:
        columns: headings.
        rows: cells as text, as many per row as there are columns.
        title: above the table.
        note: below the table.
    """
    table = Table(
        name="", title=title, note=note, columns=tuple(columns), rows=tuple(tuple(row) for row in rows)
    )
    return TableBlock(table=table, cells="text")
