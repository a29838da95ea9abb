"""The Dice that selects the best checkpoint."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from cervseg.training.data import BatchPlan, FrameSource
from cervseg.training.trainer import Trainer
from cervseg.training.validation import mean_dice
from tests.training.tiny import CPU, blob_store, configuration


class Everything(nn.Module):
    """Finds two labels: the first nowhere but in the left half, the second everywhere."""

    def forward(self, image_BCHW: torch.Tensor) -> torch.Tensor:
        logits_BLHW = image_BCHW.new_ones(len(image_BCHW), 2, *image_BCHW.shape[2:])
        logits_BLHW[:, 0, :, image_BCHW.shape[3] // 2 :] = -1.0
        return logits_BLHW


def test_auxiliary_labels_do_not_select_the_checkpoint(tmp_path: Path) -> None:
    """Their planes follow those of the scored labels and change nothing."""
    source = FrameSource(
        blob_store(tmp_path, num=3), configuration=configuration(), labels={"disc": 1, "rib": 2}
    )
    batches = BatchPlan(source=source, cases=["c0", "c1", "c2"], batch_size=2, num_workers=1)

    def dice(num_labels: int) -> float:
        found = mean_dice(
            Trainer(), Everything(), batches, num_labels=num_labels, device=CPU, precision="float32"
        )
        assert found is not None
        return found

    target_HW = source.sample("c0")[1][0]
    half = target_HW.shape[1] // 2
    left, size = target_HW[:, :half].sum(), target_HW.sum() + target_HW.shape[0] * half
    assert abs(dice(1) - 2 * left / size) < 1e-6  # the discs are equal
    assert abs(dice(2) - dice(1) / 2) < 1e-6  # "rib" is in no image
