"""Tables as Markdown, LaTeX, CSV and JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from cervseg.core.atomic import atomic_path
from cervseg.core.jsonio import write_json
from cervseg.core.notice import NOTICE
from cervseg.tables.table import Table

_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "<": "$<$",
    ">": "$>$",
}


def write_tables(tables: Sequence[Table], folder: Path) -> list[Path]:
    """Write each table as ``<name>.csv`` and ``<name>.tex``, and all as tables.md and tables.json."""
    written = []
    for table in tables:
        for suffix, text in ((".csv", as_csv(table)), (".tex", as_latex(table))):
            written.append(_write(folder / f"{table.name}{suffix}", text))
    text = "\n\n".join([*(as_markdown(table) for table in tables), NOTICE]) + "\n"
    written.append(_write(folder / "tables.md", text))
    write_json(folder / "tables.json", list(tables))
    return [*written, folder / "tables.json"]


def as_markdown(table: Table) -> str:
    """Format a heading, the table and its note; the best value in bold, published rows in italics."""
    rows = [
        [
            _emphasized(table, row, column, _plain(text), bold="**", italic="*")
            for column, text in enumerate(cells)
        ]
        for row, cells in enumerate(table.rows)
    ]
    lines = [
        f"### {table.title}",
        "",
        _line(table.columns),
        _line(["---"] * len(table.columns)),
        *(_line(cells) for cells in rows),
        "",
        table.note,
    ]
    return "\n".join(lines)


def as_latex(table: Table) -> str:
    """Format a LaTeX table environment with the rules of booktabs; numbers as in the other formats."""
    body = []
    for row, cells in enumerate(table.rows):
        texts = []
        for column, text in enumerate(cells):
            escaped = _escape(text)
            if (row, column) in table.best:
                escaped = rf"\textbf{{{escaped}}}"
            elif row in table.published:
                escaped = rf"\textit{{{escaped}}}"
            texts.append(escaped)
        body.append(" & ".join(texts) + r" \\")
    return "\n".join(
        [
            "% needs \\usepackage{booktabs}",
            r"\begin{table}",
            rf"\caption{{{_escape(table.title)}. {_escape(table.note)}}}",
            rf"\label{{tab:{table.name.removeprefix('table_').replace('_', '-')}}}",
            rf"\begin{{tabular}}{{l{'r' * (len(table.columns) - 1)}}}",
            r"\toprule",
            " & ".join(_escape(text) for text in table.columns) + r" \\",
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            f"% {NOTICE}",
            "",
        ]
    )


def as_csv(table: Table) -> str:
    """Format the headings and the rows as CSV; cells are text."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows(table.rows)
    return stream.getvalue()


def _emphasized(table: Table, row: int, column: int, text: str, *, bold: str, italic: str) -> str:
    if (row, column) in table.best:
        return f"{bold}{text}{bold}"
    return f"{italic}{text}{italic}" if row in table.published else text


def _plain(text: str) -> str:
    return text.replace("|", r"\|")


def _escape(text: str) -> str:
    return "".join(_LATEX.get(letter, letter) for letter in text)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _write(path: Path, text: str) -> Path:
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path
