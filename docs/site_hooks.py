"""Hooks of the documentation site: definitions come from the code, and Sphinx roles become plain code."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from cervseg.evaluation.definitions import STATISTICS
from cervseg.metrics.table import METRICS

_ROLE = re.compile(r":(?:func|class|mod|meth|data|attr|exc):<code>~?\.?([^<]+)</code>")
_INCLUDE = re.compile(r"<!-- include (\S+) -->")
_NOTEBOOK = re.compile(r"<!-- notebook (\S+) -->")


def on_page_markdown(markdown: str, **_: object) -> str:
    """Insert files of the repository, notebooks, and the definitions of metrics and statistics."""
    markdown = _NOTEBOOK.sub(lambda found: notebook(Path(found[1])), markdown)
    markdown = _INCLUDE.sub(lambda found: Path(found[1]).read_text().replace("](docs/", "]("), markdown)
    metrics = {name: metric.definition for name, metric in METRICS.items()}
    markdown = markdown.replace("<!-- metrics -->", table(metrics))
    return markdown.replace("<!-- statistics -->", table(STATISTICS))


def on_page_content(html: str, **_: object) -> str:
    """Show a role such as ``:func:`train``` as code."""
    return _ROLE.sub(r"<code>\1</code>", html)


def table(definitions: Mapping[str, str]) -> str:
    """Names and definitions as a Markdown table."""
    rows = [f"| `{name}` | {text.replace('|', '&#124;')} |" for name, text in definitions.items()]
    return "\n".join(["| name | definition |", "|---|---|", *rows])


def notebook(path: Path) -> str:
    """Show the cells of a notebook as Markdown, without running them."""
    cells = [(cell["cell_type"], "".join(cell["source"])) for cell in json.loads(path.read_text())["cells"]]
    return "\n\n".join(text if kind == "markdown" else f"```python\n{text}\n```" for kind, text in cells)
