"""A stream of images through a predictor: reading, inference and writing overlap."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cervseg.core.atomic import atomic_path
from cervseg.core.errors import CervsegError, as_cervseg_error
from cervseg.core.progress import progress_bar
from cervseg.core.types import Fingerprint, Prediction, PreparedCase, RawImage
from cervseg.imageio import read_channels, write_mask
from cervseg.imageio.spacing import is_at_detector
from cervseg.inference.familiarity import differences
from cervseg.inference.inputs import ImageJob
from cervseg.inference.predictor import Predictor
from cervseg.inference.prompts import Prompts


@dataclass(frozen=True, kw_only=True)
class StreamOptions:
    """Options of a stream.

    Args:
        tta: use test-time augmentation.
        probabilities: write probabilities beside the masks.
        draw: called with the first channel, the prediction and the mask's file, before the mask is written.
        prompts: points, for a promptable model.
        training: fingerprint of the training set; images that are unlike it get a warning.
    """

    tta: bool = False
    probabilities: bool = False
    draw: Callable[[np.ndarray, Prediction, Path], None] | None = None
    prompts: Prompts | None = None
    training: Fingerprint | None = None


@dataclass(kw_only=True)
class StreamReport:
    """Outcome of a stream.

    Args:
        written: masks, in the order of the images.
        empty: those of them without any label.
        unnamed: those that show parts of unknown level, each with their number.
        failed: images without a mask, each with the reason.
        warnings: images that are unlike the training images, each with the differences.
        at_detector: images whose spacing is measured at the detector, where the patient is magnified.
        skipped: files of the input folder that are not images.
        elapsed_s: duration in seconds.
    """

    written: list[Path] = field(default_factory=list)
    empty: list[Path] = field(default_factory=list)
    unnamed: list[tuple[Path, int]] = field(default_factory=list)
    failed: list[tuple[Path, str]] = field(default_factory=list)
    warnings: list[tuple[Path, str]] = field(default_factory=list)
    at_detector: list[Path] = field(default_factory=list)
    skipped: tuple[Path, ...] = ()
    elapsed_s: float = 0.0

    @property
    def image_s(self) -> float | None:
        """Seconds per image, from its file to its mask's file; None if no mask was written."""
        return self.elapsed_s / len(self.written) if self.written else None


@dataclass(frozen=True, kw_only=True)
class _Loaded:
    image: RawImage
    prepared: PreparedCase
    differences: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class _Written:
    is_empty: bool
    num_unnamed: int


def probabilities_path(mask: Path) -> Path:
    """Name the file with the probabilities of a mask: key "probabilities", L x H x W float16."""
    return mask.with_suffix(".npz")


def predict_stream(
    predictor: Predictor,
    jobs: Sequence[ImageJob],
    *,
    options: StreamOptions,
    progress: bool = True,
    on_done: Callable[[ImageJob], None] | None = None,
) -> StreamReport:
    """Predict all images; an image that fails is reported and the others continue.

    One thread reads and prepares the next images, this thread runs the networks, another thread writes. At
    most three images are kept at each stage, so memory does not grow with the number of images.

    Args:
        predictor: the model.
        jobs: the images and their masks.
        options: see :class:`StreamOptions`.
        progress: show a progress bar.
        on_done: called after each written mask.
    """
    report, started = StreamReport(), time.monotonic()
    bar = progress_bar(total=len(jobs), label="predict", unit="image", show=progress)
    with bar, ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(1) as writer:
        writing: deque[tuple[ImageJob, Future[_Written]]] = deque()

        def settle(limit: int) -> None:
            while len(writing) > limit:
                job, future = writing.popleft()
                try:
                    written = future.result()
                except (CervsegError, OSError, ValueError) as problem:
                    _fail(report, job, problem)
                else:
                    report.written.append(job.mask)
                    if written.is_empty:
                        report.empty.append(job.mask)
                    if written.num_unnamed:
                        report.unnamed.append((job.mask, written.num_unnamed))
                    if on_done is not None:
                        on_done(job)
                bar.update()

        for job, loaded in _read_ahead(predictor, jobs, reader, options):
            if isinstance(loaded, Exception):
                _fail(report, job, loaded)
                bar.update()
                continue
            _note(report, job, loaded)
            inferred = predictor.infer(loaded.prepared, tta=options.tta)
            writing.append((job, writer.submit(_write, predictor, job, loaded.image, inferred, options)))
            settle(2)
        settle(0)
    report.elapsed_s = time.monotonic() - started
    return report


def _read_ahead(
    predictor: Predictor, jobs: Sequence[ImageJob], reader: ThreadPoolExecutor, options: StreamOptions
) -> Iterator[tuple[ImageJob, _Loaded | Exception]]:
    waiting: deque[tuple[ImageJob, Future[_Loaded]]] = deque()
    todo = iter(jobs)
    try:
        while True:
            while len(waiting) < 3 and (job := next(todo, None)) is not None:
                waiting.append((job, reader.submit(_load, predictor, job, options)))
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


def _load(predictor: Predictor, job: ImageJob, options: StreamOptions) -> _Loaded:
    image = read_channels(job.images)
    points = None if options.prompts is None else options.prompts(job, image.pixels.shape[1:])
    return _Loaded(
        image=image,
        prepared=predictor.prepare(image.pixels, image.spacing_mm, points=points),
        differences=() if options.training is None else differences(image, options.training),
    )


def _write(
    predictor: Predictor,
    job: ImageJob,
    image: RawImage,
    inferred: tuple[PreparedCase, np.ndarray],
    options: StreamOptions,
) -> _Written:
    """Write a mask and the files beside it."""
    prediction = predictor.finish(inferred)
    if options.probabilities:
        with atomic_path(probabilities_path(job.mask)) as temporary:
            np.savez_compressed(temporary, probabilities=prediction.probabilities.astype(np.float16))
    if options.draw is not None:
        options.draw(image.pixels[0], prediction, job.mask)
    write_mask(job.mask, prediction.mask)  # last, so that a mask implies all files beside it
    unnamed = [part for part in prediction.parts if part.level is None]
    return _Written(
        is_empty=not prediction.mask.any(), num_unnamed=len(unnamed) if predictor.show == "levels" else 0
    )


def _note(report: StreamReport, job: ImageJob, loaded: _Loaded) -> None:
    if loaded.differences:
        report.warnings.append((job.images[0], "; ".join(loaded.differences)))
    if is_at_detector(loaded.image.spacing_source):
        report.at_detector.append(job.images[0])


def _fail(report: StreamReport, job: ImageJob, problem: Exception) -> None:
    report.failed.append((job.images[0], str(as_cervseg_error(problem, where=job.images[0]))))
