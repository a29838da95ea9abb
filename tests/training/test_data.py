from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cervseg.core.types import Augmentation, Configuration, Hyperparameters
from cervseg.preprocessing.store import FORMAT, CaseRecord, CaseStore
from cervseg.training.data import BatchPlan, FrameSource
from tests.shapes import blob_image

CASES = tuple(f"c{index}" for index in range(7))


@pytest.fixture
def batches(tmp_path: Path) -> BatchPlan:
    """Seven discs, batches of three, shuffled and augmented."""
    store = CaseStore(folder=tmp_path)
    for index, case in enumerate(CASES):
        pixels, mask = blob_image((80, 60), seed=index)
        record = CaseRecord(
            format=FORMAT,
            id=case,
            group=case,
            image_size=(80, 60),
            spacing_mm=None,
            spacing_source="",
            source="",
        )
        store.write(record, pixels=pixels[None], mask=mask)
    configuration = Configuration(
        name="test",
        input_size=(64, 64),
        resize="pad",
        normalization="zscore",
        network={},
        loss="bce",
        hyperparameters=Hyperparameters(epochs=1, batch_size=3, learning_rate=1e-3),
        augmentation=Augmentation(),
    )
    source = FrameSource(store, configuration=configuration, labels={"disc": 1})
    return BatchPlan(source=source, cases=CASES, batch_size=3, num_workers=1, ranges=Augmentation(), seed=5)


def arrays(batches: BatchPlan, epoch: int, *, start: int = 0) -> list[np.ndarray]:
    return [
        array
        for batch in batches.epoch(epoch, start=start)
        for array in (batch.image_BCHW.numpy(), batch.target_BLHW.numpy())
    ]


def test_an_epoch_is_one_pass_over_the_cases(batches: BatchPlan) -> None:
    """Every case once; the last batch is smaller; shapes and values as promised."""
    made = list(batches.epoch(0))
    assert batches.num_batches == len(made) == 3
    assert sorted(case for batch in made for case in batch.cases) == list(CASES)
    assert [tuple(batch.image_BCHW.shape) for batch in made] == [(3, 1, 64, 64)] * 2 + [(1, 1, 64, 64)]
    assert {float(v) for batch in made for v in batch.target_BLHW.unique()} == {0.0, 1.0}


def test_neither_threads_nor_an_interruption_change_a_sample(batches: BatchPlan) -> None:
    """Three threads, or a start in the middle, give bit-equal batches; another epoch gives others."""
    expected = arrays(batches, 4)
    for array, again in zip(expected, arrays(replace(batches, num_workers=3), 4), strict=True):
        np.testing.assert_array_equal(array, again)
    for array, again in zip(expected[2:], arrays(batches, 4, start=1), strict=True):
        np.testing.assert_array_equal(array, again)
    assert any((a != b).any() for a, b in zip(expected, arrays(batches, 5), strict=True))


def test_validation_neither_shuffles_nor_augments(batches: BatchPlan) -> None:
    """In the order of the cases, and the same every time."""
    plain = replace(batches, ranges=None)
    assert [case for batch in plain.epoch(0) for case in batch.cases] == list(CASES)
    for array, again in zip(arrays(plain, 0), arrays(plain, 9), strict=True):
        np.testing.assert_array_equal(array, again)


def test_frames_beyond_the_memory_are_read_again(batches: BatchPlan) -> None:
    """Without memory to keep frames the batches are the same."""
    source = batches.source
    poor = FrameSource(source._store, configuration=source._configuration, labels={"disc": 1}, memory_bytes=0)
    for array, again in zip(arrays(batches, 1), arrays(replace(batches, source=poor), 1), strict=True):
        np.testing.assert_array_equal(array, again)


def test_a_bad_case_is_not_swallowed_by_its_thread(batches: BatchPlan) -> None:
    """An error in a thread reaches the loop instead of hanging it."""
    with pytest.raises(Exception, match="nowhere"):
        list(replace(batches, cases=("nowhere",)).epoch(0))


def test_share_of_a_step_by_hand(batches: BatchPlan) -> None:
    """Seven cases in batches of 2, 2, 2, 1: steps of three hold 6 and 1 of them, steps of two 4 and 3."""
    pairs = replace(batches, batch_size=2)
    shares = {count: [pairs.share_of_step(i, accumulate=count) for i in range(4)] for count in (1, 2, 3, 9)}
    assert shares[1] == [1, 1, 1, 1]
    assert shares[2] == [2 / 4, 2 / 4, 2 / 3, 1 / 3]
    assert shares[3] == [2 / 6, 2 / 6, 2 / 6, 1]
    assert shares[9] == [2 / 7, 2 / 7, 2 / 7, 1 / 7]


def test_images_that_never_change(batches: BatchPlan) -> None:
    """Without augmentation, or with a probability of none, every epoch shows the same."""
    assert not batches.is_fixed
    for ranges in (None, Augmentation(probability=0.0, flip_horizontal=1.0)):
        still = replace(batches, ranges=ranges, batch_size=1)
        assert still.is_fixed
        shown = [{b.cases[0]: b.image_BCHW for b in still.epoch(epoch)} for epoch in (0, 1)]
        for case in CASES:
            np.testing.assert_array_equal(shown[0][case], shown[1][case])


def test_batches_move_whole(batches: BatchPlan) -> None:
    """Every tensor goes to the device; images become channels last, values stay the same."""
    (batch, *_) = list(batches.epoch(0))
    wide = replace(batch, image_BCHW=batch.image_BCHW.expand(-1, 3, -1, -1))
    moved = wide.to(torch.device("cpu"))
    assert moved.image_BCHW.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(moved.image_BCHW, wide.image_BCHW)
    assert moved.cases == batch.cases
    assert wide.to(torch.device("meta")).target_BLHW.device.type == "meta"
