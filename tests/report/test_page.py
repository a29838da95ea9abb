import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np

from cervseg.report.assets import SCRIPT
from cervseg.report.page import case_table, gallery, paragraph, table_html, write_page
from cervseg.tables.table import Table

EVIL = '<script>alert(1)</script>"&'


class Seen(HTMLParser):
    """Every tag with its attributes, and what is not closed."""

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


def page(tmp_path: Path, content: str) -> tuple[str, Seen]:
    write_page(tmp_path / "report.html", title=EVIL, lead=EVIL, sections=[(EVIL, content)])
    text = (tmp_path / "report.html").read_text()
    seen = Seen()
    seen.feed(text)
    assert seen.open == []
    return text, seen


def test_nothing_leaves_the_page_and_nothing_of_users_is_code(tmp_path: Path) -> None:
    """Text is escaped everywhere, only our script may run, no address is foreign."""
    table = Table(name="t", title=EVIL, note=EVIL, columns=(EVIL, "b"), rows=((EVIL, "1"),), best=((0, 1),))
    picture = np.zeros((900, 30, 3), np.uint8)
    content = paragraph(EVIL) + table_html(table) + case_table(["Dice"], [(EVIL, [None])], metrics=["Dice"])
    text, seen = page(tmp_path, content + gallery([(picture, EVIL)]))
    assert "alert(1)</script>" not in text.replace(SCRIPT, "")
    scripts = [tag for tag, _ in seen.tags if tag == "script"]
    assert len(scripts) == 1
    digest = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in text
    assert "default-src 'none'" in text
    addresses = [v for _, given in seen.tags for k, v in given.items() if k in ("src", "href") and v]
    assert all(address.startswith(("data:", "#")) for address in addresses)
    assert not re.search(r"https?://", text)
    assert "not a medical device" in text


def test_case_table() -> None:
    """Values keep all their digits for sorting; what is undefined says so; the threshold knows its column."""
    text = case_table(
        ["HD95", "Dice"], [("a", [12.345, 0.123456]), ("b", [None, 0.5])], metrics=["HD95", "Dice"]
    )
    assert '<td data-value="12.345">12.35</td>' in text
    assert '<td data-value="">undefined</td>' in text
    assert '<td data-value="0.123456">0.1235</td>' in text
    assert 'data-column="2"' in text
    assert "Dice at most" in text


def test_pictures_are_small_jpegs() -> None:
    """A large image becomes at most 640 px long."""
    import cv2

    text = gallery([(np.full((1300, 650, 3), 128, np.uint8), "image")])
    found = re.search(r"data:image/jpeg;base64,([^\"]+)", text)
    assert found is not None
    decoded = cv2.imdecode(np.frombuffer(base64.b64decode(found[1]), np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    assert decoded.shape == (640, 320, 3)
    assert 'alt="image"' in text
