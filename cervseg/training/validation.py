"""Validation during training: it selects the best checkpoint."""

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
    num_labels: int,
    device: torch.device,
    precision: str,
) -> float | None:
    """Compute the mean Dice (Eq. 15, threshold 0.5) in the network frame.

    The mean is over all cases and labels that the prediction or the reference contains, without the auxiliary
    labels. It only selects the checkpoint; reported scores are computed at the images' own size.

    Args:
        trainer: computes the logits.
        network: on ``device``; left in evaluation mode.
        validation: batches; None for no validation.
        num_labels: the number of labels that are scored; the planes after them are auxiliary.
        device: of the network.
        precision: of the forward pass, by name.

    Returns:
        The mean in [0, 1]; None without validation, or if there is no label anywhere.
    """
    if validation is None:
        return None
    network.eval()
    scores: list[torch.Tensor] = []
    for batch in validation.epoch(0):
        batch = batch.to(device)
        with autocast(device, precision):
            predicted = trainer.logits(network, batch)[:, :num_labels] > 0
        target = batch.target_BLHW[:, :num_labels] > 0.5
        both = 2.0 * (predicted & target).sum((2, 3))
        size = predicted.sum((2, 3)) + target.sum((2, 3))
        scores.append((both / size)[size > 0])
    found = torch.cat(scores)
    return float(found.mean()) if len(found) else None
