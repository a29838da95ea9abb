"""Batches for the loop: cached frames, seeded shuffling and augmentation, made in threads ahead of need.

OpenCV and numpy release the interpreter lock, so threads keep up without copies, without forked processes
to orphan, and without importing torch again. What a sample looks like depends on (seed, epoch, position)
alone: neither the number of threads nor an interruption changes it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch

from cervseg.core.types import Augmentation, Configuration
from cervseg.preprocessing.prepare import (
    Frame,
    label_coverage,
    make_frame,
    normalize,
    warp_image,
    warp_target,
)
from cervseg.preprocessing.store import CaseStore
from cervseg.training.augment import apply_intensity, draw_augmentation


@dataclass(frozen=True, kw_only=True)
class Batch:
    """``image_BCHW`` float32, normalized; ``target_BLHW`` float32 {0, 1}; the ids of its cases."""

    image_BCHW: torch.Tensor
    target_BLHW: torch.Tensor
    cases: tuple[str, ...]


class FrameSource:
    """Frames of a preprocessed dataset, kept in memory while they fit.

    Args:
        store: a complete cache.
        configuration: the network frame and normalization.
        labels: foreground names and values.
        memory_bytes: what the kept frames may take together; the rest is read anew each time.
    """

    def __init__(
        self,
        store: CaseStore,
        *,
        configuration: Configuration,
        labels: Mapping[str, int],
        memory_bytes: int = 4 << 30,
    ) -> None:
        self._store, self._configuration, self._labels = store, configuration, dict(labels)
        self._free_bytes, self._kept = memory_bytes, dict[str, Frame]()

    @property
    def input_size(self) -> tuple[int, int]:
        """(height, width) of the network frame."""
        return self._configuration.input_size

    def frame(self, case: str) -> Frame:
        """The frame of one case with its labels."""
        kept = self._kept.get(case)
        if kept is not None:
            return kept
        stored = self._store.read(case)
        mask = stored.mask if stored.mask is not None else np.zeros(stored.pixels.shape[1:], np.uint8)
        frame = make_frame(
            stored.pixels,
            configuration=self._configuration,
            image_size=stored.record.image_size,
            coverage=label_coverage(mask, labels=self._labels, size=stored.pixels.shape[1:]),
            spacing_mm=stored.record.spacing_mm,
        )
        size = frame.planes.nbytes + (frame.coverage.nbytes if frame.coverage is not None else 0)
        if size <= self._free_bytes:
            self._free_bytes -= size
            self._kept[case] = frame
        return frame

    def sample(
        self, case: str, *, ranges: Augmentation | None, rng: np.random.Generator | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """(image C x h x w, target L x h x w) of one case, augmented if ranges and a generator are given."""
        frame = self.frame(case)
        if ranges is None or rng is None:
            return normalize(warp_image(frame), frame.normalization), warp_target(frame)
        draw = draw_augmentation(rng, ranges, size=self.input_size)
        image = apply_intensity(warp_image(frame, augmentation=draw.matrix), draw)
        return normalize(image, frame.normalization), warp_target(frame, augmentation=draw.matrix)


@dataclass(frozen=True, kw_only=True)
class BatchPlan:
    """Which cases a run sees: training shuffles and augments, validation does neither."""

    source: FrameSource
    cases: Sequence[str]
    batch_size: int
    num_workers: int
    ranges: Augmentation | None = None
    seed: int = 0

    @property
    def num_batches(self) -> int:
        """Batches in one epoch; the last one may be smaller."""
        return -(-len(self.cases) // self.batch_size)

    def epoch(self, number: int, *, start: int = 0) -> Iterator[Batch]:
        """The batches of epoch ``number``, from batch ``start`` on."""
        order = np.arange(len(self.cases))
        if self.ranges is not None:
            np.random.default_rng([self.seed, number]).shuffle(order)
        with ThreadPoolExecutor(max(1, self.num_workers), thread_name_prefix="batches") as pool:
            waiting: deque[Future[Batch]] = deque()
            try:
                for index in range(start, self.num_batches):
                    waiting.append(pool.submit(self._batch, number, index, order))
                    if len(waiting) > self.num_workers + 1:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()

    def _batch(self, epoch: int, index: int, order: np.ndarray) -> Batch:
        positions = order[index * self.batch_size : (index + 1) * self.batch_size]
        samples = []
        for position in positions:
            rng = np.random.default_rng([self.seed, epoch, int(position)]) if self.ranges else None
            samples.append(self.source.sample(self.cases[position], ranges=self.ranges, rng=rng))
        return Batch(
            image_BCHW=torch.from_numpy(np.stack([image for image, _ in samples])),
            target_BLHW=torch.from_numpy(np.stack([target for _, target in samples])),
            cases=tuple(self.cases[position] for position in positions),
        )
