import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np

from cervseg.report.blocks import (
    Block,
    CaseTable,
    Facts,
    Folded,
    Gallery,
    Paragraph,
    Picture,
    Plot,
    Section,
    TableBlock,
    Value,
)
from cervseg.report.page import asset, render_page
from cervseg.tables.table import Table

EVIL = "<script>alert(1)</script>\"&' onload=x"


class Seen(HTMLParser):
    """Every tag with its attributes, and the tags that are not closed."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "img", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def page(*blocks: Block) -> tuple[str, Seen]:
    text = render_page(title=EVIL, lead=EVIL, sections=[Section(heading=EVIL, blocks=blocks)])
    seen = Seen()
    seen.feed(text)
    assert seen.open == []
    return text, seen


def test_page_is_self_contained_and_text_is_escaped(tmp_path: Path) -> None:
    """Every kind of block escapes its text; only our script may run; nothing is fetched."""
    table = Table(name="t", title=EVIL, note=EVIL, columns=(EVIL, "b"), rows=((EVIL, EVIL),), best=((0, 1),))
    plot = tmp_path / "plot.png"
    cv2.imwrite(str(plot), np.zeros((9, 9), np.uint8))
    cases = CaseTable(columns=(EVIL,), rows=((EVIL, (Value(text=EVIL, value=None),)),), threshold_of=EVIL)
    text, seen = page(
        Paragraph(text=EVIL, is_warning=True),
        Facts(facts={EVIL: EVIL}),
        TableBlock(table=table),
        TableBlock(table=table, cells="text"),
        cases,
        Gallery(pictures=(Picture(pixels=np.zeros((900, 30, 3), np.uint8), caption=EVIL),)),
        Plot(path=plot, caption=EVIL),
        Folded(summary=EVIL, blocks=(Paragraph(text=EVIL),)),
    )
    script = asset("page.js")
    assert "alert(1)</script>" not in text.replace(script, "")
    assert [tag for tag, _ in seen.tags if tag == "script"] == ["script"]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in text
    assert f"<script>{script}</script>" in text
    assert "default-src 'none'" in text
    attributes = [(name, value) for _, given in seen.tags for name, value in given.items()]
    assert [name for name, _ in attributes if name.startswith("on")] == []
    addresses = [value for name, value in attributes if name in ("src", "href") and value]
    assert all(address.startswith(("data:", "#")) for address in addresses)
    assert not re.search(r"https?://|url\(|@import", text)
    assert "not a medical device" in text


def test_cells_carry_their_heading() -> None:
    """On a phone, where rows are cards, each cell shows the heading of its column."""
    table = Table(name="t", title="", note="", columns=("Model", "Dice"), rows=(("U-Net", "0.9 [0.8, 1.0]"),))
    text, seen = page(TableBlock(table=table))
    assert [given.get("data-label") for tag, given in seen.tags if tag == "td"] == ["Dice"]
    assert "<span class=unbroken>[0.8, 1.0]</span>" in text


def test_case_table_keeps_full_values() -> None:
    """Cells show rounded text and sort by the full value; the filter reads the right column."""
    rows = (
        ("a", (Value(text="12.35", value=12.345), Value(text="0.1235", value=0.123456))),
        ("b", (Value(text="undefined", value=None), Value(text="0.5000", value=0.5))),
    )
    text, seen = page(CaseTable(columns=("HD95", "Dice"), rows=rows, threshold_of="Dice"))
    values = [given["data-value"] for tag, given in seen.tags if tag == "td"]
    assert values == ["12.345", "0.123456", "", "0.5"]
    assert 'data-column="2"' in text
    assert "Dice at most" in text
    assert "<span>12.35</span>" in text


def test_pictures_are_small_jpegs() -> None:
    """A large image is shrunk to 640 px."""
    pixels = np.full((1300, 650, 3), 128, np.uint8)
    text, _ = page(Gallery(pictures=(Picture(pixels=pixels, caption="image"),)))
    found = re.search(r"data:image/jpeg;base64,([^\"]+)", text)
    assert found is not None
    decoded = cv2.imdecode(np.frombuffer(base64.b64decode(found[1]), np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    assert decoded.shape == (640, 320, 3)
    assert 'alt="image"' in text
