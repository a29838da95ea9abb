"""cervseg_trainers: list the installed trainers."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cervseg.cli.arguments import add_root, add_trainer
from cervseg.cli.command_parser import CommandParser
from cervseg.cli.run import run

if TYPE_CHECKING:
    from cervseg.trainers.catalogue import TrainerCard

_HEAD = ("trainer", "network", "parameters", "size", "input", "source")


def build_parser() -> CommandParser:
    """Define the command's options."""
    parser = CommandParser(
        description="List the installed trainers, plug-ins included, at their published sizes; "
        "or describe one of them in full.",
        example="cervseg_trainers CervSpineNetTrainer -d 001",
    )
    add_trainer(parser)
    parser.add_argument(
        "-d", "--dataset", metavar="DATASET", help="describe them as the plan of this dataset has them"
    )
    add_root(parser)
    return parser


def act(options: argparse.Namespace) -> int:
    """Run the pipeline; exit code 1 when a trainer cannot be used."""
    from cervseg.core.paths import Workspace
    from cervseg.pipeline.trainers import list_trainers

    cards = list_trainers(options.trainer, workspace=Workspace.find(options.root), dataset=options.dataset)
    usable, broken = [card for card in cards if not card.error], [card for card in cards if card.error]
    if usable:
        print(_page(usable[0]) if options.trainer is not None else _table(usable))
    for card in broken:
        print(f"{card.name} ({card.source}) cannot be used: {card.error}", file=sys.stderr)
    return 1 if broken else 0


def _table(cards: Sequence[TrainerCard]) -> str:
    rows = [_HEAD, *(_row(card) for card in cards)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [
            text.rjust(width) if name in ("parameters", "size") else text.ljust(width)
            for name, text, width in zip(_HEAD, row, widths, strict=True)
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _row(card: TrainerCard) -> tuple[str, ...]:
    return (card.name, card.network, f"{card.num_parameters:,}", _size(card), _frame(card), card.source)


def _page(card: TrainerCard) -> str:
    assert card.configuration is not None
    hyper = card.configuration.hyperparameters
    facts = {
        "from": card.source,
        "network": f"{card.network}, {card.num_parameters:,} parameters, {_size(card)}",
        "arguments": ", ".join(f"{name}={value}" for name, value in card.arguments.items()),
        "configuration": card.configuration.name,
        "input": f"{_frame(card)} px, {card.configuration.resize}, {card.configuration.normalization}",
        "loss": card.loss,
        "settings": ", ".join(f"{name}={value}" for name, value in card.settings.items()) or "the plan's",
        "starts from": card.starts_from,
        "training": f"{hyper.epochs} epochs, batch {hyper.batch_size}, rate {hyper.learning_rate:g}",
    }
    lines = [f"{name:<14} {text}" for name, text in facts.items()]
    return "\n".join([card.name, "", card.documentation, "", *lines])


def _size(card: TrainerCard) -> str:
    return f"{card.num_parameters * 4 / 2**20:.2f} MiB"


def _frame(card: TrainerCard) -> str:
    assert card.configuration is not None
    height, width = card.configuration.input_size
    return f"{height} x {width}"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; ``argv`` without the program's name."""
    return run(build_parser(), act, argv)
