"""cervseg_study: the paper's study on a dataset, from training to tables, statistics and figures."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cervseg.cli.arguments import (
    add_dataset,
    add_device,
    add_folds,
    add_max_time,
    add_preset,
    add_root,
    add_settings,
    read_settings,
)
from cervseg.cli.command_parser import CommandParser
from cervseg.cli.run import run
from cervseg.core.notice import NOTICE

if TYPE_CHECKING:
    from cervseg.study.forecast import Forecast

VARIANTS = ["original", "clahe", "augmented"]


def build_parser() -> CommandParser:
    """Build the command's parser."""
    parser = CommandParser(
        description="Train, predict and score trainers, variants and seeds on the same images, then write "
        "the paper's tables, statistics, figures and a report. Finished models are skipped.",
        example=(
            "cervseg_study 001 --dry-run\n"
            "  cervseg_study 001 --trainers systems --variants original clahe augmented --seeds 0 1 2\n"
            "  cervseg_study 001 --trainers paper --preset paper      everything, as published"
        ),
        notes="exit code: 0 every model is finished; 1 some models are missing and named; 2 error",
    )
    add_dataset(parser)
    parser.add_argument(
        "--trainers",
        nargs="+",
        default=["systems"],
        metavar="NAME",
        help="trainers, or groups of the paper: systems (five, Tables 1-3; default), architectures "
        "(Table 4), losses (Table 5), paper (all). Ablations are trained on the first variant only",
    )
    parser.add_argument(
        "--variants",
        nargs="+",
        default=VARIANTS,
        metavar="NAME",
        help=f"variants of the dataset (default: {' '.join(VARIANTS)})",
    )
    parser.add_argument(
        "--seeds", nargs="+", type=int, default=[0], help="every model is trained once per seed (default: 0)"
    )
    parser.add_argument(
        "--score-on",
        choices=["test", "folds"],
        help="score on the held-out images of imagesTs, or on the validation images of the folds "
        "(default: test images if the dataset has any with masks)",
    )
    add_folds(parser, text="folds to train and to average (default: 0; with --score-on folds, all)")
    add_max_time(parser, "limit of all training together, shared equally: 90s, 20m, 1.5h")
    add_preset(parser, default="")
    add_settings(parser)
    add_device(parser)
    parser.group("training").add_argument(
        "--from-scratch",
        action="store_true",
        help="random initialization, even if pretrained weights are available",
    )
    parser.add_argument(
        "--manual-times",
        type=Path,
        metavar="CSV",
        help="annotation times of raters (rater, case, annotation_s, mask_s), for the figure of times",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="print the models and the estimated time, and do nothing"
    )
    add_root(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    return run(build_parser(), _study, argv)


def _study(options: argparse.Namespace) -> int:
    """Run the study; the exit code is 1 if a model is missing."""
    from cervseg.core.paths import Workspace
    from cervseg.study.forecast import forecast
    from cervseg.study.job import StudyOptions
    from cervseg.study.paper import trainers_of
    from cervseg.study.run import conduct_study, prepare_study

    requested = StudyOptions(
        trainers=trainers_of(options.trainers),
        variants=list(dict.fromkeys(options.variants)),
        seeds=list(dict.fromkeys(options.seeds)),
        scored_on=options.score_on,
        folds=options.folds,
        max_time_s=options.max_time,
        preset=options.preset,
        settings=read_settings(options.set),
        device=options.device,
        from_scratch=options.from_scratch,
        manual_times=options.manual_times,
    )
    workspace = Workspace.find(options.root)
    job = prepare_study(
        options.dataset, workspace=workspace, options=requested, log=print, dry_run=options.dry_run
    )
    print(_forecast_text(forecast(job), options.max_time))
    if options.dry_run:
        return 0
    study = conduct_study(job, log=print)
    print(f"\nwritten: {job.folder.path} (open report.html). {NOTICE}")
    for model, reason in study.missing.items():
        print(f"left out: {model}: {reason}")
    return 1 if study.missing else 0


def _forecast_text(forecasts: Sequence[Forecast], max_time_s: float | None) -> str:
    lines, total, unknown = [], 0.0, 0
    for entry in forecasts:
        model = entry.model
        if not entry.folds:
            text = "trained"
        elif entry.seconds is None:
            text, unknown = entry.source or f"{len(entry.folds)} fold(s) to train", unknown + 1
        else:
            duration = _time_text(entry.seconds)
            text = f"{len(entry.folds)} fold(s) to train, about {duration} (estimated from {entry.source})"
            total += entry.seconds
        lines.append(f"{model.trainer:<32}{model.variant:<12}seed {model.seed:<6}{text}")
    todo = sum(bool(entry.folds) for entry in forecasts)
    line = f"{len(forecasts)} model(s), {todo} with folds to train"
    if total:
        line += f", about {_time_text(total)}"
    if unknown:
        line += f"; no estimate for {unknown} model(s) before another seed is trained"
    if max_time_s is not None and todo:
        line += f"; training ends within {_time_text(max_time_s)}"
    return "\n".join([*lines, line])


def _time_text(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
