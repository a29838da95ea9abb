"""The options that commands share, so that one name means the same thing everywhere.

Short names are nnU-Net's: ``-i -o -d -tr -f -m -c -np --npz --val``.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cervseg.cli.command_parser import CommandParser
from cervseg.core.errors import CervsegError, DatasetError

_DATASET = re.compile(r"(?:Dataset)?(\d+)(_.*)?")
_TIME_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def add_dataset(parser: CommandParser, *, several: bool = False, required: bool = True) -> None:
    """A dataset, positional or after ``-d``; ``options.dataset`` is its text, a list if ``several``."""
    text = "number or name: 1, 001 or Dataset001_Name" + ("; several at once" if several else "")
    parser.add_argument("dataset", nargs="*" if several else "?", action=_Once, help=text)
    parser.add_argument(
        "-d",
        "--dataset",
        nargs="+" if several else None,
        action=_Once,
        metavar="DATASET",
        help="the same as an option, as in nnU-Net",
    )
    if required:
        _need(parser, "dataset", "Name one by its number, as 001 or -d 001.")


def add_new_dataset(parser: CommandParser, *, name: str | None = None) -> None:
    """The number and the name of a dataset to make; ``name`` is the default, None if there is none."""
    parser.add_argument("dataset", nargs="?", action=_Once, help="number of the dataset to make, as 101")
    parser.add_argument(
        "-d", "--dataset", action=_Once, metavar="NUMBER", help="the same as an option, as in nnU-Net"
    )
    _need(parser, "dataset", "Name the number of the dataset to make, as 101 or -d 101.")
    parser.add_argument(
        "--name",
        required=name is None,
        default=name,
        help="its name: letters, digits, dot, dash and underscore" + (f" (default: {name})" if name else ""),
    )


def add_trainer(parser: CommandParser) -> None:
    """A trainer, positional or after ``-tr``; ``options.trainer`` is its name or None."""
    parser.add_argument("trainer", nargs="?", action=_Once, help="a name that cervseg_trainers lists")
    parser.add_argument(
        "-tr", "--trainer", action=_Once, metavar="TRAINER", help="the same as an option, as in nnU-Net"
    )


def add_trainer_file(parser: CommandParser) -> None:
    """A Python file with a trainer in it."""
    parser.group("model").add_argument(
        "--trainer-file",
        type=Path,
        metavar="FILE",
        help="Python file that defines the trainer, for one that is not installed; see docs/PLUGINS.md",
    )


def add_model(parser: CommandParser) -> None:
    """A trained model: ``-m``, or ``-d`` and ``-tr`` with ``--variant``; by default the one trained last."""
    group = parser.group("model")
    group.add_argument(
        "-m", "--model", type=Path, metavar="DIR", help="model folder (default: the model trained last)"
    )
    group.add_argument("-d", "--dataset", help="with -tr: the model of this dataset")
    group.add_argument("-tr", "--trainer", help="the model of this trainer")
    add_variant(parser)
    add_trainer_file(parser)


def add_variant(parser: CommandParser) -> None:
    """A preprocessed variant of a dataset."""
    parser.group("model").add_argument(
        "--variant", default="original", metavar="NAME", help="preprocessed variant (default: original)"
    )


def add_folds(parser: CommandParser, *, text: str = "", one: bool = False) -> None:
    """Folds, ``options.folds``: a list of texts, or None for the default that ``text`` explains."""
    parser.group("model").add_argument(
        "-f",
        "--folds",
        nargs=1 if one else "+",
        metavar="FOLD",
        help=text or 'fold numbers, or "all" (default: all trained folds)',
    )


def add_images(parser: CommandParser, *, required: bool = True, text: str = "") -> None:
    """Images to read."""
    parser.add_argument(
        "-i",
        "--images",
        type=Path,
        required=required,
        metavar="PATH",
        help=text or "an image or a folder of images",
    )


def add_output(parser: CommandParser, text: str, *, metavar: str = "DIR", required: bool = True) -> None:
    """A file or folder to write."""
    parser.add_argument("-o", "--output", type=Path, required=required, metavar=metavar, help=text)


def add_continue(parser: CommandParser, text: str) -> None:
    """``-c/--continue``, as ``options.resume``; nnU-Net writes ``--c``."""
    parser.add_argument("-c", "--continue", dest="resume", action="store_true", help=text)
    parser.add_argument("--c", dest="resume", action="store_true", help=argparse.SUPPRESS)


def add_probabilities(parser: CommandParser, text: str = "also write probabilities as <case>.npz") -> None:
    """``--npz/--save-probabilities``, as ``options.save_probabilities``."""
    parser.add_argument(
        "--npz", "--save-probabilities", dest="save_probabilities", action="store_true", help=text
    )


def add_overwrite(parser: CommandParser, text: str) -> None:
    """Permission to replace what exists."""
    parser.add_argument("--overwrite", action="store_true", help=text)


def add_preset(parser: CommandParser, *, default: str = "default") -> None:
    """The preset of a plan."""
    parser.group("training").add_argument(
        "--preset", default=default, help='"default", or "paper" for the published protocol'
    )


def add_settings(parser: CommandParser) -> None:
    """Settings that replace the plan's; read them with :func:`read_settings`."""
    parser.group("training").add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME=VALUE",
        help="replace settings of the plan: epochs=5 input_size=384x288",
    )


def add_max_time(parser: CommandParser, text: str) -> None:
    """A time limit; ``options.max_time`` is in seconds or None."""
    parser.group("training").add_argument("--max-time", type=read_time, metavar="TIME", help=text)


