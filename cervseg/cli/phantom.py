"""cervseg_phantom: make a dataset of synthetic lateral radiographs with exact masks."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

from cervseg.cli import arguments
from cervseg.cli.command_parser import CommandParser
from cervseg.cli.run import run
from cervseg.core.machine import num_cores


def build_parser() -> CommandParser:
    """Define the command's options."""
    parser = CommandParser(
        description="Make a dataset of synthetic lateral cervical radiographs with exact masks (phantoms).",
        example="cervseg_phantom 001 -n 60 --num-test 10",
        notes="exit code: 0 done; 2 error",
    )
    arguments.add_new_dataset(parser, name="Phantom")
    parser.add_argument(
        "-n", "--num", type=int, default=60, metavar="NUMBER", help="training images (default: 60)"
    )
    parser.add_argument(
        "--num-test",
        type=int,
        default=0,
        metavar="NUMBER",
        help="test images, in imagesTs and labelsTs (default: 0)",
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="the same seed gives the same images (default: 0)"
    )
    parser.add_argument(
        "--long-side", type=int, metavar="PX", help="long side of every image (default: varied, 480 to 2500)"
    )
    parser.add_argument(
        "--labels",
        choices=("process", "levels", "anatomy"),
        default="process",
        help="labels of the masks: process (one label for C1 to C7), levels (C1 to C7), or anatomy (levels, "
        "thoracic processes, bodies, arches, skull, jaw) (default: process)",
    )
    parser.add_argument(
        "--domain",
        choices=("standard", "wide"),
        default="standard",
        help="standard: adults on one kind of detector; wide: sizes, shapes, exposures, objects and formats "
        "of any source, to train networks for radiographs (default: standard)",
    )
    parser.add_argument(
        "--meshes",
        type=Path,
        metavar="FOLDER",
        help="bones as closed surfaces (C1.stl ... or files of BodyParts3D) for every second image",
    )
    arguments.add_overwrite(parser, "replace a dataset of this number and name")
    arguments.add_workers(parser)
    arguments.add_root(parser)
    return parser


def act(options: argparse.Namespace) -> int:
    """Draw the phantoms."""
    from cervseg.core.errors import DatasetError
    from cervseg.core.paths import Workspace
    from cervseg.phantom.dataset import write_phantom_dataset

    if options.num < 1 or options.num_test < 0:
        raise DatasetError("at least one training image is needed", where="-n")
    workspace = Workspace.find(options.root)
    folder = workspace.raw(workspace.new_dataset_name(options.dataset, options.name))
    if folder.exists():
        if not options.overwrite:
            raise DatasetError(
                "dataset exists", where=folder, hint="Choose another number, or add --overwrite."
            )
        shutil.rmtree(folder)
    workers = options.workers if options.workers is not None else num_cores()
    try:
        write_phantom_dataset(
            folder=folder,
            name=folder.name,
            num_train=options.num,
            num_test=options.num_test,
            seed=options.seed,
            workers=workers,
            long_side_px=options.long_side,
            labels=options.labels,
            domain=options.domain,
            meshes=options.meshes,
        )
    except BaseException:  # Ctrl-C too: half a dataset would be in the way of the next run
        shutil.rmtree(folder, ignore_errors=True)
        raise
    print(f"{options.num} training and {options.num_test} test image(s) in {folder}")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; ``argv`` without the program's name."""
    return run(build_parser(), act, argv)
