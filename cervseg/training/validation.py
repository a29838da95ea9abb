"""How good a network is while it trains: what chooses the checkpoint."""

from __future__ import annotations

import torch
from torch import nn

from cervseg.training.data import BatchPlan
from cervseg.training.precision import autocast
from cervseg.training.trainer import Trainer


@torch.no_grad()
def mean_dice(
    trainer: Trainer,
    network: nn.Module,
    validation: BatchPlan | None,
    *,
    device: torch.device,
    precision: str,
) -> float | None:
    """Mean Dice (Eq. 15, threshold 0.5, network frame) over the cases and labels that either side has.

    This only chooses the checkpoint; the scores that are reported are measured at the images' own size.
    """
    if validation is None:
        return None
    network.eval()
    scores: list[torch.Tensor] = []
    for batch in validation.epoch(0):
        batch = batch.to(device)
        with autocast(device, precision):
            predicted = trainer.logits(network, batch) > 0
        target = batch.target_BLHW > 0.5
        both = 2.0 * (predicted & target).sum((2, 3))
        size = predicted.sum((2, 3)) + target.sum((2, 3))
        scores.append((both / size)[size > 0])
    found = torch.cat(scores)
    return float(found.mean()) if len(found) else None
