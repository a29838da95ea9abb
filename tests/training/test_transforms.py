import random
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from batchgenerators.transforms.abstract_transforms import AbstractTransform
from batchgenerators.transforms.color_transforms import (
    BrightnessMultiplicativeTransform,
    ContrastAugmentationTransform,
    GammaTransform,
)
from batchgenerators.transforms.noise_transforms import GaussianBlurTransform, GaussianNoiseTransform
from batchgenerators.transforms.resample_transforms import SimulateLowResolutionTransform
from batchgenerators.transforms.spatial_transforms import MirrorTransform, SpatialTransform
from batchgenerators.transforms.utility_transforms import NumpyToTensor, RemoveLabelTransform, RenameTransform

from cervseg.core.errors import CervsegError
from cervseg.core.types import Augmentation
from cervseg.training.data import BatchPlan
from cervseg.training.transforms import apply_transforms
from tests.training.tiny import InterruptedTrainer, blob_batches, hyper, run, state_of, tiny_network

IMAGE = np.random.default_rng(0).standard_normal((1, 32, 32)).astype(np.float32)
TARGET = np.zeros((2, 32, 32), np.float32)
TARGET[0, 4:9, 20:30] = TARGET[1, 20:28, 3:6] = 1


def nnunet_list(side: int = 32) -> list[AbstractTransform]:
    """The list of nnU-Net's trainers, every transform certain to act or drawn, with its last three steps."""
    return [
        SpatialTransform(
            (side, side),
            do_elastic_deform=False,
            angle_x=(-0.5, 0.5),
            scale=(0.7, 1.4),
            border_mode_data="constant",
            order_data=1,
            random_crop=False,
            border_cval_seg=-1,
            order_seg=1,
        ),
        GaussianNoiseTransform(p_per_sample=0.5),
        GaussianBlurTransform((0.5, 1.0), p_per_sample=0.5, p_per_channel=0.5),
        BrightnessMultiplicativeTransform(multiplier_range=(0.75, 1.25), p_per_sample=0.5),
        ContrastAugmentationTransform(p_per_sample=0.5),
        SimulateLowResolutionTransform(
            zoom_range=(0.5, 1), p_per_channel=0.5, order_downsample=0, order_upsample=3, p_per_sample=0.5
        ),
        GammaTransform((0.7, 1.5), True, True, retain_stats=True, p_per_sample=0.5),
        GammaTransform((0.7, 1.5), False, True, retain_stats=True, p_per_sample=0.5),
        MirrorTransform((0, 1)),
        RemoveLabelTransform(-1, 0),
        RenameTransform("seg", "target", True),
        NumpyToTensor(["data", "target"], "float"),
    ]


class Drawn:
    """Adds a number from each global generator; waits in between, so that threads would mix."""

    def __call__(self, *, data: np.ndarray, seg: np.ndarray) -> dict[str, np.ndarray]:
        """Shift the image by two random numbers."""
        first = np.random.random()
        np.linalg.svd(np.ones((60, 60)))  # lets other threads run
        return {"data": data + np.float32(first + random.random()), "seg": seg}


def test_mirroring_by_hand() -> None:
    """Image and target are mirrored together; the arrays given stay as they are."""
    image, target = IMAGE.copy(), TARGET.copy()
    mirrored = {True: 0, False: 0}
    for seed in range(20):
        changed, labels = apply_transforms([MirrorTransform((1,))], image, target, seed=(seed,))
        was = bool((changed != IMAGE).any())
        mirrored[was] += 1
        np.testing.assert_array_equal(changed, IMAGE[..., ::-1] if was else IMAGE)
        np.testing.assert_array_equal(labels, TARGET[..., ::-1] if was else TARGET)
    assert min(mirrored.values()) > 0
    np.testing.assert_array_equal(image, IMAGE)
    np.testing.assert_array_equal(target, TARGET)


def test_an_image_depends_on_its_seed_and_the_global_generators_are_restored() -> None:
    """Equal seeds, equal images, others differ; numpy and Python draw on as if nothing had happened."""
    np.random.seed(3)
    random.seed(3)
    expected = np.random.random(), random.random()
    np.random.seed(3)
    random.seed(3)
    made = [apply_transforms(nnunet_list(), IMAGE, TARGET, seed=seed) for seed in ((1, 2), (1, 2), (1, 3))]
    assert (np.random.random(), random.random()) == expected
    np.testing.assert_array_equal(made[0][0], made[1][0])
    np.testing.assert_array_equal(made[0][1], made[1][1])
    assert (made[0][0] != made[2][0]).any()
    for image, target in made:
        assert image.shape == IMAGE.shape
        assert (image.dtype, target.dtype) == (np.float32, np.float32)
        assert set(np.unique(target)) == {0.0, 1.0}


