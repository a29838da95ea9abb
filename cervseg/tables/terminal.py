"""Tables for a terminal: aligned columns, no line wider than ``WIDTH``."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from itertools import zip_longest

from cervseg.tables.table import Table

WIDTH = 100  # characters
_GAP = "  "
_VALUE_WIDTH = 32  # room for one value column, however wide the keys are


def as_text(table: Table) -> str:
    """Format a table: title, aligned columns, and the note as a paragraph."""
    lines = aligned(table.columns, table.rows, num_keys=table.num_keys)
    return "\n".join([table.title, "", *lines, "", paragraph(table.note)])


def paragraph(text: str) -> str:
    """Wrap a text to the width of the terminal."""
    return textwrap.fill(text, WIDTH, break_on_hyphens=False)


def aligned(columns: Sequence[str], rows: Sequence[Sequence[str]], *, num_keys: int = 1) -> list[str]:
    """Align columns. Those that do not fit side by side follow in further blocks, which repeat the keys.

    Args:
        columns: headings.
        rows: cells, as many per row as there are columns; longer ones than their column are wrapped.
        num_keys: leading columns that name the row.

    Returns:
        Lines of at most ``WIDTH`` characters, blocks separated by an empty line.
    """
    widths = [
        max(max(map(len, words)), *(len(row[column]) for row in rows), 1)
        for column, words in enumerate([heading.split() or [""] for heading in columns])
    ]
    keys = _shrunk(widths[:num_keys], WIDTH - _VALUE_WIDTH - len(_GAP) * num_keys)
    room = WIDTH - sum(keys) - len(_GAP) * num_keys
    lines: list[str] = []
    for block in _blocks([min(width, room) for width in widths[num_keys:]], room):
        shown = {**dict(enumerate(keys)), **{num_keys + column: width for column, width in block.items()}}
        lines += ["", *_lines(columns, shown), *(line for row in rows for line in _lines(row, shown))]
    return lines[1:]


def _shrunk(widths: Sequence[int], room: int) -> list[int]:
    # The widest column gives way first.
    found = list(widths)
    while sum(found) > room and max(found) > 1:
        found[found.index(max(found))] -= 1
    return found


def _blocks(widths: Sequence[int], room: int) -> list[dict[int, int]]:
    # Column -> width, for each block.
    blocks: list[dict[int, int]] = [{}]
    for column, width in enumerate(widths):
        taken = sum(blocks[-1].values()) + len(_GAP) * len(blocks[-1])
        if blocks[-1] and taken + width > room:
            blocks.append({})
        blocks[-1][column] = width
    return blocks


def _lines(row: Sequence[str], widths: dict[int, int]) -> list[str]:
    cells = [
        textwrap.wrap(row[column], width, break_on_hyphens=False) or [""] for column, width in widths.items()
    ]
    return [
        _GAP.join(text.ljust(width) for text, width in zip(line, widths.values(), strict=True)).rstrip()
        for line in zip_longest(*cells, fillvalue="")
    ]
