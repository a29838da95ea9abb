"""cervseg_explain: what a model looked at, drawn over the image."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from cervseg.cli.run import add_root, parser, run


def build_parser() -> argparse.ArgumentParser:
    """The command's options."""
    made = parser(
        "Draw what a model looked at: attention rollout and the attention of a point for networks with SAM's "
        "encoder, Grad-CAM for all. Such maps show where a network reads, not why it is right or wrong.",
        example="cervseg_explain -i image.png -o explained -d 001 -tr CervSpineNetTrainer --point 512 430",
    )
    made.add_argument("-i", "--images", type=Path, required=True, help="an image or a folder of images")
    made.add_argument("-o", "--output", type=Path, required=True, help="folder for the pictures, PNG and SVG")
    made.add_argument("-m", "--model", type=Path, help="model folder (default: the one trained last)")
    made.add_argument("-d", "--dataset", help="take the model of this dataset")
    made.add_argument("-tr", "--trainer", help="and of this trainer")
    made.add_argument("--variant", default="original", help="and of this variant (default: original)")
    made.add_argument("-f", "--folds", nargs=1, metavar="FOLD", help="explain this fold (default: the first)")
    made.add_argument(
        "--what", nargs="+", choices=["rollout", "query", "gradcam"], help="default: all that the network has"
    )
    made.add_argument(
        "--point",
        nargs=2,
        type=float,
        metavar=("X", "Y"),
        help="whose attention to draw, in px of the image (default: the middle structure)",
    )
    made.add_argument("--label", help="what Grad-CAM explains (default: the first label)")
    made.add_argument("--points", type=Path, metavar="FILE", help="as in cervseg_predict, for SAM")
    made.add_argument("--prompts-from", type=Path, metavar="FOLDER", help="as in cervseg_predict, for SAM")
    made.add_argument("--device", help="cpu, cuda, cuda:1, mps (default: the best there is)")
    add_root(made)
    return made


def act(options: argparse.Namespace) -> int:
    """Explain; exit code 1 when an image failed."""
    from cervseg.core.errors import ImageError
    from cervseg.core.paths import Workspace

    if not options.images.exists():
        raise ImageError("no such file or folder", where=options.images)
    from cervseg.inference.find_model import find_model
    from cervseg.pipeline.explain import explain

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
    print(f"written: {options.output}. Research software, not a medical device.")
    for _, reason in failed:
        print(f"failed: {reason}", file=sys.stderr)
    return 1 if failed else 0


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point."""
    return run(build_parser(), act, argv)
