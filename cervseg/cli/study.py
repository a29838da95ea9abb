"""cervseg_study: the paper's study on a dataset, from training to tables, statistics and figures."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cervseg.cli.run import add_root, add_settings, parser, run, settings
from cervseg.cli.train import seconds

if TYPE_CHECKING:
    from cervseg.study.forecast import Forecast

VARIANTS = ["original", "clahe", "augmented"]


def build_parser() -> argparse.ArgumentParser:
    """The command's options."""
    made = parser(
        "Train, predict and score any set of trainers, variants and seeds on the same images, then write the "
        "paper's tables, statistics and figures and a report. What is finished is never trained again.",
        example=(
            "cervseg_study 001 --dry-run\n"
            "  cervseg_study 001 --trainers systems --variants original clahe augmented --seeds 0 1 2\n"
            "  cervseg_study 001 --trainers paper --preset paper      everything, as published\n\n"
            "exit code: 0 every model is there; 1 some are left out and named; 2 error"
        ),
    )
    made.add_argument("dataset", help="1, 001 or Dataset001_Name")
    made.add_argument(
        "--trainers",
        nargs="+",
        default=["systems"],
        metavar="NAME",
        help="trainers, or groups of the paper's: systems (five, Tables 1-3; the default), architectures "
        "(Table 4), losses (Table 5), paper (all of them). Ablations learn on the first variant only",
    )
    made.add_argument(
        "--variants",
        nargs="+",
        default=VARIANTS,
        metavar="NAME",
        help=f"of the dataset (default: {' '.join(VARIANTS)})",
    )
    made.add_argument(
        "--seeds", nargs="+", type=int, default=[0], help="each trains every model once more (default: 0)"
    )
    made.add_argument(
        "--score-on",
        choices=["test", "folds"],
        help="score on the held-out images of imagesTs, or on the folds' validation images (default: test "
        "images where there are any with masks)",
    )
    made.add_argument(
        "-f",
        "--folds",
        nargs="+",
        metavar="FOLD",
        help="folds to train; test images get the mean of their networks (default: 0; with --score-on folds, all)",
    )
    made.add_argument(
        "--max-time",
        metavar="TIME",
        help="for all training together: 90s, 20m, 1.5h; what is left is shared out equally",
    )
    made.add_argument(
        "--preset", default="", help='of the plan, where there is none yet: default, or "paper" as published'
    )
    made.add_argument("--device", help="cpu, cuda, cuda:1, mps (default: the best there is)")
    made.add_argument(
        "--from-scratch", action="store_true", help="start from random weights, whatever is at hand"
    )
    made.add_argument(
        "--manual-times",
        type=Path,
        metavar="CSV",
        help="how long people took (rater, case, annotation_s, mask_s), for the figure of times",
    )
    made.add_argument(
        "--dry-run", action="store_true", help="print the models and the estimated time, and do nothing"
    )
    add_settings(made)
    add_root(made)
    return made


def act(options: argparse.Namespace) -> int:
    """Run the study; exit code 1 when a model had to be left out."""
    max_time_s = seconds(options.max_time)

    from cervseg.core.paths import Workspace
    from cervseg.study.forecast import forecast
    from cervseg.study.job import StudyOptions
    from cervseg.study.paper import trainers_of
    from cervseg.study.run import conduct_study, prepare_study

    wanted = StudyOptions(
        trainers=trainers_of(options.trainers),
        variants=list(dict.fromkeys(options.variants)),
        seeds=list(dict.fromkeys(options.seeds)),
        scored_on=options.score_on,
        folds=options.folds,
        max_time_s=max_time_s,
        preset=options.preset,
        settings=settings(options),
        device=options.device,
        from_scratch=options.from_scratch,
        manual_times=options.manual_times,
    )
    workspace = Workspace.find(options.root)
    job = prepare_study(
        options.dataset, workspace=workspace, options=wanted, log=print, dry_run=options.dry_run
    )
    print(_forecast_table(forecast(job), max_time_s))
    if options.dry_run:
        return 0
    study = conduct_study(job, log=print)
    print(f"\nwritten: {job.folder.path} (open report.html). Research software, not a medical device.")
    for model, reason in study.missing.items():
        print(f"left out: {model}: {reason}")
    return 1 if study.missing else 0


def _forecast_table(forecasts: Sequence[Forecast], max_time_s: float | None) -> str:
    lines, total, unknown = [], 0.0, 0
    for entry in forecasts:
        model = entry.model
        if not entry.folds:
            text = "trained"
        elif entry.seconds is None:
            text, unknown = entry.source or f"{len(entry.folds)} fold(s) to train", unknown + 1
        else:
            text = f"{len(entry.folds)} fold(s) to train, about {_time(entry.seconds)} by {entry.source}"
            total += entry.seconds
        lines.append(f"{model.trainer:<32}{model.variant:<12}seed {model.seed:<6}{text}")
    todo = sum(bool(entry.folds) for entry in forecasts)
    line = f"{len(forecasts)} model(s), {todo} with folds to train"
    if total:
        line += f", about {_time(total)}"
    if unknown:
        line += f"; the time of {unknown} is known once another seed is trained"
    if max_time_s is not None and todo:
        line += f"; training ends within {_time(max_time_s)}"
    return "\n".join([*lines, line])


def _time(seconds_: float) -> str:
    if seconds_ < 90:
        return f"{seconds_:.0f} s"
    return f"{seconds_ / 60:.0f} min" if seconds_ < 5400 else f"{seconds_ / 3600:.1f} h"


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point."""
    return run(build_parser(), act, argv)
