"""cervseg_phantom: synthetic lateral images with exact masks, as a dataset."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence

from cervseg.cli.run import add_root, parser, run
from cervseg.core.machine import num_cores


def build_parser() -> argparse.ArgumentParser:
    """The command's options."""
    made = parser(
        "Make a dataset of synthetic lateral cervical radiographs with exact masks (phantoms).",
        example="cervseg_phantom -d 001 -n 60 --seed 0",
    )
    made.add_argument(
        "-d", "--dataset", required=True, metavar="NUMBER", help="number of the dataset, like 001"
    )
    made.add_argument("--name", default="Phantom", help="its name (default: Phantom)")
    made.add_argument("-n", "--num", type=int, default=60, help="images to train on (default: 60)")
    made.add_argument(
        "--num-test", type=int, default=0, help="held-out images in imagesTs and labelsTs (default: 0)"
    )
    made.add_argument("--seed", type=int, default=0, help="the same seed gives the same images (default: 0)")
    made.add_argument(
        "--long-side", type=int, metavar="PX", help="long side of every image (default: varied, 480 to 2500)"
    )
    made.add_argument("--workers", type=int, help="processes (default: one a core)")
    made.add_argument("--overwrite", action="store_true", help="replace a dataset of this number and name")
    add_root(made)
    return made


def act(options: argparse.Namespace) -> int:
    """Draw the phantoms."""
    from cervseg.core.errors import DatasetError
    from cervseg.core.paths import Workspace, dataset_folder_name
    from cervseg.phantom.dataset import write_phantom_dataset

    if options.num < 1 or options.num_test < 0:
        raise DatasetError("there must be at least one image", where="-n")
    workspace = Workspace.find(options.root)
    folder = workspace.raw(dataset_folder_name(options.dataset, options.name))
    if folder.exists():
        if not options.overwrite:
            raise DatasetError(
                "exists already", where=folder, hint="Choose another number, or say --overwrite."
            )
        shutil.rmtree(folder)
    workers = options.workers if options.workers is not None else num_cores()
    write_phantom_dataset(
        folder=folder,
        name=folder.name,
        num_train=options.num,
        num_test=options.num_test,
        seed=options.seed,
        workers=workers,
        long_side_px=options.long_side,
    )
    print(f"{options.num} phantoms to train on and {options.num_test} held out in {folder}")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point."""
    return run(build_parser(), act, argv)