def add_device(parser: CommandParser) -> None:
    """The device of the network."""
    group = parser.group("computing")
    group.add_argument(
        "--device", metavar="DEVICE", help="cpu, cuda, cuda:1 or mps (default: the fastest available)"
    )
    # nnU-Net's spelling; without it, "-device cpu" is read as "-d evice".
    group.add_argument("-device", dest="device", help=argparse.SUPPRESS)


def add_workers(parser: CommandParser) -> None:
    """The number of processes."""
    parser.group("computing").add_argument(
        "-np", "--workers", type=int, metavar="NUMBER", help="worker processes (default: one per core)"
    )


def add_root(parser: CommandParser) -> None:
    """The workspace folder."""
    parser.group("general").add_argument(
        "--root", metavar="DIR", help="workspace folder (default: $CERVSEG_ROOT, else the current folder)"
    )


def add_labels(parser: argparse._ActionsContainer, text: str) -> None:
    """Names and values of labels; read them with :func:`read_labels`."""
    parser.add_argument("--labels", nargs="+", metavar="NAME=VALUE", help=text)


def read_labels(texts: Sequence[str], *, where: str = "--labels") -> dict[str, int]:
    """Read label names and values, as of ``--labels canine=1 molar=2``.

    Args:
        texts: one NAME=VALUE for each label; a name may contain "=".
        where: the option that an error names.

    Returns:
        Name -> value in the masks.

    Raises:
        DatasetError: an item is not NAME=VALUE, its value is not in [1, 65535], or a name or value is
            repeated.
    """
    labels: dict[str, int] = {}
    for value, name in read_label_values(texts, where=where).items():
        if name in labels:
            raise DatasetError(f"label {name!r} has two values: {labels[name]} and {value}", where=where)
        labels[name] = value
    return labels


def read_label_values(texts: Sequence[str], *, where: str = "--labels") -> dict[int, str]:
    """Read what the values of masks mean, as of ``--labels incisor=1 incisor=2 canine=3``.

    Args:
        texts: one NAME=VALUE for each value; several values may share a name.
        where: the option that an error names.

    Returns:
        Value in the masks -> name.

    Raises:
        DatasetError: an item is not NAME=VALUE, its value is not in [1, 65535], or a value is repeated.
    """
    names: dict[int, str] = {}
    for text in texts:
        name, _, value = (part.strip() for part in text.rpartition("="))
        if not name or not value.isdecimal():
            number, _, label = (part.strip() for part in text.partition("="))
            right = f"{label}={number}" if number.isdecimal() and label else "NAME=VALUE, as canine=1"
            raise DatasetError(f"{text!r} is not NAME=VALUE", where=where, hint=f"Write {right}.")
        if not 1 <= int(value) <= 65535:
            raise DatasetError(f"the value of {text!r} must be in [1, 65535]", where=where)
        if int(value) in names:
            raise DatasetError(
                f"value {int(value)} has two labels: {names[int(value)]} and {name}", where=where
            )
        names[int(value)] = name
    return names


def read_settings(texts: Sequence[str]) -> dict[str, str]:
    """Read the items of ``--set epochs=5 precision=float32``.

    Raises:
        CervsegError: an item is not NAME=VALUE.
    """
    found: dict[str, str] = {}
    for text in texts:
        name, _, value = (part.strip() for part in text.partition("="))
        if not name or not value:
            raise CervsegError(
                f"{text!r} is not NAME=VALUE", where="--set", hint="Write NAME=VALUE, as --set epochs=5."
            )
        found[name] = value
    return found


def read_time(text: str) -> float:
    """Read a time such as ``90s``, ``20m``, ``1.5h``, ``2d`` or plain seconds.

    Returns:
        Seconds, above 0.

    Raises:
        CervsegError: the text is not a time.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", text.strip())
    if not match or float(match[1]) <= 0:
        raise CervsegError(f"{text!r} is not a time", where="--max-time", hint="Write 90s, 20m or 1.5h.")
    return float(match[1]) * _TIME_UNITS[match[2]]


class _Once(argparse.Action):
    """Store a value that may be given both as a positional argument and as an option, if both agree."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Store, or end with an error if another value is there."""
        if not values:  # an optional positional argument that is not there
            return
        name = self.dest if option_string else _meant(self.dest, values, namespace)
        other = getattr(namespace, name, None)
        if other is not None and not _same(values, other):
            parser.error(f"two values for {name}: {_text(other)} and {_text(values)}")
        setattr(namespace, name, values)


def _meant(name: str, value: Any, namespace: argparse.Namespace) -> str:
    """The argument that a positional value is for: ``-d 1 UNetTrainer`` names a trainer, not a dataset."""
    if not isinstance(value, str):
        return name
    is_dataset = _DATASET.fullmatch(value) is not None
    if name == "dataset" and not is_dataset and namespace.dataset and hasattr(namespace, "trainer"):
        return "trainer"
    return "dataset" if name == "trainer" and is_dataset and hasattr(namespace, "dataset") else name


def _same(value: Any, other: Any) -> bool:
    """Do two texts, or two lists of them, mean the same? 1, 001 and Dataset001_Name do."""
    if isinstance(value, str):
        one, two = _DATASET.fullmatch(value), _DATASET.fullmatch(other)
        if not one or not two or (one[2] and two[2]):
            return bool(value == other)
        return int(one[1]) == int(two[1])
    return len(value) == len(other) and all(map(_same, value, other))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else " ".join(value)


def _need(parser: CommandParser, name: str, hint: str) -> None:
    parser.set_defaults(needed={**(parser.get_default("needed") or {}), name: hint})
