"""What the sub-commands of cervseg_convert share."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any

from cervseg.cli.arguments import add_root
from cervseg.cli.command_parser import CommandParser
from cervseg.core.errors import CervsegError
from cervseg.core.machine import num_cores


def sub_command(
    sources: argparse._SubParsersAction[CommandParser],
    name: str,
    convert: Callable[[argparse.Namespace], object],
    *,
    summary: str,
    description: str,
    example: str,
) -> CommandParser:
    """A sub-command with the look that every one has; ``convert`` makes its report."""
    made = sources.add_parser(
        name,
        help=summary,
        description=description,
        example=example,
    )
    made.set_defaults(convert=convert)
    made.add_argument(
        "-d", "--dataset", required=True, metavar="NUMBER", help="number of the dataset, like 101"
    )
    made.add_argument("--name", required=True, help="its name: letters, digits, dot, dash and underscore")
    return made


def add_common(made: CommandParser) -> None:
    """The options that come last."""
    made.add_argument("--workers", type=int, help="processes (default: one a core)")
    made.add_argument("--overwrite", action="store_true", help="replace a dataset of this number and name")
    add_root(made)


def add_mask_labels(made: argparse.ArgumentParser, *, required: bool) -> None:
    """What the values in masks mean."""
    what = made.add_mutually_exclusive_group(required=required)
    what.add_argument("--label", metavar="NAME", help="what the masks show, if that is one thing")
    what.add_argument(
        "--labels",
        nargs="+",
        metavar="VALUE=NAME",
        help="what each value in the masks means: 1=incisor 2=canine",
    )


def common(options: argparse.Namespace) -> dict[str, Any]:
    """The arguments that every conversion takes."""
    from cervseg.core.paths import Workspace, dataset_folder_name

    return {
        "folder": Workspace.find(options.root).raw(dataset_folder_name(options.dataset, options.name)),
        "workers": options.workers if options.workers is not None else num_cores(),
        "overwrite": options.overwrite,
    }


def value_names(items: Sequence[str] | None) -> dict[int, str]:
    """``["1=incisor", "2=canine"]`` as {1: "incisor", 2: "canine"}.

    Raises:
        CervsegError: an item is not NUMBER=NAME, or a number occurs twice.
    """
    found: dict[int, str] = {}
    for item in items or ():
        value, _, name = (part.strip() for part in item.partition("="))
        if not value.isdecimal() or not name:
            raise CervsegError(
                f"{item!r} is not VALUE=NAME", where="--labels", hint="Write 1=incisor 2=canine."
            )
        if int(value) in found:
            raise CervsegError(f"{value} is named twice", where="--labels")
        found[int(value)] = name
    return found


def renamed(items: Sequence[str] | None) -> dict[str, str] | None:
    """``["canine", "c2=spine"]`` as {"canine": "canine", "c2": "spine"}; None where nothing is said.

    Raises:
        CervsegError: a name is empty, or one is there twice.
    """
    found: dict[str, str] = {}
    for item in items or ():
        label, equals, name = (part.strip() for part in item.partition("="))
        if not label or (equals and not name):
            raise CervsegError(
                f"{item!r} is no label", where="--labels", hint="Write NAME, or ANNOTATED=NAME to rename."
            )
        if label in found:
            raise CervsegError(f"{label!r} is named twice", where="--labels")
        found[label] = name or label
    return found or None
