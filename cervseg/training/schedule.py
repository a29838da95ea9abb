"""The learning rate over a training."""

from __future__ import annotations

import math

import torch

from cervseg.core.types import Hyperparameters


def set_learning_rate(
    optimizer: torch.optim.Optimizer, hyper: Hyperparameters, *, step_share: float, time_share: float
) -> float:
    """Set the learning rate of every parameter group: ``hyper.learning_rate`` times :func:`schedule`.

    The schedule follows the larger of both shares. With a time limit, ``time_share`` is
    (seconds before this call + seconds of this call) / (seconds before this call + limit of this call).
    So a resumed training neither repeats the warm-up nor stays at the low rate at which an earlier limit left
    it. If it gets more time than was planned before, the rate rises to that of a training of the new total
    length. At the end of this call it is zero. Without a limit, the schedule follows the epochs alone.

    The learning rate that the optimizer was created with is overwritten; a group's ``factor`` multiplies the
    scheduled rate.

    Args:
        optimizer: its groups are changed.
        hyper: learning rate and share of the warm-up.
        step_share: share of the steps of all epochs that is done, in [0, 1].
        time_share: share of the time that is over, in [0, 1]; 0 without a limit.

    Returns:
        The learning rate without the groups' factors.
    """
    rate = hyper.learning_rate * schedule(max(step_share, time_share), warmup=hyper.warmup_fraction)
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("factor", 1.0)
    return rate


def schedule(share: float, *, warmup: float) -> float:
    """Learning-rate factor in [0, 1]: linear warm-up, then a cosine to zero.

    Args:
        share: share of the training that is done, from 0; beyond 1 the factor stays 0.
        warmup: share of the training that the warm-up takes, in [0, 1].
    """
    if share < warmup:
        return (share + 1e-3) / (warmup + 1e-3)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (share - warmup) / max(1e-9, 1 - warmup))))
