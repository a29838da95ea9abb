"""What all commands share: their way to start, to fail and to stop."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from cervseg import __version__
from cervseg.core.errors import CervsegError

Action = Callable[[argparse.Namespace], int]


def parser(description: str, *, example: str) -> argparse.ArgumentParser:
    """An argument parser with the options and the look that every command has."""
    made = argparse.ArgumentParser(
        description=description,
        epilog=f"example:\n  {example}\n\nResearch software, not a medical device.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    made.add_argument("--version", action="version", version=f"cervseg {__version__}")
    made.add_argument(
        "--verbose", action="store_true", help="show details and, after an error, the traceback"
    )
    return made


def add_root(made: argparse.ArgumentParser) -> None:
    """The option that moves the workspace."""
    made.add_argument("--root", help="workspace folder (default: $CERVSEG_ROOT, else the current folder)")


def add_settings(made: argparse.ArgumentParser) -> None:
    """The option that overrules the plan."""
    made.add_argument(
        "--set",
        nargs="+",
        default=[],
        metavar="NAME=VALUE",
        help="overrule the plan: epochs=5 input_size=384x288",
    )


def settings(options: argparse.Namespace) -> dict[str, str]:
    """What ``--set`` was given, as a mapping.

    Raises:
        CervsegError: an item is not NAME=VALUE.
    """
    found = {}
    for item in options.set:
        name, equals, value = item.partition("=")
        if not equals or not name or not value:
            raise CervsegError(f"{item!r} is not NAME=VALUE", where="--set", hint="Write --set epochs=5.")
        found[name.strip()] = value.strip()
    return found


def run(made: argparse.ArgumentParser, action: Action, argv: Sequence[str] | None = None) -> int:
    """Parse, act, and turn errors into one line and an exit code.

    0 = done; 1 = done, but some cases failed and were named; 2 = an error the user can mend;
    130 = stopped by Ctrl-C or SIGTERM (what was finished is kept).
    """
    options = made.parse_args(argv)
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
