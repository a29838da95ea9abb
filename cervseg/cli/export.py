"""cervseg_export: a trained model as one file that needs no cervseg."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from cervseg.cli.run import add_root, parser, run


def build_parser() -> argparse.ArgumentParser:
    """The command's options."""
    made = parser(
        "Write a model as ONNX: its folds averaged in one file, checked against the network.",
        example="cervseg_export -d 001 -tr CervSpineNetTrainer -o cervspinenet.onnx",
    )
    made.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="model.onnx")
    made.add_argument("-m", "--model", type=Path, help="model folder (default: the last one trained)")
    made.add_argument("-d", "--dataset", help="with -tr: the model of this dataset")
    made.add_argument("-tr", "--trainer", help="the model of this trainer")
    made.add_argument(
        "-f", "--folds", nargs="+", metavar="FOLD", help="folds to average (default: all that are trained)"
    )
    made.add_argument(
        "--variant", default="original", help="the variant it was trained on (default: original)"
    )
    made.add_argument(
        "--trainer-file",
        type=Path,
        metavar="FILE",
        help="the Python file that the model's network is from, if it was trained with one",
    )
    add_root(made)
    return made


def act(options: argparse.Namespace) -> int:
    """Run the pipeline."""
    from cervseg.core.errors import CervsegError
    from cervseg.core.paths import Workspace
    from cervseg.core.registry import import_file

    if options.output.suffix.lower() != ".onnx":
        raise CervsegError("is no name for an ONNX file", where=options.output, hint="End it in .onnx.")
    if not options.output.absolute().parent.is_dir():
        raise CervsegError("no such folder", where=options.output.parent, hint="Make it first.")
    if options.trainer_file is not None:
        import_file(options.trainer_file)
    from cervseg.inference.find_model import find_model
    from cervseg.pipeline.export import export

    model = find_model(
        Workspace.find(options.root),
        model=options.model,
        dataset=options.dataset,
        trainer=options.trainer,
        variant=options.variant,
    )
    print(f"model: {model.parent.name}/{model.name}")
    export(options.output, model=model, folds=options.folds, log=print)
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point."""
    return run(build_parser(), act, argv)
