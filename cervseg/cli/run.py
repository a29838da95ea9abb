"""What all commands share: their way to start, to fail and to stop."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from cervseg.cli.arguments import add_root, add_settings, read_settings
from cervseg.cli.command_parser import CommandParser
from cervseg.core.errors import CervsegError

__all__ = ["add_root", "add_settings", "parser", "run", "settings"]

Action = Callable[[argparse.Namespace], int]


def parser(description: str, *, example: str) -> CommandParser:
    """An argument parser with the options and the look that every command has."""
    return CommandParser(description=description, example=example)


def settings(options: argparse.Namespace) -> dict[str, str]:
    """The items of ``--set`` as a mapping; see :func:`cervseg.cli.arguments.read_settings`."""
    return read_settings(options.set)


def run(made: argparse.ArgumentParser, action: Action, argv: Sequence[str] | None = None) -> int:
    """Parse, act, and turn errors into one line and an exit code.

    0 = done; 1 = done, but some cases failed and were named; 2 = an error the user can mend;
    130 = stopped by Ctrl-C or SIGTERM (what was finished is kept).
    """
    try:
        options = made.parse_args(argv)
    except CervsegError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    logging.basicConfig(level=logging.INFO if options.verbose else logging.WARNING, format="%(message)s")
    previous = signal.signal(signal.SIGTERM, _stop)
    try:
        return action(options)
    except CervsegError as problem:
        if options.verbose:
            traceback.print_exc()
        print(f"error: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nStopped. What was finished is kept; the same command goes on from there.", file=sys.stderr)
        return 130
    except OSError as problem:
        if options.verbose:
            traceback.print_exc()
        print(f"error: {problem.filename or 'file system'}: {problem.strerror or problem}", file=sys.stderr)
        return 2
    finally:
        signal.signal(signal.SIGTERM, previous)


def _stop(_signal: int, _frame: Any) -> None:
    raise KeyboardInterrupt
