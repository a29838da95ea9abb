"""Features of a frozen encoder, computed once: an epoch then costs the decoder only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

import torch
from torch import nn

from cervseg.core.progress import progress_bar
from cervseg.networks.base import Splittable
from cervseg.training.data import BatchPlan
from cervseg.training.precision import autocast
from cervseg.training.trainer import Trainer


def keep_features(
    trainer: Trainer,
    network: nn.Module,
    training: BatchPlan,
    validation: BatchPlan | None,
    *,
    device: torch.device,
    precision: str,
    memory_bytes: int,
) -> tuple[BatchPlan, BatchPlan | None]:
    """Add the features of their cases, on the CPU, to the batches, where they can be kept.

    They cannot be kept where images change from epoch to epoch, where the network is not a
    :class:`~cervseg.networks.base.Splittable`, where the trainer overrides ``logits``, or where they do not
    fit into ``memory_bytes``. They have the encoder's precision, so that training gives the same result as
    without them, up to the rounding of batches of another composition.

    Args:
        trainer: computes the logits.
        network: on ``device``, its encoder frozen.
        training: batches to train on.
        validation: batches to validate on; None where there are none.
        device: of the network.
        precision: of the forward pass, by name.
        memory_bytes: for the features of both.

    Returns:
        Training and validation batches.
    """
    if not isinstance(network, Splittable) or type(trainer).logits is not Trainer.logits:
        return training, validation
    kept = []
    for plan in (training, validation):
        features = None
        if plan is not None and plan.is_fixed:
            features = _features(network, plan, device=device, precision=precision, memory_bytes=memory_bytes)
        memory_bytes -= num_bytes(features)
        kept.append(features)
    return replace(training, features=kept[0]), validation and replace(validation, features=kept[1])


def what_is_kept(training: BatchPlan, validation: BatchPlan | None) -> str:
    """Describe in one sentence which features are kept."""
    both = {**(training.features or {}), **((validation and validation.features) or {})}
    if not both:
        return "features of the frozen encoder: cannot be kept, every epoch computes them again"
    text = f"features of the frozen encoder: {len(both)} images kept, {num_bytes(both) / 2**30:.2f} GiB"
    if not training.is_fixed:
        text += (
            "; augmented images need the encoder in every epoch (--set probability=0 turns augmentation off)"
        )
    return text


def num_bytes(features: Mapping[str, torch.Tensor] | None) -> int:
    """The memory that features take."""
    return sum(feature_CHW.nbytes for feature_CHW in (features or {}).values())


@torch.no_grad()
def _features(
    network: nn.Module, plan: BatchPlan, *, device: torch.device, precision: str, memory_bytes: int
) -> dict[str, torch.Tensor] | None:
    network.eval()
    features: dict[str, torch.Tensor] = {}
    with progress_bar(total=len(plan.cases), label="frozen encoder", unit="image", log=True) as bar:
        for batch in plan.epoch(0):
            with autocast(device, precision):
                feature_BCHW = cast(Splittable, network).encode(batch.to(device).image_BCHW).cpu()
            if feature_BCHW[0].nbytes * len(plan.cases) > memory_bytes:
                return None
            features |= zip(batch.cases, feature_BCHW.contiguous().unbind())
            bar.update(len(batch.cases))
    return features
