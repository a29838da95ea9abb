"""Pieces of one self-contained page: everything inside, nothing fetched, readable on a desktop and a phone.

All text is escaped here, file names and labels of users included.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path

import cv2
import numpy as np

from cervseg.core.paths import atomic_path
from cervseg.metrics.table import METRICS
from cervseg.report.assets import SCRIPT, STYLE
from cervseg.tables.table import Table

NOTICE = "Research software, not a medical device. Not for diagnosis."
_PICTURE_PX = 640
_QUALITY = 78


def write_page(path: Path, *, title: str, lead: str, sections: Sequence[tuple[str, str]]) -> None:
    """Write the page: a heading, a lead, a table of contents, the sections.

    Args:
        path: HTML file to write.
        title: heading, as text.
        lead: one sentence below the heading, as text.
        sections: (heading as text, content as HTML made by this module).
    """
    digest = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    links = "".join(
        f'<li><a href="#part{number}">{escape(heading)}</a></li>'
        for number, (heading, _) in enumerate(sections)
    )
    body = "".join(
        f'<section id="part{number}" aria-labelledby="head{number}">'
        f'<h2 id="head{number}">{escape(heading)}</h2>{content}</section>'
        for number, (heading, content) in enumerate(sections)
    )
    text = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="icon" href="data:,"><title>{escape(title)}</title><style>{STYLE}</style></head><body>'
        f"<header><h1>{escape(title)}</h1><p>{escape(lead)}</p><p class=notice>{NOTICE}</p></header>"
        f'<nav aria-label="contents"><ul>{links}</ul></nav><main>{body}</main>'
        '<dialog aria-label="enlarged picture"><button type="button">close</button>'
        '<img alt=""><p></p></dialog>'
        f"<footer><p>{NOTICE}</p></footer><script>{SCRIPT}</script></body></html>\n"
    )
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def paragraph(text: str, *, kind: str = "") -> str:
    """Text as a paragraph; ``kind`` "warning" makes it stand out."""
    return f"<p{f' class={kind}' if kind else ''}>{escape(text)}</p>"


def fact_list(facts: Mapping[str, object]) -> str:
    """Names and values."""
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(str(value))}</dd>" for name, value in facts.items())
    return f"<dl>{rows}</dl>"


def table_html(table: Table) -> str:
    """A table with its title and note; the best in bold, what is published in italics."""
    head = "".join(f"<th scope=col>{escape(column)}</th>" for column in table.columns)
    body = []
    for row, cells in enumerate(table.rows):
        texts = []
        for column, text in enumerate(cells):
            inner = f"<b>{escape(text)}</b>" if (row, column) in table.best else escape(text)
            texts.append(f"<th scope=row>{inner}</th>" if column == 0 else f"<td>{inner}</td>")
        kind = " class=published" if row in table.published else ""
        body.append(f"<tr{kind}>{''.join(texts)}</tr>")
    return (
        f"<figure class=table><figcaption>{escape(table.title)}</figcaption><div class=scroll tabindex=0>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table></div>"
        f"<p class=note>{escape(table.note)}</p></figure>"
    )


def plain_table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], *, title: str = "", note: str = ""
) -> str:
    """A table of text."""
    return table_html(
        Table(name="", title=title, note=note, columns=tuple(columns), rows=tuple(tuple(row) for row in rows))
    )


def case_table(
    columns: Sequence[str],
    rows: Sequence[tuple[str, Sequence[float | None]]],
    *,
    metrics: Sequence[str],
    threshold_of: str = "Dice",
) -> str:
    """A row a case that sorts by any column and can be filtered by name and by a threshold.

    Args:
        columns: of the values.
        rows: (case, values); None is printed as undefined and sorts last.
        metrics: one per column; each has its own decimals.
        threshold_of: the column that "at most" filters.
    """
    index = columns.index(threshold_of) + 1 if threshold_of in columns else 1
    head = "".join(
        f'<th scope=col aria-sort=none><button type="button">{escape(column)}</button></th>'
        for column in ("case", *columns)
    )
    body = "".join(
        f"<tr><th scope=row>{escape(case)}</th>{''.join(map(_value_cell, metrics, values))}</tr>"
        for case, values in rows
    )
    name = escape(threshold_of)
    return (
        f'<div class=cases data-column="{index}"><p class=tools><label>case contains '
        '<input type="search" size="12"></label> '
        f'<label>{name} at most <input type="number" step="any" size="6"></label> '
        f'<output aria-live="polite"></output></p><div class=scroll tabindex=0><table><thead><tr>{head}</tr>'
        f"</thead><tbody>{body}</tbody></table></div></div>"
    )


def gallery(pictures: Iterable[tuple[np.ndarray, str]]) -> str:
    """Pictures (H x W x 3 uint8 RGB, caption) as thumbnails that a click enlarges."""
    items = "".join(
        f'<figure><button type="button" aria-label="enlarge"><img loading="lazy" alt="{escape(caption)}" '
        f'src="{_jpeg(picture)}"></button><figcaption>{escape(caption)}</figcaption></figure>'
        for picture, caption in pictures
    )
    return f"<div class=gallery>{items}</div>"


def image_file(path: Path, *, caption: str) -> str:
    """A PNG of the results, embedded as it is."""
    data = base64.b64encode(path.read_bytes()).decode()
    return (
        f'<figure class=plot><button type="button" aria-label="enlarge">'
        f'<img alt="{escape(caption)}" src="data:image/png;base64,{data}"></button>'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def folded(summary: str, content: str) -> str:
    """Content that opens on a click."""
    return f"<details><summary>{escape(summary)}</summary>{content}</details>"


def _value_cell(metric: str, value: float | None) -> str:
    shown = "" if value is None else repr(value)
    return f'<td data-value="{shown}">{METRICS[metric].text(value)}</td>'


def _jpeg(picture: np.ndarray) -> str:
    factor = _PICTURE_PX / max(picture.shape[:2])
    if factor < 1:
        size = (round(picture.shape[1] * factor), round(picture.shape[0] * factor))
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    _, encoded = cv2.imencode(
        ".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
    )
    return f"data:image/jpeg;base64,{base64.b64encode(encoded.tobytes()).decode()}"
