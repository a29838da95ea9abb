"""cervseg_explain: draw what a model looks at over the image."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from cervseg.cli import arguments
from cervseg.cli.command_parser import CommandParser
from cervseg.cli.predict import add_points
from cervseg.cli.run import run
from cervseg.core.notice import NOTICE


def build_parser() -> CommandParser:
    """Define the command's options."""
    parser = CommandParser(
        description="Draw what a model looks at: attention rollout and the attention of a point for networks "
        "with SAM's encoder, Grad-CAM for all. Such maps show where a network reads, not why it is right or "
        "wrong.",
        example="cervseg_explain -i image.png -o explained -d 001 -tr CervSpineNetTrainer --point 512 430",
        notes="exit code: 0 done; 1 some images failed and are named; 2 error",
    )
    arguments.add_images(parser)
    arguments.add_output(parser, "folder for the pictures, PNG and SVG")
    parser.add_argument(
        "--what",
        nargs="+",
        choices=["rollout", "query", "gradcam"],
        help="maps to draw (default: all that the network has)",
    )
    parser.add_argument(
        "--point",
        nargs=2,
        type=float,
        metavar=("X", "Y"),
        help="draw the attention of this point, in px of the image (default: the middle structure)",
    )
    parser.add_argument("--label", metavar="NAME", help="label that Grad-CAM explains (default: the first)")
    add_points(parser)
    arguments.add_model(parser)
    arguments.add_folds(parser, text="fold to explain (default: the first trained fold)", one=True)
    arguments.add_device(parser)
    arguments.add_root(parser)
    return parser


def act(options: argparse.Namespace) -> int:
    """Explain the images; exit code 1 if an image failed."""
    from cervseg.core.errors import ImageError
    from cervseg.core.paths import Workspace

    if not options.images.exists():
        raise ImageError("no such file or folder", where=options.images)
    from cervseg.core.registry import import_file
    from cervseg.inference.find_model import find_model
    from cervseg.pipeline.explain import explain

    if options.trainer_file is not None:
        import_file(options.trainer_file)
    model = find_model(
        Workspace.find(options.root),
        model=options.model,
        dataset=options.dataset,
        trainer=options.trainer,
        variant=options.variant,
    )
    failed = explain(
        options.images,
        options.output,
        model=model,
        methods=options.what,
        point=None if options.point is None else (options.point[0], options.point[1]),
        label=options.label,
        folds=options.folds,
        device=options.device,
        points=options.points,
        prompts_from=options.prompts_from,
        log=print,
    )
    print(f"written: {options.output}. {NOTICE}")
    for _, reason in failed:
        print(f"failed: {reason}", file=sys.stderr)
    return 1 if failed else 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; ``argv`` without the program's name."""
    return run(build_parser(), act, argv)
