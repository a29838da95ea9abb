"""Plans and images for trainers that are small enough to train in a test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from cervseg.core.types import Plan
from cervseg.planning.planner import make_plan
from cervseg.training.data import Batch
from cervseg.training.trainer import Trainer
from tests.planning.invented import DESCRIPTION, images, processor
from tests.shapes import blob_image

SIZE = (64, 96)


def tiny_plan(
    configuration: str, network: Mapping[str, Any], *, labels: tuple[str, ...] = ("disc",), rate: float = 1e-3
) -> Plan:
    """A plan for images of 64 x 96 px with one configuration, which has this network."""
    plan = make_plan(description=DESCRIPTION, fingerprint=images(), hardware=processor(2))
    planned = plan.configurations[configuration]
    tiny = replace(
        planned,
        input_size=SIZE,
        network=dict(network),
        hyperparameters=replace(planned.hyperparameters, learning_rate=rate),
    )
    values = {"background": 0} | {label: value for value, label in enumerate(labels, start=1)}
    return replace(
        plan,
        dataset=replace(plan.dataset, labels=values),
        configurations={configuration: tiny},
    )


def blob_batch(num: int) -> Batch:
    """Images of one disc each, normalized."""
    drawn = [blob_image(SIZE, seed=seed) for seed in range(num)]
    image = np.stack([pixels for pixels, _ in drawn])[:, None].astype(np.float32)
    mask = np.stack([mask for _, mask in drawn])[:, None].astype(np.float32)
    return Batch(
        image_BCHW=torch.from_numpy((image - image.mean()) / image.std()),
        target_BLHW=torch.from_numpy(mask),
        cases=tuple(f"c{index}" for index in range(num)),
    )


def overfit(trainer: Trainer, network: nn.Module, plan: Plan, *, num_steps: int) -> float:
    """Train on two images that never change; returns the Dice of their prediction."""
    torch.manual_seed(0)
    batch, loss, optimizer = blob_batch(2), trainer.loss(plan), trainer.optimizer(network, plan)
    network.train()
    for _ in range(num_steps):
        optimizer.zero_grad()
        torch.stack(list(trainer.step(network, loss, batch).terms.values())).sum().backward()
        optimizer.step()
    network.eval()
    with torch.no_grad():
        predicted, target = trainer.logits(network, batch) > 0, batch.target_BLHW > 0.5
    return float(2 * (predicted & target).sum() / (predicted.sum() + target.sum()))
