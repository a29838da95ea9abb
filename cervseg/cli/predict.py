"""cervseg_predict: segment a folder of images into a folder of masks."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cervseg.cli import arguments
from cervseg.cli.command_parser import CommandParser
from cervseg.cli.run import run
from cervseg.core.notice import NOTICE

if TYPE_CHECKING:  # torch is slow to import
    from cervseg.inference.stream import StreamReport

_MAX_WARNINGS = 10


def build_parser() -> CommandParser:
    """Define the command's options."""
    parser = CommandParser(
        description="Segment images. By default the model that this workspace trained last is used.",
        example="cervseg_predict -i images -o masks --overlay\n"
        "  cervseg_predict -i images -o masks -d 001 -tr CervSpineNetTrainer -f 0 1 2",
        notes="exit code: 0 done; 1 some images failed and are named; 2 error",
    )
    arguments.add_images(parser)
    arguments.add_output(parser, "folder for the masks: label values, with the images' sizes and names")
    arguments.add_continue(parser, "keep every mask that exists, whatever made it")
    arguments.add_probabilities(parser, "also write probabilities as <image>.npz")
    parser.add_argument(
        "--overlay", action="store_true", help="also draw every mask over its image, into overlays/"
    )
    parser.add_argument(
        "--levels",
        action="store_true",
        help="name the levels: values 1 to 7 for C1 to C7, 8 where the level is not known (for models "
        "trained on levels, such as the shipped one)",
    )
    parser.add_argument(
        "--tta", action="store_true", help="average five or six slightly changed views: slower, more stable"
    )
    add_points(parser)
    arguments.add_model(parser)
    arguments.add_folds(parser, text="folds to average (default: all trained folds)")
    parser.group("model").add_argument(
        "--make-default", action="store_true", help="use this model from now on where none is named"
    )
    arguments.add_device(parser)
    parser.group("computing").add_argument(
        "--precision",
        choices=("float32", "bfloat16", "float16"),
        help="default: the fastest that the device has",
    )
    arguments.add_root(parser)
    return parser


def add_points(parser: CommandParser) -> None:
    """Points for a model that segments what points mark."""
    points = parser.add_mutually_exclusive_group()
    points.add_argument(
        "--points",
        type=Path,
        metavar="FILE",
        help="for a model that segments what points mark (SAM): a point in every structure, in px of the "
        'image from its top left. JSON {"image.png": [[x, y], [x, y, label], ...]}, or CSV with the columns '
        "image, x, y and, where the model has several labels, label (its name or value)",
    )
    points.add_argument(
        "--prompts-from",
        type=Path,
        metavar="DIR",
        help="for such a model: a folder of masks, named like the images; the centroid of each connected "
        "component is a point",
    )


def act(options: argparse.Namespace) -> int:
    """Segment the images; exit code 1 if an image failed."""
    from cervseg.core.errors import ImageError
    from cervseg.core.paths import Workspace

    if not options.images.exists():
        raise ImageError("no such file or folder", where=options.images)
    from cervseg.core.registry import import_file
    from cervseg.inference.find_model import describe, find_model, remember_default
    from cervseg.pipeline.predict import predict

    if options.trainer_file is not None:
        import_file(options.trainer_file)
    workspace = Workspace.find(options.root)
    model = find_model(
        workspace,
        model=options.model,
        dataset=options.dataset,
        trainer=options.trainer,
        variant=options.variant,
    )
    print(f"model: {describe(model)}")
    report = predict(
        options.images,
        options.output,
        model=model,
        folds=options.folds,
        device=options.device,
        precision=options.precision,
        tta=options.tta,
        save_probabilities=options.save_probabilities,
        overlay=options.overlay,
        levels=options.levels,
        points=options.points,
        prompts_from=options.prompts_from,
        resume=options.resume,
        log=print,
    )
    if options.make_default:
        remember_default(workspace, model)
    print(f"{len(report.written)} mask(s) in {options.output}. {NOTICE}")
    _print_remarks(report, verbose=options.verbose)
    for _, reason in report.failed:
        print(f"failed: {reason}", file=sys.stderr)
    return 1 if report.failed else 0


def _print_remarks(report: StreamReport, *, verbose: bool) -> None:
    if report.empty:
        print(f"{len(report.empty)} of {len(report.written)} masks are empty")
    if report.unnamed:
        total = sum(number for _, number in report.unnamed)
        where = f"{total} part(s) in {len(report.unnamed)} mask(s)"
        print(f"{where} have no level; their value is one above the lowest level's: 8 after C7")
        for mask, number in report.unnamed if verbose else ():
            print(f"no level: {number} in {mask.name}")
    if report.skipped:
        print(f"{len(report.skipped)} file(s) are not images and were skipped")
        for path in report.skipped if verbose else ():
            print(f"skipped: {path}")
    if report.at_detector:
        print(
            f"warning: the spacing of {len(report.at_detector)} image(s) is at the detector: "
            "not corrected for magnification",
            file=sys.stderr,
        )
    if report.warnings:
        print(
            f"warning: {len(report.warnings)} image(s) are unlike the training images; check their masks",
            file=sys.stderr,
        )
    shown = report.warnings if verbose else report.warnings[:_MAX_WARNINGS]
    for path, text in shown:
        print(f"warning: {path}: {text}", file=sys.stderr)
    if len(shown) < len(report.warnings):
        print(f"... and {len(report.warnings) - len(shown)} more (--verbose)", file=sys.stderr)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; ``argv`` without the program's name."""
    return run(build_parser(), act, argv)
