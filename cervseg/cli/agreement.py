"""cervseg_agreement: agreement of raters with each other, and of models with raters."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from cervseg.cli.arguments import add_labels, add_output, add_workers, read_labels
from cervseg.cli.command_parser import CommandParser
from cervseg.cli.run import run
from cervseg.core.errors import DatasetError
from cervseg.metrics.table import PAPER_METRICS, listed


def build_parser() -> CommandParser:
    """Build the parser of cervseg_agreement."""
    parser = CommandParser(
        description="Agreement of every pair of raters, and of every model with every rater: "
        f"{listed(PAPER_METRICS)} over the images that all have.",
        example="cervseg_agreement --raters expert=a/ human1=b/ human2=c/ --model CervSpineNet=masks/ -o out",
        notes="exit code: 0 all images compared; 1 some were left out and named; 2 error",
    )
    parser.add_argument(
        "--raters",
        nargs="+",
        required=True,
        metavar="NAME=DIR",
        help="folders of masks, each mask named like its image",
    )
    parser.add_argument(
        "--model", nargs="+", default=[], metavar="NAME=DIR", help="folders of masks that models predicted"
    )
    add_output(parser, "folder for the table as CSV, LaTeX, Markdown and JSON", required=False)
    add_labels(parser, "labels to compare (default: as in cervseg_evaluate)")
    add_workers(parser)
    return parser


def act(options: argparse.Namespace) -> int:
    """Compare and print; exit code 1 where an image was left out."""
    raters, models = _folders(options.raters, "rater"), _folders(options.model, "model")
    labels = read_labels(options.labels) if options.labels else None

    from cervseg.pipeline.agree import agree
    from cervseg.tables.terminal import as_text

    table, left_out = agree(raters, models, output=options.output, labels=labels, workers=options.workers)
    print(as_text(table))
    for line in left_out:
        print(f"warning: left out: {line}", file=sys.stderr)
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
            raise DatasetError(f"two {kind}s have the name {name!r}", hint="Write NAME=DIR")
        if not folder.is_dir():
            raise DatasetError("no such folder", where=folder)
        found[name] = folder
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point."""
    return run(build_parser(), act, argv)
