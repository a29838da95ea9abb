"""cervseg_train: train, validate and summarize the folds of one trainer."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

from cervseg.cli.run import add_root, add_settings, parser, run, settings
from cervseg.core.errors import CervsegError

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def build_parser() -> argparse.ArgumentParser:
    """The command's options."""
    made = parser(
        "Train a trainer on a dataset: all folds, finished ones skipped, unfinished ones gone on with.",
        example="cervseg_train 001 CervSpineNetTrainer -f 0 --max-time 20m",
    )
    made.add_argument("dataset", help="1, 001 or Dataset001_Name")
    made.add_argument(
        "trainer", nargs="?", help="cervseg_trainers lists them; with --trainer-file not needed"
    )
    made.add_argument(
        "--trainer-file",
        type=Path,
        metavar="FILE",
        help="a Python file that defines the trainer: for a first try, see docs/PLUGINS.md",
    )
    made.add_argument(
        "-f",
        "--folds",
        nargs="+",
        metavar="FOLD",
        help='fold numbers, or "all" for one network on every case (default: every fold)',
    )
    made.add_argument(
        "--variant", default="original", help="which prepared variant to train on (default: original)"
    )
    made.add_argument(
        "--max-time",
        metavar="TIME",
        help="end within this time, validation included: 90s, 20m, 1.5h; folds share it",
    )
    made.add_argument("--device", help="cpu, cuda, cuda:1, mps (default: the best there is)")
    made.add_argument(
        "--weights",
        type=Path,
        metavar="FILE",
        help="start from these weights: SAM's checkpoint or one of ours",
    )
    made.add_argument(
        "--from-scratch", action="store_true", help="start from random weights, whatever is at hand"
    )
    made.add_argument(
        "--teacher",
        type=Path,
        metavar="MODEL",
        help="a model folder to learn from beside the masks; --set distill_weight=0.5 says how much",
    )
    made.add_argument(
        "--continue",
        dest="resume",
        action="store_true",
        help="train finished folds further, with more --set epochs=... or time",
    )
    made.add_argument(
        "--restart", action="store_true", help="forget what the folds have learnt and begin anew"
    )
    add_settings(made)
    add_root(made)
    return made


def seconds(text: str | None) -> float | None:
    """``90s``, ``20m``, ``1.5h``, ``2d`` or plain seconds, as seconds.

    Raises:
        CervsegError: it is none of these.
    """
    if text is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", text.strip())
    if not match or float(match[1]) <= 0:
        raise CervsegError(f"{text!r} is no time", where="--max-time", hint="Write 90s, 20m or 1.5h.")
    return float(match[1]) * _UNITS[match[2] or "s"]


def act(options: argparse.Namespace) -> int:
    """Run the pipeline."""
    from cervseg.core.paths import Workspace

    trainer = _trainer(options)
    max_time_s = seconds(options.max_time)
    if options.weights is not None and not options.weights.is_file():
        raise CervsegError(
            "no such file", where=options.weights, hint="cervseg_download_weights fetches SAM's."
        )
    if options.weights is not None and options.from_scratch:
        raise CervsegError("--weights and --from-scratch exclude each other", hint="Leave one of them out.")
    if options.teacher is not None and not options.teacher.is_dir():
        raise CervsegError("no such model folder", where=options.teacher, hint="Train the teacher first.")
    from cervseg.pipeline.train import train

    model = train(
        options.dataset,
        trainer,
        workspace=Workspace.find(options.root),
        folds=options.folds,
        variant=options.variant,
        settings=settings(options),
        max_time_s=max_time_s,
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


def _trainer(options: argparse.Namespace) -> str:
    """The trainer's name, once it is known that there is one."""
    if options.trainer_file is not None:
        from cervseg.trainers.trainer_file import register_trainer_file

        return register_trainer_file(options.trainer_file, name=options.trainer)
    from cervseg.core.registry import TRAINERS, find

    if options.trainer is None:
        raise CervsegError(
            "no trainer is named", hint="cervseg_trainers lists them; or give a --trainer-file."
        )
    return find(TRAINERS, options.trainer).name


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point."""
    return run(build_parser(), act, argv)
