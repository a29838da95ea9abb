"""A stream of images: what its report counts."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch

from cervseg.core.types import DatasetDescription
from cervseg.inference.inputs import ImageJob
from cervseg.inference.predictor import Predictor, Show
from cervseg.inference.stream import StreamOptions, StreamReport, predict_stream
from tests.checkpoints import described
from tests.inference.test_predictor import FRAME, checkpoint_of

LEVELS = {"background": 0, "C1": 1, "C2": 2, "C3": 3}


class Doubt(torch.nn.Module):
    """One part that may be any level; nothing in dark images."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        logits = torch.full((len(image), 3, *FRAME), -8.0)
        logits[:, :, 40:52, 20:40] = 8.0
        return logits if float(image.abs().max()) > 0 else torch.full_like(logits, -8.0)


def stream(folder: Path, *, show: Show) -> StreamReport:
    """Predict a noisy and a constant image."""
    checkpoint, _ = checkpoint_of("unet")
    dataset = DatasetDescription(
        name="D",
        channel_names=("xray",),
        labels=LEVELS,
        num_training=1,
        file_ending=".png",
        levels_of="process",
    )
    model = described(checkpoint.model.network, dataset=dataset, configuration=checkpoint.model.configuration)
    noise = np.random.default_rng(0).integers(0, 256, FRAME).astype(np.uint8)
    jobs = []
    for name, pixels in (("noise", noise), ("constant", np.zeros(FRAME, np.uint8))):
        cv2.imwrite(str(folder / f"{name}.png"), pixels)
        jobs.append(ImageJob(images=(folder / f"{name}.png",), mask=folder / f"{name}_mask.png"))
    predictor = Predictor([Doubt()], model=model, device=torch.device("cpu"), precision="float32", show=show)
    return predict_stream(predictor, jobs, options=StreamOptions(), progress=False)


def test_parts_without_a_level_are_counted(tmp_path: Path) -> None:
    """One in the first mask, of value 4; the second mask is empty."""
    report = stream(tmp_path, show="levels")
    assert report.unnamed == [(tmp_path / "noise_mask.png", 1)]
    assert report.empty == [tmp_path / "constant_mask.png"]
    mask = cv2.imread(str(tmp_path / "noise_mask.png"), cv2.IMREAD_UNCHANGED)
    assert set(np.unique(mask)) == {0, 4}


def test_the_structure_alone_has_no_levels_to_miss(tmp_path: Path) -> None:
    """Nobody asked for levels: nothing is counted."""
    assert stream(tmp_path, show="structure").unnamed == []
