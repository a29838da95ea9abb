"""A table as text, before it takes a format."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table as text, ready to be written in any format.

    Args:
        name: of its files.
        title: above it.
        note: below it.
        columns: headings; the first column names the rows.
        rows: cells as text, as many a row as there are columns.
        best: (row, column) of the cells to print in bold.
        published: rows that are the paper's, printed in italics.
    """

    name: str
    title: str
    note: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    best: tuple[tuple[int, int], ...] = ()
    published: tuple[int, ...] = ()
