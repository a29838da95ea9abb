"""The options that the sub-commands of cervseg_convert share."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any

from cervseg.cli.arguments import (
    add_labels,
    add_new_dataset,
    add_overwrite,
    add_root,
    add_workers,
    read_label_values,
    read_labels,
)
from cervseg.cli.command_parser import CommandParser
from cervseg.core.errors import DatasetError

if TYPE_CHECKING:
    from cervseg.convert.labelling import Labelling
    from cervseg.convert.source import Source
    from cervseg.convert.target import DatasetTarget

SubCommands = argparse._SubParsersAction


def sub_command(
    commands: SubCommands[CommandParser],
    name: str,
    make_source: Callable[[argparse.Namespace], Source[Any]],
    *,
    summary: str,
    description: str,
    example: str,
) -> CommandParser:
    """Add a sub-command.

    Args:
        commands: the sub-commands of cervseg_convert.
        name: its name.
        make_source: makes the source from the options.
        summary: one line for the command's --help.
        description: for the sub-command's --help.
        example: command lines that work.
    """
    made = commands.add_parser(name, help=summary, description=description, example=example)
    made.set_defaults(make_source=make_source)
    add_new_dataset(made)
    return made


def add_common(made: CommandParser) -> None:
    """Add the options that come last."""
    add_overwrite(made, "replace a dataset of this number and name")
    add_workers(made)
    add_root(made)


def add_mask_labels(made: CommandParser, *, required: bool) -> None:
    """Add the options for the values in masks; read them with :func:`labelling`.

    ``--auxiliary`` is not in the group: it goes with ``--labels``.
    """
    group = made.add_mutually_exclusive_group(required=required)
    group.add_argument("--label", metavar="NAME", help="name of the label, for masks with one label")
    add_labels(group, "names of the values in the masks: incisor=1 canine=2; several values may share a name")
    add_auxiliary(made)


def add_auxiliary(made: CommandParser) -> None:
    """Add the option that names auxiliary labels."""
    made.add_argument(
        "--auxiliary",
        nargs="+",
        default=[],
        metavar="NAME",
        help="labels that help to train and are left out of masks and scores; they are numbered last",
    )


def target(options: argparse.Namespace) -> DatasetTarget:
    """Return the dataset to write.

    Raises:
        DatasetError: number or name are invalid, or another dataset has the number.
    """
    from cervseg.convert.target import DatasetTarget
    from cervseg.core.paths import Workspace

    workspace = Workspace.find(options.root)
    return DatasetTarget.in_workspace(workspace, options.dataset, options.name, overwrite=options.overwrite)


def labelling(options: argparse.Namespace, *, default: str = "foreground") -> Labelling:
    """Return the meaning of mask values, from ``--label`` or ``--labels``, and ``--auxiliary``.

    Args:
        options: the parsed options.
        default: name of the label if neither is given.

    Raises:
        DatasetError: the labels are invalid.
    """
    from cervseg.convert.labelling import Labelling

    names = read_label_values(options.labels or [])
    return Labelling(
        names=names,
        label=default if options.label is None else options.label,
        auxiliary=tuple(options.auxiliary),
    )


def read_numbered_labels(texts: Sequence[str] | None, *, auxiliary: Collection[str] = ()) -> dict[str, int]:
    """Read labels that may have numbers: ``["canine", "molar"]`` or ``["canine=1", "molar=2"]``.

    Args:
        texts: the items.
        auxiliary: names of auxiliary labels.

    Returns:
        Name -> number in the dataset; labels without numbers are numbered in the given order, the auxiliary
        ones last.

    Raises:
        DatasetError: an item is invalid, a name or number is repeated, or only some labels have a number.
    """
    texts = [text.strip() for text in texts or ()]
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        if equals and name and value and not name.isdecimal() and not value.rpartition("=")[2].isdecimal():
            raise DatasetError(
                f"{text!r} is not NAME or NAME=VALUE",
                where="--labels",
                hint=f"To rename a label write --rename {text}",
            )
    if any("=" in text for text in texts) or not all(texts):
        return read_labels(texts)
    if repeated := sorted({text for text in texts if texts.count(text) > 1}):
        raise DatasetError(f"label {repeated[0]!r} is repeated", where="--labels")
    from cervseg.dataset.labels import number_labels

    return number_labels(texts, auxiliary=auxiliary)


def read_renamed(texts: Sequence[str] | None) -> dict[str, str]:
    """Read ``["m1=molar", "m2=molar"]`` as {"m1": "molar", "m2": "molar"}.

    Raises:
        DatasetError: an item is not ANNOTATED=NAME, or a label is repeated.
    """
    found: dict[str, str] = {}
    for text in texts or ():
        label, _, name = (part.strip() for part in text.partition("="))
        if not label or not name:
            raise DatasetError(
                f"{text!r} is not ANNOTATED=NAME", where="--rename", hint="Write, for instance, molar1=molar"
            )
        if label in found:
            raise DatasetError(f"label {label!r} has two names", where="--rename")
        found[label] = name
    return found
