"""cervseg_train: train, validate and summarize the folds of one trainer."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from cervseg.cli.arguments import (
    add_continue,
    add_dataset,
    add_device,
    add_folds,
    add_max_time,
    add_root,
    add_settings,
    add_trainer,
    add_trainer_file,
    add_variant,
    read_settings,
)
from cervseg.cli.command_parser import CommandParser
from cervseg.cli.run import run
from cervseg.core.errors import CervsegError

NNUNET_CONFIGURATIONS = ("2d", "3d_fullres", "3d_lowres", "3d_cascade_fullres")


def build_parser() -> CommandParser:
    """Define the command's options."""
    parser = CommandParser(
        description="Train a trainer on a dataset and validate each fold. "
        "Finished folds are skipped, unfinished folds are resumed.",
        example="cervseg_train 001 CervSpineNetTrainer -f 0 --max-time 20m",
    )
    add_dataset(parser)
    add_trainer(parser)
    parser.add_argument("more", nargs="*", help=argparse.SUPPRESS)  # nnU-Net's fold; see _check_order
    add_folds(parser, text='fold numbers, or "all" for one network on every case (default: every fold)')
    add_continue(parser, "train finished folds further, with more time or --set epochs=...")
    parser.add_argument("--restart", action="store_true", help="discard checkpoints and retrain")
    parser.add_argument(
        "--val", action="store_true", help="only validate: predict and score the validation images again"
    )
    add_variant(parser)
    add_trainer_file(parser)
    add_max_time(
        parser, "time limit for this call, validation included, shared by its folds: 90s, 20m or 1.5h"
    )
    _add_weights(parser)
    add_settings(parser)
    add_device(parser)
    add_root(parser)
    return parser


def _add_weights(parser: CommandParser) -> None:
    group = parser.group("training")
    group.add_argument(
        "--weights",
        type=Path,
        metavar="FILE",
        help="initial weights: SAM's checkpoint or one of ours",
    )
    group.add_argument(
        "--from-scratch",
        action="store_true",
        help="start from random weights, even where pretrained ones are available",
    )
    group.add_argument(
        "--teacher",
        type=Path,
        metavar="DIR",
        help="model folder to distill from; --set distill_weight=0.5 weights it against the masks",
    )


def act(options: argparse.Namespace) -> int:
    """Run the pipeline."""
    from cervseg.core.paths import Workspace

    _check_order(options)
    _check_options(options)
    trainer = _trainer(options)
    from cervseg.pipeline.train import train, validate

    workspace, settings = Workspace.find(options.root), read_settings(options.set)
    if options.val:
        model = validate(
            options.dataset,
            trainer,
            workspace=workspace,
            folds=options.folds,
            variant=options.variant,
            settings=settings,
            device=options.device,
            log=print,
        )
    else:
        model = train(
            options.dataset,
            trainer,
            workspace=workspace,
            folds=options.folds,
            variant=options.variant,
            settings=settings,
            max_time_s=options.max_time,
            device=options.device,
            weights=options.weights,
            from_scratch=options.from_scratch,
            teacher=options.teacher,
            resume=options.resume,
            restart=options.restart,
            log=print,
        )
    print(f"model: {model.path}")
    return 0


def _check_order(options: argparse.Namespace) -> None:
    """Refuse nnU-Net's order, ``DATASET CONFIGURATION FOLD``, and say how it is written here."""
    if options.trainer in NNUNET_CONFIGURATIONS or (options.trainer and options.more):
        is_configuration = options.trainer in NNUNET_CONFIGURATIONS
        trainer = "CervSpineNetTrainer" if is_configuration else options.trainer
        folds = " ".join(options.more or options.folds or ["0"])
        what = (
            f"{options.trainer!r} is an nnU-Net configuration" if is_configuration else "too many arguments"
        )
        raise CervsegError(
            what,
            where=" ".join([options.dataset, options.trainer, *options.more]),
            hint=f"Name a trainer, the fold with -f: cervseg_train {options.dataset} {trainer} -f {folds}",
        )


def _check_options(options: argparse.Namespace) -> None:
    """Refuse files that do not exist, and options that exclude each other."""
    if options.weights is not None and not options.weights.is_file():
        raise CervsegError(
            "file not found", where=options.weights, hint="cervseg_download_weights fetches SAM's"
        )
    if options.teacher is not None and not options.teacher.is_dir():
        raise CervsegError("no such model folder", where=options.teacher, hint="Train the teacher first")
    chosen = {
        "--val": options.val,
        "--restart": options.restart,
        "-c": options.resume,
        "--weights": options.weights is not None,
        "--from-scratch": options.from_scratch,
    }
    for one, other in (
        ("--weights", "--from-scratch"),
        ("--restart", "-c"),
        ("--val", "--restart"),
        ("--val", "-c"),
    ):
        if chosen[one] and chosen[other]:
            raise CervsegError(f"{one} and {other} exclude each other", hint="Leave one of them out")


def _trainer(options: argparse.Namespace) -> str:
    """Return the name of the trainer, once it is registered."""
    if options.trainer_file is not None:
        from cervseg.trainers.trainer_file import register_trainer_file

        return register_trainer_file(options.trainer_file, name=options.trainer)
    from cervseg.core.registry import TRAINERS, find

    if options.trainer is None:
        raise CervsegError("no trainer given", hint="cervseg_trainers lists them; or give a --trainer-file")
    return find(TRAINERS, options.trainer).name


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; ``argv`` without the program's name."""
    return run(build_parser(), act, argv)
