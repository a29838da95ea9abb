"""A map over cases, in processes or one by one, with a progress bar; a failed case does not stop the rest."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from cervseg.core.errors import CervsegError
from cervseg.core.progress import progress_bar

_logger = logging.getLogger(__name__)

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True)
class Outcome(Generic[Item, Result]):
    """The result of one item, or the error that it raised."""

    item: Item
    result: Result | None
    error: Exception | None


def map_cases(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    workers: int,
    label: str,
    progress: bool = True,
) -> list[Outcome[Item, Result]]:
    """Call a function on every item.

    Worker processes are forked where the system can (nothing is imported again), end with their parent, and
    leave Ctrl-C to it.

    Args:
        function: called with one item; it must not use torch.
        items: the cases.
        workers: number of processes; below 2 everything runs in this process.
        label: the stage, shown beside the progress bar.
        progress: show a progress bar.

    Returns:
        One outcome for each item, in the items' order.

    Raises:
        CervsegError: a worker process was killed from outside, most likely because memory ran out.
    """
    todo = list(items)
    start = time.monotonic()
    outcomes: list[Outcome[Item, Result] | None] = [None] * len(todo)
    with progress_bar(total=len(todo), label=label, unit="case", show=progress) as bar:
        runs = _serial(function, todo) if workers < 2 or len(todo) < 2 else _parallel(function, todo, workers)
        for index, outcome in runs:
            outcomes[index] = outcome
            bar.update()
    found = [outcome for outcome in outcomes if outcome is not None]
    num_failed = sum(outcome.error is not None for outcome in found)
    _logger.info(
        "%s: %d cases in %.1f s, %d worker(s), %d failed",
        label,
        len(found),
        time.monotonic() - start,
        max(1, min(workers, len(todo))),
        num_failed,
    )
    return found


def _serial(function: Callable[[Any], Any], todo: list[Any]) -> Iterator[tuple[int, Outcome[Any, Any]]]:
    for index, item in enumerate(todo):
        yield index, _run(function, item)


def _parallel(
    function: Callable[[Any], Any], todo: list[Any], workers: int
) -> Iterator[tuple[int, Outcome[Any, Any]]]:
    # OpenCV's threads do not survive a fork: a child that touches their pool would wait forever. Without
    # threads in the parent there is no pool to inherit.
    opencv = sys.modules.get("cv2")
    num_threads = opencv.getNumThreads() if opencv else 0
    if opencv:
        opencv.setNumThreads(1)
    method = "fork" if "fork" in multiprocessing.get_all_start_methods() and _fork_is_safe() else "spawn"
    context = multiprocessing.get_context(method)
    pool = ProcessPoolExecutor(
        workers, mp_context=context, initializer=_start_worker, initargs=(os.getpid(),)
    )
    try:
        pending: dict[Future[Any], int] = {}
        queue = iter(enumerate(todo))
        for index, item in queue:
            pending[pool.submit(_run, function, item)] = index
            if len(pending) >= 4 * workers:
                yield from _drain(pending)
        while pending:
            yield from _drain(pending)
    except BrokenProcessPool:
        raise CervsegError(
            "a worker process was killed", hint="Memory may have run out: try again with --workers 1."
        ) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        if opencv:
            opencv.setNumThreads(num_threads)


def _drain(pending: dict[Future[Any], int]) -> Iterator[tuple[int, Outcome[Any, Any]]]:
    done, _ = wait(pending, return_when=FIRST_COMPLETED)
    for future in done:
        yield pending.pop(future), future.result()


def _run(function: Callable[[Any], Any], item: Any) -> Outcome[Any, Any]:
    try:
        return Outcome(item=item, result=function(item), error=None)
    except Exception as problem:
        return Outcome(item=item, result=None, error=problem)


def _fork_is_safe() -> bool:
    # Forking a process in which torch has started its threads can deadlock; then we spawn.
    return "torch" not in sys.modules and threading.active_count() == 1


def _start_worker(parent: int) -> None:
    """In a worker: leave Ctrl-C to the parent, use one thread, and end when the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ["OPENCV_FOR_THREADS_NUM"] = "1"
    threading.Thread(target=_watch_parent, args=(parent,), daemon=True).start()


def _watch_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)
