"""A stream of images through a predictor: reading, inference and writing overlap."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cervseg.core.errors import CervsegError, as_cervseg_error
from cervseg.core.paths import atomic_path
from cervseg.core.progress import progress_bar
from cervseg.core.types import Prediction, PreparedCase, RawImage
from cervseg.imageio import read_channels, write_mask
from cervseg.inference.inputs import ImageJob
from cervseg.inference.predictor import Predictor
from cervseg.inference.prompts import Prompts


@dataclass(frozen=True, kw_only=True)
class StreamOptions:
    """What to write beside the masks, how carefully to look, and where points come from if any are wanted."""

    tta: bool = False
    probabilities: bool = False
    draw: Callable[[np.ndarray, Prediction, Path], None] | None = None
    prompts: Prompts | None = None


@dataclass(kw_only=True)
class StreamReport:
    """What became of a run: masks written, images that failed with the reason, seconds that it took."""

    written: list[Path] = field(default_factory=list)
    failed: list[tuple[Path, str]] = field(default_factory=list)
    elapsed_s: float = 0.0

    @property
    def image_s(self) -> float | None:
        """Seconds an image, from its file to its mask's file; None where no mask was written."""
        return self.elapsed_s / len(self.written) if self.written else None


def probabilities_path(mask: Path) -> Path:
    """Where the probabilities of a mask go: ``<stem>.npz``, key "probabilities", L x H x W float16."""
    return mask.with_suffix(".npz")


def predict_stream(
    predictor: Predictor,
    jobs: Sequence[ImageJob],
    *,
    options: StreamOptions,
    progress: bool = True,
    on_done: Callable[[ImageJob], None] | None = None,
) -> StreamReport:
    """Predict all images.

    One thread reads and prepares the next images, this thread computes, another writes. At most three images
    are held at each stage, so that memory stays flat however many images there are.
    """
    report, started = StreamReport(), time.monotonic()
    bar = progress_bar(total=len(jobs), label="predict", unit="image", show=progress)
    with bar, ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(1) as writer:
        writing: deque[tuple[ImageJob, Future[None]]] = deque()

        def settle(limit: int) -> None:
            while len(writing) > limit:
                job, future = writing.popleft()
                try:
                    future.result()
                except (CervsegError, OSError, ValueError) as problem:
                    _fail(report, job, problem)
                else:
                    report.written.append(job.mask)
                    if on_done is not None:
                        on_done(job)
                bar.update()

        for job, loaded in _read_ahead(predictor, jobs, reader, options.prompts):
            if isinstance(loaded, Exception):
                _fail(report, job, loaded)
                bar.update()
                continue
            image, prepared = loaded
            inferred = predictor.infer(prepared, tta=options.tta)
            writing.append((job, writer.submit(_write, predictor, job, image, inferred, options)))
            settle(2)
        settle(0)
    report.elapsed_s = time.monotonic() - started
    return report


Loaded = tuple[RawImage, PreparedCase]


def _read_ahead(
    predictor: Predictor, jobs: Sequence[ImageJob], reader: ThreadPoolExecutor, prompts: Prompts | None
) -> Iterator[tuple[ImageJob, Loaded | Exception]]:
    waiting: deque[tuple[ImageJob, Future[Loaded]]] = deque()
    todo = iter(jobs)
    try:
        while True:
            while len(waiting) < 3 and (job := next(todo, None)) is not None:
                waiting.append((job, reader.submit(_load, predictor, job, prompts)))
            if not waiting:
                return
            job, future = waiting.popleft()
            try:
                yield job, future.result()
            except (CervsegError, OSError, ValueError, MemoryError) as problem:
                yield job, problem
    finally:
        for _, future in waiting:
            future.cancel()


def _load(predictor: Predictor, job: ImageJob, prompts: Prompts | None) -> Loaded:
    image = read_channels(job.images)
    points = None if prompts is None else prompts(job, image.pixels.shape[1:])
    return image, predictor.prepare(image.pixels, image.spacing_mm, points=points)


def _write(
    predictor: Predictor,
    job: ImageJob,
    image: RawImage,
    inferred: tuple[PreparedCase, np.ndarray],
    options: StreamOptions,
) -> None:
    prediction = predictor.finish(inferred)
    if options.probabilities:
        with atomic_path(probabilities_path(job.mask)) as temporary:
            np.savez_compressed(temporary, probabilities=prediction.probabilities.astype(np.float16))
    if options.draw is not None:
        options.draw(image.pixels[0], prediction, job.mask)
    write_mask(job.mask, prediction.mask)  # last: a mask that is there is whole, and so is all beside it


def _fail(report: StreamReport, job: ImageJob, problem: Exception) -> None:
    report.failed.append((job.images[0], str(as_cervseg_error(problem, where=job.images[0]))))
