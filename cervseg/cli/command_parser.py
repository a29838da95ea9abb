"""The argument parser that all commands share: their look, their groups and their errors."""

from __future__ import annotations

import argparse
import re
import sys
import textwrap
from collections.abc import Sequence
from typing import Any, NoReturn

from cervseg import __version__
from cervseg.core.notice import NOTICE

_WIDTH = 98
_WORD = re.compile(r"-[A-Za-z][A-Za-z-]+")
# The order of the groups in every --help; what has no group comes before them, under "options".
_GROUPS = ("model", "training", "computing", "general")


class CommandParser(argparse.ArgumentParser):
    """An argument parser with the options and the look that every command has.

    Positional arguments may stand before, between and after options. Errors are two lines, ``error:`` and
    ``hint:``, with exit code 2.

    Args:
        description: one or more paragraphs, separated by an empty line; wrapped here.
        example: one or more command lines that work.
        notes: what stands below the examples, such as the exit codes.
        keywords: everything else that argparse takes.
    """

    def __init__(self, *, description: str = "", example: str = "", notes: str = "", **keywords: Any) -> None:
        paragraphs = (" ".join(part.split()) for part in description.split("\n\n"))
        below = (f"example:\n  {example}" if example else "", notes, NOTICE)
        super().__init__(
            description="\n\n".join(textwrap.fill(text, _WIDTH) for text in paragraphs),
            epilog="\n\n".join(part for part in below if part),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
            **keywords,
        )
        self._named = {title: self.add_argument_group(title) for title in _GROUPS}
        general = self.group("general")
        general.add_argument("--version", action="version", version=f"cervseg {__version__}")
        general.add_argument(
            "--verbose",
            action="store_true",
            default=argparse.SUPPRESS,  # a sub-command's default would replace what stands before it
            help="log files, reasons and times; after an error, show the traceback",
        )

    def group(self, title: str) -> argparse._ArgumentGroup:
        """One of the groups that every command may have: model, training, computing or general."""
        return self._named[title]

    def parse_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> argparse.Namespace:
        """Parse; see :class:`argparse.ArgumentParser`."""
        self._check_words(sys.argv[1:] if args is None else args)
        has_commands = any(action.nargs == argparse.PARSER for action in self._actions)
        # Before Python 3.12 plain parsing finds no optional positional argument after an option.
        parse = super().parse_args if has_commands else self.parse_intermixed_args
        options: argparse.Namespace = parse(args, namespace)
        options.verbose = getattr(options, "verbose", False)
        for name, hint in getattr(options, "needed", {}).items():
            if not getattr(options, name):
                self.error(f"no {name} given", hint=hint)
        return options

    def _check_words(self, args: Sequence[str]) -> None:
        """Refuse a long option after a single dash: argparse reads ``-images`` as ``-i mages``."""
        chosen = [
            action.choices[text]
            for action in self._actions
            if isinstance(action, argparse._SubParsersAction)
            for text in args
            if text in action.choices
        ]
        known = {option for parser in (self, *chosen) for option in parser._option_string_actions}
        for text in args:
            word = text.partition("=")[0]
            if word in known or not _WORD.fullmatch(word):
                continue
            if f"-{word}" in known:
                self.error(f"unknown option {word}", hint=f"Write -{word}.")
            # "-d" takes a number or DatasetNNN_Name, so that "-device" is none of its values.
            if "-d" in known and word.startswith("-d"):
                self.error(f"unknown option {word}")

    def error(self, message: str, *, hint: str = "") -> NoReturn:
        """Print what is wrong and what to do in two lines, and exit with code 2."""
        print(f"error: {message}\nhint: {hint or f'{self.prog} --help lists all options'}", file=sys.stderr)
        self.exit(2)
