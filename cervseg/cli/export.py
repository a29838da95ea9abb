"""cervseg_export: write a trained model as ONNX, or as a small folder for sharing."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from cervseg.cli import arguments
from cervseg.cli.command_parser import CommandParser
from cervseg.cli.run import run


def build_parser() -> CommandParser:
    """Define the command's options."""
    parser = CommandParser(
        description="Write a model as ONNX (its folds averaged in one file, checked against the network), or "
        "as a folder for sharing: float16 weights without the state of the training.",
        example="cervseg_export -d 001 -tr CervSpineNetTrainer -o cervspinenet.onnx\n"
        "  cervseg_export -d 001 -tr CervSpineNetTrainer -o my_model",
        notes="exit code: 0 done; 2 error",
    )
    arguments.add_output(parser, "model.onnx for ONNX; another name for a folder", metavar="NAME")
    arguments.add_model(parser)
    arguments.add_folds(parser, text="folds to average (default: all trained folds)")
    arguments.add_root(parser)
    return parser


def act(options: argparse.Namespace) -> int:
    """Export the model."""
    from cervseg.core.errors import CervsegError
    from cervseg.core.paths import Workspace
    from cervseg.core.registry import import_file

    suffix = options.output.suffix.lower()
    if suffix[1:].isalpha() and suffix != ".onnx":
        raise CervsegError(
            "neither an ONNX file name nor a folder",
            where=options.output,
            hint="End the name in .onnx, or leave out the suffix for a folder.",
        )
    if not options.output.absolute().parent.is_dir():
        raise CervsegError("no such folder", where=options.output.parent, hint="Create it first.")
    if options.trainer_file is not None:
        import_file(options.trainer_file)
    from cervseg.inference.find_model import describe, find_model
    from cervseg.pipeline.export import export, share

    model = find_model(
        Workspace.find(options.root),
        model=options.model,
        dataset=options.dataset,
        trainer=options.trainer,
        variant=options.variant,
    )
    print(f"model: {describe(model)}")
    write = export if suffix == ".onnx" else share
    write(options.output, model=model, folds=options.folds, log=print)
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; ``argv`` without the program's name."""
    return run(build_parser(), act, argv)
