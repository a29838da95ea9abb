"""cervseg_report: one self-contained page about a model, a fold, a study or a prediction run."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from cervseg.cli.run import parser, run


def build_parser() -> argparse.ArgumentParser:
    """The command's options."""
    made = parser(
        "Write report.html: dataset, plan with reasons, curves, scores, images, case by case, and a draft of "
        "the CLAIM 2024 checklist. One file, opens from disk, fetches nothing.",
        example="cervseg_report results/Dataset001_Neck/CervSpineNetTrainer__plans__original/fold_0",
    )
    made.add_argument(
        "folder", type=Path, help="a model, one of its folds, a study, or a folder of predicted masks"
    )
    made.add_argument("-o", "--output", type=Path, help="file to write (default: report.html in the folder)")
    made.add_argument("-i", "--images", type=Path, help="the images of a folder of masks, for pictures")
    return made


def act(options: argparse.Namespace) -> int:
    """Write the page."""
    from cervseg.report.write import write_report

    print(f"written: {write_report(options.folder, output=options.output, images=options.images)}")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point."""
    return run(build_parser(), act, argv)