class Broken:
    """Returns what it is told."""

    def __init__(self, result: dict[str, Any]) -> None:
        self.result = result

    def __call__(self, **data: np.ndarray) -> dict[str, Any]:
        """The result."""
        return self.result


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ({"data": IMAGE[None]}, "return no 'seg'"),
        ({"data": IMAGE[None, :, 1:], "seg": TARGET[None]}, r"change 'data' .* to \(1, 1, 31, 32\)"),
        ({"data": IMAGE[None], "seg": TARGET[None, :1]}, "change 'seg'"),
    ],
)
def test_transforms_that_change_the_size_are_refused(result: dict[str, Any], expected: str) -> None:
    """The message names the transform and the sizes; the lock is free and the generators are restored."""
    with pytest.raises(CervsegError, match=expected) as raised:
        apply_transforms([Broken(result)], IMAGE, TARGET, seed=(0,))
    assert raised.value.where == "Broken"
    apply_transforms([], IMAGE, TARGET, seed=(0,))


def arrays(batches: BatchPlan, epoch: int, *, start: int = 0) -> list[np.ndarray]:
    return [batch.image_BCHW.numpy() for batch in batches.epoch(epoch, start=start)]


@pytest.mark.parametrize("transforms", [[Drawn()], nnunet_list()])
def test_neither_threads_nor_the_batch_size_change_a_sample(
    tmp_path: Path, transforms: Sequence[AbstractTransform]
) -> None:
    """Four threads, a start in the middle or another batch size give bit-equal images."""
    batches = replace(blob_batches(tmp_path, num=8, ranges=Augmentation()), transforms=transforms)
    expected = arrays(batches, 1)
    for _ in range(3):
        for array, again in zip(expected, arrays(replace(batches, num_workers=4), 1), strict=True):
            np.testing.assert_array_equal(array, again)
    for array, again in zip(expected[2:], arrays(batches, 1, start=2), strict=True):
        np.testing.assert_array_equal(array, again)
    singly = arrays(replace(batches, batch_size=1, num_workers=4), 1)
    np.testing.assert_array_equal(np.concatenate(expected), np.concatenate(singly))
    assert any((a != b).any() for a, b in zip(expected, arrays(batches, 2), strict=True))
    without = arrays(replace(batches, transforms=()), 1)
    assert all((a != b).any() for a, b in zip(expected, without, strict=True))


def test_validation_is_not_transformed(tmp_path: Path) -> None:
    """Without ranges there are no transforms either, and every epoch is the same."""
    batches = replace(blob_batches(tmp_path, num=4), transforms=nnunet_list())
    assert not batches.is_fixed
    plain = replace(batches, ranges=None)
    assert plain.is_fixed
    for array, expected in zip(arrays(plain, 0), arrays(replace(plain, transforms=()), 0), strict=True):
        np.testing.assert_array_equal(array, expected)


def test_an_interrupted_run_with_transforms_ends_bit_equal(tmp_path: Path) -> None:
    """Stopped in the second epoch and resumed with other threads: the same weights as undisturbed."""
    batches = replace(
        blob_batches(tmp_path / "store", num=6, ranges=Augmentation()), transforms=nnunet_list()
    )
    whole, stopped = tiny_network(), tiny_network()
    run(whole, batches, tmp_path / "whole", hyperparameters=hyper())
    trainer = InterruptedTrainer(num_batches=4)
    with pytest.raises(KeyboardInterrupt):
        run(stopped, batches, tmp_path / "stopped", hyperparameters=hyper(), trainer=trainer)
    resumed = tiny_network(seed=9)
    run(resumed, replace(batches, num_workers=4), tmp_path / "stopped", hyperparameters=hyper())
    expected, found = state_of(whole), state_of(resumed)
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_commands_do_not_import_batchgenerators() -> None:
    """Importing it takes seconds: only a trainer that uses it pays."""
    code = "import sys, cervseg.pipeline.train; sys.exit('batchgenerators' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
