"""cervseg_export_annotations: masks as files for annotation tools."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from cervseg.cli.arguments import read_labels
from cervseg.cli.run import parser, run
from cervseg.core.errors import CervsegError, DatasetError
from cervseg.core.machine import num_cores

_MAX_LINES = 20


def build_parser() -> argparse.ArgumentParser:
    """Build the command's parser."""
    made = parser(
        "Write masks as polygons, to be corrected by hand in an annotation tool: LabelMe's JSON, one file "
        "per image, or one COCO file. cervseg_convert labelme and coco convert the result to a dataset.",
        example="cervseg_export_annotations -i predictions --images images -o corrections --format labelme",
    )
    made.add_argument("-i", "--masks", type=Path, required=True, metavar="DIR", help="folder of masks")
    made.add_argument(
        "--images",
        type=Path,
        metavar="DIR",
        help="folder of their images (default: imagesTr beside labelsTr)",
    )
    made.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="folder to write")
    made.add_argument("--format", choices=("labelme", "coco"), default="labelme", help="default: labelme")
    made.add_argument(
        "--labels",
        nargs="+",
        metavar="NAME=VALUE",
        help="names of the values in the masks (default: those of dataset.json in or above the folder, "
        "else the values themselves)",
    )
    made.add_argument(
        "--tolerance",
        type=float,
        default=0.5,
        metavar="PX",
        help="how far an outline may deviate from the mask; more gives fewer points (default: 0.5, with a "
        "Dice above 0.99; 0 keeps every pixel)",
    )
    made.add_argument(
        "--copy-images", action="store_true", help="write the images beside the annotations, as 8-bit PNG"
    )
    made.add_argument("--overwrite", action="store_true", help="replace annotations that are there")
    made.add_argument("--workers", type=int, help="processes (default: one a core)")
    return made


def act(options: argparse.Namespace) -> int:
    """Export; exit code 1 when a mask was left out."""
    from cervseg.dataset.description import find_labels
    from cervseg.exports.annotations import export_annotations, find_images

    if not options.tolerance >= 0:
        raise CervsegError("must be at least 0", where="--tolerance")
    if not options.masks.is_dir():
        raise DatasetError("no such folder", where=options.masks)
    if options.output.is_dir() and any(options.output.glob("*.json")) and not options.overwrite:
        raise DatasetError(
            "has JSON files already, which may be corrected annotations",
            where=options.output,
            hint="Choose another folder, or replace them with --overwrite",
        )
    report = export_annotations(
        options.masks,
        options.output,
        file_format=options.format,
        labels=read_labels(options.labels) if options.labels else find_labels(options.masks),
        images=options.images or find_images(options.masks),
        tolerance_px=options.tolerance,
        copy_images=options.copy_images,
        workers=options.workers if options.workers is not None else num_cores(),
    )
    where = options.output if len(report.files) > 1 else report.files[0]
    print(f"{report.num_areas} area(s) on {report.num_images} image(s) written to {where}")
    for note in report.notes:
        print(f"note: {note}")
    shown = report.left_out if options.verbose else report.left_out[:_MAX_LINES]
    for line in shown:
        print(f"left out: {line}", file=sys.stderr)
    if len(shown) < len(report.left_out):
        print(f"... and {len(report.left_out) - len(shown)} more (--verbose lists all)", file=sys.stderr)
    return 1 if report.left_out else 0


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point."""
    return run(build_parser(), act, argv)
