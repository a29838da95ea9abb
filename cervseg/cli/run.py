"""How every command starts, fails and stops."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from cervseg.core.errors import CervsegError, one_line

Action = Callable[[argparse.Namespace], int]
_STOPPED = "stopped: finished work is kept\nhint: run the same command again to resume"
_CLOSED_OUTPUT = 128 + 13  # as the shell reports SIGPIPE


def run(parser: argparse.ArgumentParser, action: Action, argv: Sequence[str] | None = None) -> int:
    """Parse the command line, act, and turn errors into two lines and an exit code.

    Args:
        parser: the command's options.
        action: does the command's work and returns its exit code.
        argv: the arguments; by default those of the process.

    Returns:
        0 = done; 1 = done, but some cases failed and are named; 2 = an error that the user can solve;
        130 = stopped by Ctrl-C or SIGTERM (what is finished is kept); 141 = nobody reads the output any
        more, as in ``cervseg_trainers | head -1``.
    """
    is_verbose = False
    previous = signal.signal(signal.SIGTERM, _stop)
    try:
        options = parser.parse_args(argv)
        is_verbose = options.verbose
        with _messages(is_verbose):
            code = action(options)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        print(f"\n{_STOPPED}", file=sys.stderr)
        return 130
    except BrokenPipeError:
        _drop_output()
        return _CLOSED_OUTPUT
    except (CervsegError, OSError) as problem:
        if is_verbose:
            traceback.print_exc()
        text = str(problem) if isinstance(problem, CervsegError) else one_line(problem)
        print(f"error: {text}", file=sys.stderr)
        return 2
    except SystemExit:  # --help and --version
        try:
            sys.stdout.flush()
        except BrokenPipeError:
            _drop_output()
        raise
    finally:
        signal.signal(signal.SIGTERM, previous)


@contextmanager
def _messages(is_verbose: bool) -> Iterator[None]:
    """Send what the package logs to standard error, and show warnings as one line without their source."""
    logger = logging.getLogger("cervseg")
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", datefmt="%H:%M:%S"))
    level, show = logger.level, warnings.formatwarning
    if is_verbose:
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
    else:
        warnings.formatwarning = lambda message, *_, **__: f"warning: {message}\n"
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        warnings.formatwarning = show


def _drop_output() -> None:
    """Nobody reads standard output any more: let nothing fail there, at the interpreter's exit neither."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _stop(_signal: int, _frame: Any) -> None:
    raise KeyboardInterrupt
