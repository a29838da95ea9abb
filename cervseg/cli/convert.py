"""cervseg_convert: other people's images and masks as a dataset."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from cervseg.cli.command_parser import CommandParser
from cervseg.cli.convert_annotated import add_coco, add_csxa, add_labelme, add_stylus
from cervseg.cli.convert_options import (
    add_common,
    add_mask_labels,
    common,
    sub_command,
    value_names,
)
from cervseg.cli.run import parser, run
from cervseg.core.errors import CervsegError

__all__ = ["main", "value_names"]

_EXAMPLE = "cervseg_convert paired --images images --masks masks -d 101 --name Canines --label canine"
_MAX_LINES = 20


def build_parser() -> argparse.ArgumentParser:
    """The command's options: one sub-command a source."""
    made = parser("Turn images and masks into a dataset that can be trained on.", example=_EXAMPLE)
    sources = made.add_subparsers(dest="source", required=True, metavar="SOURCE")
    _add_paired(sources)
    add_stylus(sources)
    add_csxa(sources)
    add_labelme(sources)
    add_coco(sources)
    return made


def _add_paired(sources: argparse._SubParsersAction[CommandParser]) -> None:
    summary = "a folder of images and a folder of masks, paired by name"
    made = sub_command(
        sources,
        "paired",
        _convert_paired,
        summary=summary,
        description=f"Convert {summary}. Images: PNG, JPEG, TIFF, BMP, DICOM, NIfTI, mixed as you like. "
        "Masks: 0/1, 0/255, or several values with --labels.",
        example=f"{_EXAMPLE}\n  cervseg_convert paired --images images --masks masks -d 102 "
        "--name Teeth --labels 1=incisor 2=incisor 3=canine",
    )
    made.add_argument("--images", type=Path, required=True, metavar="DIR", help="folder of images")
    made.add_argument("--masks", type=Path, required=True, metavar="DIR", help="folder of masks")
    add_mask_labels(made, required=True)
    made.add_argument("--test-images", type=Path, metavar="DIR", help="held-out images")
    made.add_argument("--test-masks", type=Path, metavar="DIR", help="their masks")
    add_common(made)


def _convert_paired(options: argparse.Namespace) -> object:
    from cervseg.convert.paired import convert_paired

    if options.test_masks is not None and options.test_images is None:
        raise CervsegError("needs --test-images too", where="--test-masks")
    return convert_paired(
        images=options.images,
        masks=options.masks,
        labels=value_names(options.labels),
        label=options.label or "",
        test_images=options.test_images,
        test_masks=options.test_masks,
        **common(options),
    )


def act(options: argparse.Namespace) -> int:
    """Convert; exit code 1 when something was left out."""
    report = options.convert(options)
    names = ", ".join(f"{value} {name}" for name, value in report.labels.items())
    held_out = f" and {report.num_test} held out" if report.num_test else ""
    print(f"{report.num_training} images to train on{held_out} in {report.folder} (labels: {names})")
    for note in report.notes:
        print(f"note: {note}")
    shown = report.left_out if options.verbose else report.left_out[:_MAX_LINES]
    for line in shown:
        print(f"left out: {line}", file=sys.stderr)
    if len(shown) < len(report.left_out):
        print(f"... and {len(report.left_out) - len(shown)} more (--verbose)", file=sys.stderr)
    return 0 if report.is_complete else 1


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point."""
    return run(build_parser(), act, argv)
