"""cervseg_plan_and_preprocess: verify, fingerprint, plan, preprocess."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from cervseg.cli.run import add_root, add_settings, parser, run, settings


def build_parser() -> argparse.ArgumentParser:
    """The command's options."""
    made = parser(
        "Verify a dataset, measure it, plan for it and for this machine, and prepare it for training.",
        example="cervseg_plan_and_preprocess -d 001",
    )
    made.add_argument(
        "-d",
        "--dataset",
        nargs="+",
        required=True,
        metavar="ID",
        help="1, 001 or Dataset001_Name; several at once",
    )
    made.add_argument("--preset", default="default", help='"default", or "paper" for the published protocol')
    made.add_argument(
        "--variants", nargs="+", default=["original"], help="original, clahe, augmented (default: original)"
    )
    made.add_argument("--workers", type=int, help="processes (default: one a core)")
    made.add_argument("--replan", action="store_true", help="plan anew even if plans.json was edited by hand")
    add_settings(made)
    add_root(made)
    return made


def act(options: argparse.Namespace) -> int:
    """Run the pipeline for every dataset."""
    from cervseg.core.paths import Workspace
    from cervseg.pipeline.plan import plan_and_preprocess

    workspace = Workspace.find(options.root)
    for dataset in [workspace.dataset_name(given) for given in options.dataset]:
        print(f"== {dataset}")
        plan_and_preprocess(
            dataset,
            workspace=workspace,
            preset=options.preset,
            settings=settings(options),
            variants=options.variants,
            workers=options.workers,
            replan=options.replan,
            verbose=options.verbose,
            log=print,
        )
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point."""
    return run(build_parser(), act, argv)
