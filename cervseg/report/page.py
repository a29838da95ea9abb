"""One self-contained HTML page: no requests, no inline event handlers, every text escaped."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from cervseg.core.atomic import atomic_path
from cervseg.core.notice import NOTICE
from cervseg.report.blocks import Section

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

_PICTURE_PX = 640
_JPEG_QUALITY = 78
_UNBROKEN = re.compile(r"(\[[^\]]*\]|\([^)]*\)|\S+ ± \S+)")


def write_page(path: Path, *, title: str, lead: str, sections: Sequence[Section]) -> None:
    """Write a page: a heading, a lead, a table of contents, the sections.

    Args:
        path: HTML file to write.
        title: heading.
        lead: one or two sentences below the heading.
        sections: in the order of the page.
    """
    with atomic_path(path) as temporary:
        temporary.write_text(render_page(title=title, lead=lead, sections=sections), encoding="utf-8")


def render_page(*, title: str, lead: str, sections: Sequence[Section]) -> str:
    """Render a page as HTML; see :func:`write_page`.

    Args:
        title: heading.
        lead: one or two sentences below the heading.
        sections: in the order of the page.
    """
    from markupsafe import Markup

    script = asset("page.js")
    return (
        _environment()
        .get_template("page.html.jinja")
        .render(
            title=title,
            lead=lead,
            sections=sections,
            notice=f"{NOTICE} Not for diagnosis.",
            style=Markup(asset("page.css")),
            script=Markup(script),
            script_digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        )
    )


def asset(name: str) -> str:
    """Read a file of the page's design: page.css or page.js."""
    return resources.files("cervseg.report").joinpath("assets", name).read_text(encoding="utf-8").strip()


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("cervseg.report", "assets"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"jpeg": _jpeg, "png": _png, "unbroken": _unbroken}
    return environment


def _jpeg(pixels: np.ndarray) -> str:
    """Encode H x W x 3 uint8 RGB as a data address, at most 640 px long."""
    factor = _PICTURE_PX / max(pixels.shape[:2])
    if factor < 1:
        size = (max(1, round(pixels.shape[1] * factor)), max(1, round(pixels.shape[0] * factor)))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    quality = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    _, encoded = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), quality)
    return f"data:image/jpeg;base64,{base64.b64encode(encoded.tobytes()).decode()}"


def _png(path: Path) -> str:
    return f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}"


def _unbroken(text: str) -> Markup:
    """Keep intervals and brackets on one line, so that a narrow cell breaks between them."""
    from markupsafe import Markup, escape

    parts = _UNBROKEN.split(text)  # odd parts are the matches
    spans = (
        Markup("<span class=unbroken>{}</span>").format(p) if k % 2 else escape(p)
        for k, p in enumerate(parts)
    )
    return Markup("").join(spans)
