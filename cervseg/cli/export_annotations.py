"""cervseg_export_annotations: masks as files that annotation tools open."""

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
    """The command's options."""
    made = parser(
        "Write masks as polygons for an annotation tool, to be corrected there by hand: LabelMe's JSON, one\n"
        "file an image, or one COCO file. cervseg_convert labelme or coco makes a dataset of them again.",
        example="cervseg_export_annotations -i predictions --images images -o corrections --format labelme\n"
        "    --labels spinous_process=1",
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
        help="what the masks' values mean (default: as the dataset.json in or above the folder says)",
    )
    made.add_argument(
        "--tolerance",
        type=float,
        default=0.5,
        metavar="PX",
        help="how far an outline may stray from the mask: more gives fewer points (default: 0.5, which keeps "
        "a Dice above 0.99; 0 keeps every pixel)",
    )
    made.add_argument(
        "--copy-images", action="store_true", help="put the images beside the annotations, as 8-bit PNG"
    )
    made.add_argument("--overwrite", action="store_true", help="replace annotations that are there")
    made.add_argument("--workers", type=int, help="processes (default: one a core)")
    return made


def act(options: argparse.Namespace) -> int:
    """Export; exit code 1 when a mask was left out."""
    from cervseg.exports.annotations import export_annotations, find_images

    if not options.tolerance >= 0:
        raise CervsegError("must be 0 or more", where="--tolerance")
    if not options.masks.is_dir():
        raise DatasetError("no such folder", where=options.masks)
    if options.output.is_dir() and any(options.output.glob("*.json")) and not options.overwrite:
        # They may hold somebody's corrections.
        raise DatasetError(
            "holds JSON files already",
            where=options.output,
            hint="Choose another folder, or say --overwrite.",
        )
    report = export_annotations(
        options.masks,
        options.output,
        file_format=options.format,
        labels=read_labels(options.labels) if options.labels else _labels_of(options.masks),
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
        print(f"... and {len(report.left_out) - len(shown)} more (--verbose)", file=sys.stderr)
    return 1 if report.left_out else 0


def _labels_of(masks: Path) -> dict[str, int]:
    from cervseg.dataset.description import read_description

    for folder in (masks, masks.resolve().parent):
        if (folder / "dataset.json").is_file():
            return read_description(folder).foreground
    raise DatasetError(
        "has no dataset.json in it or above it, so its labels have no names",
        where=masks,
        hint="Say --labels NAME=VALUE, as --labels spinous_process=1.",
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point."""
    return run(build_parser(), act, argv)
