"""cervseg_export_annotations: masks as files for annotation tools."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from cervseg.cli.arguments import add_labels, add_output, add_overwrite, add_workers, read_labels
from cervseg.cli.command_parser import CommandParser
from cervseg.cli.outcome import print_outcome
from cervseg.cli.run import run
from cervseg.core.errors import CervsegError, DatasetError
from cervseg.core.machine import num_cores


def build_parser() -> CommandParser:
    """Build the parser of cervseg_export_annotations."""
    parser = CommandParser(
        description="Write masks as polygons, to be corrected by hand in an annotation tool: LabelMe's JSON, "
        "one file per image, or one COCO file. cervseg_convert labelme and coco convert the result to a "
        "dataset.",
        example="cervseg_export_annotations -i predictions --images images -o corrections --format labelme",
        notes="exit code: 0 all masks exported; 1 some were left out and named; 2 error",
    )
    parser.add_argument("-i", "--masks", type=Path, required=True, metavar="DIR", help="folder of masks")
    parser.add_argument(
        "--images",
        type=Path,
        metavar="DIR",
        help="folder of their images (default: imagesTr beside labelsTr)",
    )
    add_output(parser, "folder for the annotations")
    parser.add_argument("--format", choices=("labelme", "coco"), default="labelme", help="default: labelme")
    add_labels(
        parser,
        "names of the values in the masks (default: those of dataset.json in or above the folder, else the "
        "values themselves)",
    )
    parser.add_argument(
        "--tolerance",
        type=float,
        default=0.5,
        metavar="PX",
        help="how far an outline may deviate from the mask; more gives fewer points (default: 0.5, with a "
        "Dice above 0.99; 0 keeps every pixel)",
    )
    parser.add_argument(
        "--copy-images", action="store_true", help="write the images beside the annotations, as 8-bit PNG"
    )
    add_overwrite(parser, "replace existing annotations")
    add_workers(parser)
    return parser


def act(options: argparse.Namespace) -> int:
    """Export; exit code 1 when a mask was left out."""
    from cervseg.dataset.description import find_labels
    from cervseg.exports.annotations import export_annotations, find_images

    if not options.tolerance >= 0:
        raise CervsegError("--tolerance must be at least 0")
    if not options.masks.is_dir():
        raise DatasetError("no such folder", where=options.masks)
    if options.output.is_dir() and any(options.output.glob("*.json")) and not options.overwrite:
        raise DatasetError(
            "existing JSON files, which may be corrected annotations",
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
    return print_outcome(report.notes, report.left_out, verbose=options.verbose)


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point."""
    return run(build_parser(), act, argv)
