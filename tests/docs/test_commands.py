"""Every command and option that the manual shows exists."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [
    *(
        ROOT / name
        for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "benchmarks/demo.sh", ".ci/try_wheel")
    ),
    *(page for page in sorted((ROOT / "docs").glob("*.md")) if page.name != "LOG.md"),
    *sorted((ROOT / ".github").rglob("*.md")),
]
_INLINE = re.compile(r"`(cervseg_[a-z_]+(?: [^`]*)?)`")
_NUMBER = re.compile(r"-\d")
TABLES = {"training.md": "train", "prediction.md": "predict", "studies.md": "study"}


def commands(text: str) -> Iterator[list[str]]:
    """Every ``cervseg_...`` command line, in code blocks and in sentences, as words."""
    lines = [line.strip().removesuffix("\\") for line in text.splitlines()]
    for line in [line for line in lines if line.startswith("cervseg_")] + _INLINE.findall(text):
        yield shlex.split(line.replace("$", "").replace("'", '"'))


def options_of(command: str, source: str | None) -> set[str]:
    """The options that a command, or one of its sub-commands, knows."""
    parser: argparse.ArgumentParser = import_module(f"cervseg.cli.{command}").build_parser()
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction) and source is not None:
            parser = action.choices[source]
    return set(parser._option_string_actions)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_of_a_page(page: Path) -> None:
    """Names of commands are modules of cli/; words that start with a dash are options of theirs."""
    wrong = []
    for command, *words in commands(page.read_text()):
        name = command.removeprefix("cervseg_")
        if not (ROOT / "cervseg" / "cli" / f"{name}.py").is_file():
            wrong.append(command)
            continue
        source = words[0] if name == "convert" and words and not words[0].startswith("-") else None
        known = options_of(name, source)
        given = [word.partition("=")[0] for word in words if word.startswith("-") and not _NUMBER.match(word)]
        wrong += [f"{command} {option}" for option in given if option not in known]
    assert wrong == []


@pytest.mark.parametrize(("page", "command"), TABLES.items())
def test_tables_of_options(page: str, command: str) -> None:
    """The first column of a table of options names options of the page's command."""
    rows = re.findall(r"^\| (`-[^|]*) \|", (ROOT / "docs" / page).read_text(), re.MULTILINE)
    options = [option for row in rows for option in re.findall(r"(?<![\w-])-{1,2}[a-z][a-z-]*", row)]
    assert len(options) > 5
    assert set(options) - options_of(command, None) == set()
