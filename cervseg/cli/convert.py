"""cervseg_convert: other people's images and masks as a dataset."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cervseg.cli.command_parser import CommandParser
from cervseg.cli.convert_annotated import add_coco, add_csxa, add_labelme, add_stylus
from cervseg.cli.convert_options import (
    SubCommands,
    add_common,
    add_mask_labels,
    labelling,
    sub_command,
    target,
)
from cervseg.cli.outcome import print_outcome
from cervseg.cli.run import run
from cervseg.core.errors import CervsegError
from cervseg.core.machine import num_cores

if TYPE_CHECKING:
    from cervseg.convert.source import Source

_EXAMPLE = "cervseg_convert paired --images images --masks masks -d 101 --name Canines --label canine"


def build_parser() -> CommandParser:
    """Build the command's parser, with one sub-command per source."""
    parser = CommandParser(
        description="Convert images and masks to a dataset for training.",
        example=_EXAMPLE,
        notes="exit code: 0 all files converted; 1 some were left out and named; 2 error",
    )
    commands = parser.add_subparsers(dest="source", required=True, metavar="SOURCE")
    _add_paired(commands)
    add_stylus(commands)
    add_csxa(commands)
    add_labelme(commands)
    add_coco(commands)
    return parser


def _add_paired(commands: SubCommands[CommandParser]) -> None:
    summary = "a folder of images and a folder of masks, paired by name"
    made = sub_command(
        commands,
        "paired",
        _paired_folders,
        summary=summary,
        description=f"Convert {summary}. Images and masks may be PNG, JPEG, TIFF, BMP, DICOM and NIfTI, also "
        "mixed. Masks have the values 0/1 or 0/255, or several values with --labels.",
        example=f"{_EXAMPLE}\n  cervseg_convert paired --images images --masks masks -d 102 "
        "--name Teeth --labels incisor=1 incisor=2 canine=3 --auxiliary incisor",
    )
    made.add_argument("--images", type=Path, required=True, metavar="DIR", help="folder of images")
    made.add_argument("--masks", type=Path, required=True, metavar="DIR", help="folder of masks")
    add_mask_labels(made, required=True)
    made.add_argument("--test-images", type=Path, metavar="DIR", help="folder of test images")
    made.add_argument(
        "--test-masks", type=Path, metavar="DIR", help="folder of their masks, if they have any"
    )
    add_common(made)


def _paired_folders(options: argparse.Namespace) -> Source[Any]:
    from cervseg.convert.paired import PairedFolders

    if options.test_masks is not None and options.test_images is None:
        raise CervsegError("--test-masks needs --test-images")
    return PairedFolders(
        images=options.images,
        masks=options.masks,
        labelling=labelling(options),
        test_images=options.test_images,
        test_masks=options.test_masks,
    )


def act(options: argparse.Namespace) -> int:
    """Convert; exit code 1 when something was left out."""
    from cervseg.convert.conversion import convert

    workers = options.workers if options.workers is not None else num_cores()
    report = convert(options.make_source(options), target(options), workers=workers)
    follow_up: Callable[..., None] | None = getattr(options, "follow_up", None)
    if follow_up is not None:
        follow_up(options, report)
    names = ", ".join(f"{name}={value}" for name, value in report.labels.items())
    print(f"{report.num_training} training and {report.num_test} test images written to {report.folder}")
    hidden = ", ".join(name for name in report.labels if name in report.auxiliary)
    auxiliary = f" (auxiliary: {hidden})" if hidden else ""
    print(f"labels: {names}{auxiliary}")
    return print_outcome(report.notes, report.left_out, verbose=options.verbose)


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point."""
    return run(build_parser(), act, argv)
