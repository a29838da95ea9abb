"""cervseg_compare: test whether systems differ on the same cases."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from cervseg.cli.arguments import add_output
from cervseg.cli.command_parser import CommandParser
from cervseg.cli.run import run
from cervseg.metrics.table import COMPARABLE_METRICS, COMPARED_METRICS, listed


def build_parser() -> CommandParser:
    """Build the parser of cervseg_compare."""
    parser = CommandParser(
        description="Compare systems that were scored on the same images: means with intervals, Friedman's "
        "test, Wilcoxon's signed-rank test of every pair with Bonferroni's and Holm's corrections, and "
        "effect sizes.",
        example="cervseg_compare CervSpineNet=a/summary.json U-Net=b/summary.json -o out",
    )
    parser.add_argument(
        "summaries",
        nargs="+",
        metavar="NAME=SUMMARY",
        help="summary.json of cervseg or nnU-Net v2, or the folder that contains it; without NAME= the "
        "system is named after the model's folder",
    )
    add_output(parser, "folder for the tables as CSV, LaTeX, Markdown and JSON", required=False)
    parser.add_argument(
        "--metrics",
        nargs="+",
        metavar="METRIC",
        help=f"any of {listed(COMPARABLE_METRICS)} (default: {listed(COMPARED_METRICS)}, as far as all "
        "summaries have them)",
    )
    parser.add_argument("--label", help="compare only this label (default: the mean over labels)")
    return parser


def act(options: argparse.Namespace) -> int:
    """Compare and print."""
    from cervseg.pipeline.compare import compare, named_summaries
    from cervseg.tables.terminal import as_text

    tables = compare(
        named_summaries(options.summaries),
        output=options.output,
        metrics=options.metrics,
        label=options.label,
    )
    print("\n\n".join(as_text(table) for table in tables))
    if options.output is not None:
        print(f"\nwritten: {options.output}")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point."""
    return run(build_parser(), act, argv)
