"""cervseg_convert: other people's films and masks as a dataset."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from cervseg.cli.run import add_root, parser, run
from cervseg.core.errors import CervsegError

_EXAMPLE = "cervseg_convert paired --images films --masks masks -d 101 --name Canines --label canine"
_MAX_LINES = 20


def build_parser() -> argparse.ArgumentParser:
    """The command's options: one sub-command a source."""
    made = parser("Turn films and masks into a dataset that can be trained on.", example=_EXAMPLE)
    sources = made.add_subparsers(dest="source", required=True, metavar="SOURCE")
    _add_paired(sources)
    return made


def _add_paired(sources: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    summary = "a folder of films and a folder of masks, paired by name"
    made = sources.add_parser(
        "paired",
        help=summary,
        description=f"Convert {summary}. Films: PNG, JPEG, TIFF, BMP, DICOM, NIfTI, mixed as you like. "
        "Masks: 0/1, 0/255, or several values with --labels.",
        epilog=f"example:\n  {_EXAMPLE}\n  cervseg_convert paired --images films --masks masks -d 102 "
        "--name Teeth --labels 1=incisor 2=incisor 3=canine\n\nResearch software, not a medical device.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    made.add_argument("--images", type=Path, required=True, metavar="DIR", help="folder of films")
    made.add_argument("--masks", type=Path, required=True, metavar="DIR", help="folder of masks")
    made.add_argument(
        "-d", "--dataset", required=True, metavar="NUMBER", help="number of the dataset, like 101"
    )
    made.add_argument("--name", required=True, help="its name: letters, digits, dot, dash and underscore")
    what = made.add_mutually_exclusive_group(required=True)
    what.add_argument("--label", metavar="NAME", help="what the masks show, if that is one thing")
    what.add_argument(
        "--labels",
        nargs="+",
        metavar="VALUE=NAME",
        help="what each value in the masks means: 1=incisor 2=canine",
    )
    made.add_argument("--test-images", type=Path, metavar="DIR", help="held-out films")
    made.add_argument("--test-masks", type=Path, metavar="DIR", help="their masks")
    made.add_argument("--workers", type=int, help="processes (default: one a core)")
    made.add_argument("--overwrite", action="store_true", help="replace a dataset of this number and name")
    made.add_argument("--verbose", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    add_root(made)


def value_names(items: Sequence[str] | None) -> dict[int, str]:
    """``["1=incisor", "2=canine"]`` as {1: "incisor", 2: "canine"}.

    Raises:
        CervsegError: an item is not NUMBER=NAME, or a number occurs twice.
    """
    found: dict[int, str] = {}
    for item in items or ():
        value, _, name = (part.strip() for part in item.partition("="))
        if not value.isdecimal() or not name:
            raise CervsegError(
                f"{item!r} is not VALUE=NAME", where="--labels", mend="Write 1=incisor 2=canine."
            )
        if int(value) in found:
            raise CervsegError(f"{value} is named twice", where="--labels")
        found[int(value)] = name
    return found


def act(options: argparse.Namespace) -> int:
    """Convert; exit code 1 when something was left out."""
    from cervseg.convert.paired import convert_paired
    from cervseg.core.paths import Workspace, dataset_folder_name

    if options.test_masks is not None and options.test_images is None:
        raise CervsegError("needs --test-images too", where="--test-masks")
    report = convert_paired(
        images=options.images,
        masks=options.masks,
        folder=Workspace.find(options.root).raw(dataset_folder_name(options.dataset, options.name)),
        labels=value_names(options.labels),
        label=options.label or "",
        test_images=options.test_images,
        test_masks=options.test_masks,
        workers=options.workers if options.workers is not None else (os.cpu_count() or 1),
        overwrite=options.overwrite,
    )
    names = ", ".join(f"{value} {name}" for name, value in report.labels.items())
    held_out = f" and {report.num_test} held out" if report.num_test else ""
    print(f"{report.num_training} films to train on{held_out} in {report.folder} (labels: {names})")
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
