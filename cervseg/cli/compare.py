"""cervseg_compare: do systems differ, tested case by case."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from cervseg.cli.run import parser, run


def build_parser() -> argparse.ArgumentParser:
    """The command's options."""
    made = parser(
        "Compare systems that were scored on the same images: means with intervals, Friedman's test, "
        "Wilcoxon's signed-rank test of every pair with Bonferroni's and Holm's corrections, effect sizes.",
        example="cervseg_compare CervSpineNet=a/summary.json U-Net=b/summary.json -o out",
    )
    made.add_argument(
        "summaries",
        nargs="+",
        metavar="NAME=SUMMARY",
        help="summary.json of ours or of nnU-Net v2, or the folder that holds it; without NAME= the model's "
        "folder gives the name",
    )
    made.add_argument("-o", "--output", type=Path, help="folder for the tables as CSV, LaTeX, Markdown, JSON")
    made.add_argument(
        "--metrics", nargs="+", metavar="NAME", help="default: the paper's that all summaries have"
    )
    made.add_argument("--label", help="compare this label alone (default: the mean over labels)")
    return made


def act(options: argparse.Namespace) -> int:
    """Compare and print."""
    from cervseg.pipeline.compare import compare, named_summaries
    from cervseg.tables.formats import as_text

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
