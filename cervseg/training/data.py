"""Batches for the loop: cached frames, seeded shuffling and augmentation, prefetched in threads.

OpenCV and numpy release the interpreter lock, so threads are fast enough; they need no copies, leave no
orphaned processes and do not import torch again. A sample depends on (seed, epoch, position) only: neither
the number of threads nor an interruption changes it. That holds for a trainer's own transforms, too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

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
from cervseg.training.augment import (
    AugmentationDraw,
    apply_intensity,
    displacement_of,
    draw_augmentation,
    move_displacement,
)
from cervseg.training.transforms import apply_transforms

if TYPE_CHECKING:
    from batchgenerators.transforms.abstract_transforms import AbstractTransform


@dataclass(frozen=True, kw_only=True)
class Batch:
    """``image_BCHW`` float32, normalized; ``target_BLHW`` float32 {0, 1}; the ids of its cases.

    ``feature_BCHW`` is the output of the network's frozen encoder, where it is kept. A teacher sees the
    images in its own frame, ``teacher_BCHW``; ``to_teacher_B33`` float32 maps points (x, y, 1) of the images
    to that frame.
    """

    image_BCHW: torch.Tensor
    target_BLHW: torch.Tensor
    cases: tuple[str, ...]
    feature_BCHW: torch.Tensor | None = None
    teacher_BCHW: torch.Tensor | None = None
    to_teacher_B33: torch.Tensor | None = None

    def to(self, device: torch.device) -> Batch:
        """Move the batch to a device; images and features become channels last, for fast convolutions."""
        moved: dict[str, Any] = {}
        for name, value in vars(self).items():
            if isinstance(value, torch.Tensor):
                layout = torch.channels_last if name.endswith("_BCHW") else torch.preserve_format
                moved[name] = value.to(device, memory_format=layout, non_blocking=True)
        return replace(self, **moved)


class FrameSource:
    """Frames of a preprocessed dataset, kept in memory as far as they fit.

    Args:
        store: a complete cache.
        configuration: the network frame and normalization.
        labels: foreground names and values.
        memory_bytes: for all kept frames; the others are read each time.
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

    def sample(self, case: str, *, draw: AugmentationDraw | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Return the image C x h x w and the target L x h x w of one case, augmented as drawn."""
        frame = self.frame(case)
        if draw is None:
            return normalize(warp_image(frame), frame.normalization), warp_target(frame)
        displacement = displacement_of(draw, size=self.input_size)
        image = warp_image(frame, augmentation=draw.matrix, displacement=displacement)
        target = warp_target(frame, augmentation=draw.matrix, displacement=displacement)
        return normalize(apply_intensity(image, draw), frame.normalization), target

    def view(
        self, case: str, *, of: FrameSource, draw: AugmentationDraw | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return a case in this frame with the geometric augmentation that another source applied.

        Args:
            case: its id.
            of: the other source.
            draw: its augmentation; intensities stay unchanged here.

        Returns:
            The image C x h x w and the 3 x 3 matrix from the other frame to this one.
        """
        frame = self.frame(case)
        from_other = frame.placement.matrix_to_network @ of.frame(case).placement.matrix_to_image
        matrix = displacement = None
        if draw is not None and draw.matrix is not None:
            matrix = from_other @ draw.matrix @ np.linalg.inv(from_other)
        if draw is not None:
            theirs = displacement_of(draw, size=of.input_size)
            displacement = move_displacement(theirs, from_other, size=self.input_size)
        image = warp_image(frame, augmentation=matrix, displacement=displacement)
        return normalize(image, frame.normalization), from_other


@dataclass(frozen=True, kw_only=True)
class BatchPlan:
    """The cases of an epoch and how they are batched: training shuffles and augments, validation does not.

    ``transforms`` follow the augmentation, see :mod:`cervseg.training.transforms`; they may move the image,
    so there is no teacher with them. ``features`` holds the output of a frozen encoder for each case,
    C x h x w. ``teacher`` is the source of a teacher's view of the images.
    """

    source: FrameSource
    cases: Sequence[str]
    batch_size: int
    num_workers: int
    ranges: Augmentation | None = None
    transforms: Sequence[AbstractTransform] = ()
    seed: int = 0
    features: Mapping[str, torch.Tensor] | None = None
    teacher: FrameSource | None = None

    @property
    def is_fixed(self) -> bool:
        """Whether every epoch has the same images."""
        return self.ranges is None or (self.ranges.probability == 0 and not self.transforms)

    @property
    def num_batches(self) -> int:
        """Batches in one epoch; the last one may be smaller."""
        return -(-len(self.cases) // self.batch_size)

    def epoch(self, number: int, *, start: int = 0) -> Iterator[Batch]:
        """Yield the batches of epoch ``number``, from batch ``start`` on."""
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

    def share_of_step(self, index: int, *, accumulate: int) -> float:
        """Return the share of batch ``index`` in the cases of its step of ``accumulate`` batches."""
        first = index - index % accumulate
        last = min(first + accumulate, self.num_batches)
        return self._size(index, index + 1) / self._size(first, last)

    def _size(self, start: int, stop: int) -> int:
        """Count the cases in batches ``start`` to ``stop``, without ``stop``."""
        return min(stop * self.batch_size, len(self.cases)) - start * self.batch_size

    def _batch(self, epoch: int, index: int, order: np.ndarray) -> Batch:
        positions = order[index * self.batch_size : (index + 1) * self.batch_size]
        cases = tuple(self.cases[position] for position in positions)
        draws = [self._draw(epoch, int(position)) for position in positions]
        samples = [self.source.sample(case, draw=draw) for case, draw in zip(cases, draws, strict=True)]
        if self.transforms and self.ranges is not None:
            samples = [
                apply_transforms(self.transforms, *sample, seed=(self.seed, epoch, int(position), 2))
                for sample, position in zip(samples, positions, strict=True)
            ]
        batch = Batch(
            image_BCHW=_stacked([image for image, _ in samples]),
            target_BLHW=_stacked([target for _, target in samples]),
            cases=cases,
        )
        if self.features is not None:
            batch = replace(batch, feature_BCHW=torch.stack([self.features[case] for case in cases]))
        if self.teacher is not None:
            views = [
                self.teacher.view(case, of=self.source, draw=draw)
                for case, draw in zip(cases, draws, strict=True)
            ]
            batch = replace(
                batch,
                teacher_BCHW=_stacked([image for image, _ in views]),
                to_teacher_B33=_stacked([matrix for _, matrix in views]).float(),
            )
        return batch

    def _draw(self, epoch: int, position: int) -> AugmentationDraw | None:
        if self.ranges is None:
            return None
        rng, second = (np.random.default_rng([self.seed, epoch, position, *more]) for more in ((), (1,)))
        return draw_augmentation(rng, self.ranges, size=self.source.input_size, second=second)


def _stacked(arrays: Sequence[np.ndarray]) -> torch.Tensor:
    return torch.from_numpy(np.stack(arrays))
