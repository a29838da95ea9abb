"""cervseg_report: one self-contained page about a model, a fold, a study or a folder of masks."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from cervseg.cli.arguments import add_images, add_output
from cervseg.cli.command_parser import CommandParser
from cervseg.cli.run import run


def build_parser() -> CommandParser:
    """Build the command's parser."""
    parser = CommandParser(
        description="Write report.html: scores, every case, images, training curves, dataset, plan with "
        "reasons, and a draft of the CLAIM 2024 checklist. One file that opens from disk and loads nothing.",
        example="cervseg_report results/Dataset001_Neck/CervSpineNetTrainer__plans__original/fold_0",
    )
    parser.add_argument(
        "folder", type=Path, help="a model, one of its folds, a study, or a folder of predicted masks"
    )
    add_images(parser, required=False, text="folder of the images of predicted masks, for pictures")
    add_output(parser, "file to write (default: report.html in the folder)", metavar="FILE", required=False)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    return run(build_parser(), _report, argv)


def _report(options: argparse.Namespace) -> int:
    from cervseg.report.write import write_report

    print(f"written: {write_report(options.folder, output=options.output, images=options.images)}")
    return 0
