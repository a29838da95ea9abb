"""cervseg_predict: a folder of images in, a folder of masks out."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cervseg.cli.run import add_root, parser, run

if TYPE_CHECKING:  # torch is slow to import
    from cervseg.inference.stream import StreamReport

_MAX_WARNINGS = 10


def build_parser() -> argparse.ArgumentParser:
    """The command's options."""
    made = parser(
        "Segment images. Without further words it takes the model that this workspace trained last.",
        example="cervseg_predict -i imgs -o masks --overlay",
    )
    made.add_argument("-i", "--images", type=Path, required=True, help="a folder of images, or one image")
    made.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        help="folder for the masks (label values, images' size and names)",
    )
    made.add_argument("-m", "--model", type=Path, help="model folder (default: the last one trained)")
    made.add_argument("-d", "--dataset", help="with -tr: the model of this dataset")
    made.add_argument("-tr", "--trainer", help="the model of this trainer")
    made.add_argument(
        "--trainer-file",
        type=Path,
        metavar="FILE",
        help="the Python file that the model's network is from, if it was trained with one",
    )
    made.add_argument(
        "-f", "--folds", nargs="+", metavar="FOLD", help="folds to average (default: all that are trained)"
    )
    made.add_argument(
        "--variant", default="original", help="the variant it was trained on (default: original)"
    )
    made.add_argument("--device", help="cpu, cuda, cuda:1, mps (default: the best there is)")
    made.add_argument(
        "--precision", choices=("float32", "bfloat16", "float16"), help="default: the fastest the device has"
    )
    made.add_argument(
        "--save-probabilities", action="store_true", help="also write <image>.npz with the probabilities"
    )
    made.add_argument(
        "--overlay", action="store_true", help="also draw every mask over its image, into overlays/"
    )
    made.add_argument(
        "--tta", action="store_true", help="average five or six slightly changed views: slower, steadier"
    )
    points = made.add_mutually_exclusive_group()
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
        metavar="FOLDER",
        help="for such a model: a folder of masks with the names of the images; the centroid of each "
        "connected component is a point",
    )
    made.add_argument(
        "--continue",
        dest="resume",
        action="store_true",
        help="keep every mask that is there, whoever made it",
    )
    made.add_argument(
        "--make-default", action="store_true", help="from now on take this model where none is named"
    )
    add_root(made)
    return made


def act(options: argparse.Namespace) -> int:
    """Run the pipeline; exit code 1 when an image failed."""
    from cervseg.core.errors import ImageError
    from cervseg.core.paths import Workspace

    if not options.images.exists():
        raise ImageError("no such file or folder", where=options.images)
    from cervseg.core.registry import import_file
    from cervseg.inference.find_model import find_model, remember_default
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
    print(f"model: {model.parent.name}/{model.name}")
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
        points=options.points,
        prompts_from=options.prompts_from,
        resume=options.resume,
        log=print,
    )
    if options.make_default:
        remember_default(workspace, model)
    print(f"{len(report.written)} mask(s) in {options.output}. Research software, not a medical device.")
    _print_remarks(report, verbose=options.verbose)
    for _, reason in report.failed:
        print(f"failed: {reason}", file=sys.stderr)
    return 1 if report.failed else 0


def _print_remarks(report: StreamReport, *, verbose: bool) -> None:
    if report.empty:
        print(f"{len(report.empty)} of {len(report.written)} masks are empty")
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
    """Entry point."""
    return run(build_parser(), act, argv)
