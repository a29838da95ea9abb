"""cervseg_plan_and_preprocess: verify, fingerprint, plan and preprocess datasets."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from cervseg.cli import arguments
from cervseg.cli.command_parser import CommandParser
from cervseg.cli.run import run


def build_parser() -> CommandParser:
    """Define the command's options."""
    parser = CommandParser(
        description="Verify a dataset, compute its fingerprint, plan for it and for this machine, and "
        "preprocess it for training.",
        example="cervseg_plan_and_preprocess 001",
        notes="exit code: 0 done; 2 error",
    )
    arguments.add_dataset(parser, several=True)
    parser.add_argument(
        "--variants",
        nargs="+",
        default=["original"],
        metavar="NAME",
        help="preprocessed variants: original, clahe, augmented (default: original)",
    )
    parser.add_argument("--replan", action="store_true", help="discard a plan that was edited by hand")
    arguments.add_preset(parser)
    arguments.add_settings(parser)
    arguments.add_workers(parser)
    arguments.add_root(parser)
    return parser


def act(options: argparse.Namespace) -> int:
    """Plan and preprocess every dataset."""
    from cervseg.core.paths import Workspace
    from cervseg.pipeline.plan import plan_and_preprocess

    workspace = Workspace.find(options.root)
    for dataset in [workspace.dataset_name(given) for given in options.dataset]:
        print(f"== {dataset}")
        plan_and_preprocess(
            dataset,
            workspace=workspace,
            preset=options.preset,
            settings=arguments.read_settings(options.set),
            variants=options.variants,
            workers=options.workers,
            replan=options.replan,
            verbose=options.verbose,
            log=print,
        )
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; ``argv`` without the program's name."""
    return run(build_parser(), act, argv)
