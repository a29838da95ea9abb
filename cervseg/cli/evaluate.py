"""cervseg_evaluate: masks against references."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from cervseg.cli.run import parser, run
from cervseg.core.errors import DatasetError


def build_parser() -> argparse.ArgumentParser:
    """The options of cervseg_evaluate."""
    made = parser(
        "Score a folder of masks against a folder of reference masks of the same names: Dice, IoU, volume\n"
        "similarity, SSIM and HD95 (pooled as in the paper, and MONAI's) for every case and label.",
        example=(
            "cervseg_evaluate -p predictions -r raw_data/Dataset001_Neck/labelsTs -o summary.json\n\n"
            "exit code: 0 all scored; 1 a reference has no prediction or a case could not be read; 2 error"
        ),
    )
    made.add_argument("-p", "--predictions", type=Path, required=True, help="folder of predicted masks")
    made.add_argument("-r", "--references", type=Path, required=True, help="folder of reference masks")
    made.add_argument("-o", "--output", type=Path, required=True, help="summary.json to write")
    made.add_argument(
        "--labels",
        nargs="+",
        metavar="NAME=VALUE",
        help="labels to score (default: those of the dataset.json in or above the references, "
        "else the values found in the masks)",
    )
    made.add_argument("--workers", type=int, help="processes (default: one a core)")
    return made


def read_labels(texts: Sequence[str]) -> dict[str, int]:
    """``["canine=1"]`` as ``{"canine": 1}``.

    Raises:
        DatasetError: not NAME=VALUE, a value that is no whole number from 1 to 65535, or one given twice.
    """
    labels: dict[str, int] = {}
    for text in texts:
        name, _, value = text.rpartition("=")
        if not name or not value.isdecimal() or not 1 <= int(value) <= 65535:
            raise DatasetError(
                f"{text!r} is no label", where="--labels", hint="Write NAME=VALUE, as canine=1."
            )
        if name in labels or int(value) in labels.values():
            raise DatasetError(f"{text!r} names a label or value twice", where="--labels")
        labels[name] = int(value)
    return labels


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point."""
    return run(build_parser(), _evaluate, argv)


def _evaluate(options: argparse.Namespace) -> int:
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
