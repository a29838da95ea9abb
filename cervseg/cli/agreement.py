"""cervseg_agreement: how well people agree with each other, and a model with them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from cervseg.cli.evaluate import read_labels
from cervseg.cli.run import parser, run
from cervseg.core.errors import DatasetError


def build_parser() -> argparse.ArgumentParser:
    """The command's options."""
    made = parser(
        "Agreement of every pair of raters, and of a model with every rater: Dice, IoU, SSIM, HD95 and VS "
        "over the images that all have.",
        example=(
            "cervseg_agreement --raters expert=a/ human1=b/ human2=c/ --model CervSpineNet=masks/ -o out\n\n"
            "exit code: 0 all images compared; 1 some were left out and named; 2 error"
        ),
    )
    made.add_argument(
        "--raters", nargs="+", required=True, metavar="NAME=FOLDER", help="folders of masks, named by image"
    )
    made.add_argument("--model", nargs="+", default=[], metavar="NAME=FOLDER", help="the same, of models")
    made.add_argument("-o", "--output", type=Path, help="folder for the table as CSV, LaTeX, Markdown, JSON")
    made.add_argument("--labels", nargs="+", metavar="NAME=VALUE", help="as in cervseg_evaluate")
    made.add_argument("--workers", type=int, help="processes (default: one a core)")
    return made


def act(options: argparse.Namespace) -> int:
    """Compare and print; exit code 1 where an image was left out."""
    raters, models = _folders(options.raters, "rater"), _folders(options.model, "model")
    labels = read_labels(options.labels) if options.labels else None

    from cervseg.pipeline.agree import agree
    from cervseg.tables.formats import as_text

    table, left_out = agree(raters, models, output=options.output, labels=labels, workers=options.workers)
    print(as_text(table))
    for line in left_out:
        print(f"left out: {line}", file=sys.stderr)
    if options.output is not None:
        print(f"\nwritten: {options.output}")
    return 1 if left_out else 0


def _folders(texts: Sequence[str], kind: str) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for text in texts:
        name, equals, path = text.partition("=")
        folder = Path(path if equals else text)
        name = name if equals else folder.name
        if name in found:
            raise DatasetError(f"two {kind}s are called {name!r}", hint="Write NAME=FOLDER.")
        if not folder.is_dir():
            raise DatasetError("no such folder", where=folder)
        found[name] = folder
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point."""
    return run(build_parser(), act, argv)
