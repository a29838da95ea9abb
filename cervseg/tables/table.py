"""A table as text, before it is written in a format."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table as text, ready to be written in any format.

    Args:
        name: stem of its files.
        title: above it.
        note: below it.
        columns: headings; the first columns name the rows.
        rows: cells as text, as many per row as there are columns.
        best: (row, column) of the cells to print in bold.
        published: rows with the paper's values, printed in italics.
        num_keys: leading columns that name a row.
    """

    name: str
    title: str
    note: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    best: tuple[tuple[int, int], ...] = ()
    published: tuple[int, ...] = ()
    num_keys: int = 1
