"""cervseg_evaluate: score masks against reference masks."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from cervseg.cli.arguments import add_labels, add_output, add_workers, read_labels
from cervseg.cli.command_parser import CommandParser
from cervseg.cli.run import run
from cervseg.metrics.table import SHOWN_METRICS, listed


def build_parser() -> CommandParser:
    """Build the parser of cervseg_evaluate."""
    parser = CommandParser(
        description="Score a folder of masks against a folder of reference masks of the same names: "
        f"{listed(SHOWN_METRICS)}, per case and label. summary.json defines the metrics.",
        example="cervseg_evaluate -p predictions -r raw_data/Dataset001_Neck/labelsTs -o summary.json",
        notes="exit code: 0 all scored; 1 a reference has no prediction or a case could not be read; 2 error",
    )
    parser.add_argument(
        "-p", "--predictions", type=Path, required=True, metavar="DIR", help="folder of predicted masks"
    )
    parser.add_argument(
        "-r", "--references", type=Path, required=True, metavar="DIR", help="folder of reference masks"
    )
    add_output(parser, "summary.json to write", metavar="FILE")
    add_labels(
        parser,
        "labels to score (default: those of the dataset.json in or above the references, or in the "
        "predictions; else the values found in the masks)",
    )
    add_workers(parser)
    return parser


def act(options: argparse.Namespace) -> int:
    """Score and print; exit code 1 where something was not scored."""
    labels = read_labels(options.labels) if options.labels else None

    from cervseg.pipeline.evaluate import evaluate
    from cervseg.tables.scores import score_table

    evaluation = evaluate(
        options.predictions,
        options.references,
        output=options.output,
        labels=labels,
        workers=options.workers,
    )
    print(score_table(evaluation.summary))
    print(f"\nwritten: {options.output}")
    return 0 if evaluation.is_complete else 1


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point."""
    return run(build_parser(), act, argv)
