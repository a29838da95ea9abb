"""Two terms of the loss, forward and backward, on one map of 1024 x 1024, compared with MONAI."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from monai.losses import HausdorffDTLoss, SSIMLoss

from benchmarks.harness import Row, in_turn
from cervseg.losses.boundary import HausdorffSurrogate
from cervseg.losses.structure import StructuralSimilarity

SIDE = 1024


def measure(*, repeats: int) -> list[Row]:
    """Compare the Hausdorff surrogate and structural similarity."""
    probability, target = _maps()
    window = SSIMLoss(spatial_dims=2, data_range=1.0, win_size=11, kernel_sigma=1.5)
    rows = []
    for name, ours, theirs, reach, compare in (
        ("Hausdorff-DT surrogate", HausdorffSurrogate(), HausdorffDTLoss(), 8.0, _same_order),
        ("SSIM loss", StructuralSimilarity(), window, 4.0, _same_value),
    ):
        agreement, is_same = compare(ours, theirs, probability, target)
        taken, peers = in_turn(
            lambda term=ours: _both_ways(term, probability, target),
            lambda term=theirs: _both_ways(term, probability, target),
            repeats=repeats,
        )
        rows.append(
            Row(
                work=f"{name}, forward + backward, {SIDE}",
                peer=f"MONAI {type(theirs).__name__}",
                ours=taken,
                theirs=peers,
                reach=reach,
                agreement=agreement,
                is_same=is_same,
            )
        )
    return rows


def _maps() -> tuple[torch.Tensor, torch.Tensor]:
    """Create a target of six ellipses and a prediction that differs from them by a few px."""
    rows, columns = np.indices((SIDE, SIDE))
    target, near = np.zeros((SIDE, SIDE)), np.zeros((SIDE, SIDE))
    for index in range(6):
        y, x = 150 + 140 * index, 600 - 20 * index
        target += ((rows - y) / 30) ** 2 + ((columns - x) / 80) ** 2 < 1
        near += ((rows - y - 4) / 33) ** 2 + ((columns - x + 5) / 76) ** 2 < 1
    soft = torch.nn.functional.avg_pool2d(torch.from_numpy(near)[None, None].float(), 9, 1, 4)
    noise = 0.02 * torch.rand(soft.shape, generator=torch.Generator().manual_seed(0))
    return (0.9 * soft + noise).clamp(0, 1), torch.from_numpy(target)[None, None].float()


def _both_ways(
    term: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    probability: torch.Tensor,
    target: torch.Tensor,
) -> torch.Tensor:
    leaf = probability.clone().requires_grad_()
    value = term(leaf, target)
    value.backward()
    return value.detach()


def _same_value(
    ours: torch.nn.Module, theirs: torch.nn.Module, probability: torch.Tensor, target: torch.Tensor
) -> tuple[str, bool]:
    difference = abs(float(_both_ways(ours, probability, target) - _both_ways(theirs, probability, target)))
    return (
        f"values differ by {difference:.1e} (1e-3 allowed; MONAI pads, cervseg does not)",
        difference < 1e-3,
    )


def _same_order(
    ours: torch.nn.Module, theirs: torch.nn.Module, probability: torch.Tensor, target: torch.Tensor
) -> tuple[str, bool]:
    """Check that both increase for a worse mask; MONAI uses squared px without a limit, so values differ."""
    worse = probability.roll((25, 25), (2, 3))
    grows = [float(term(worse, target) / term(probability, target)) for term in (ours, theirs)]
    text = f"a shift of 25 px increases the loss {grows[0]:.1f} and {grows[1]:.1f} times"
    return f"{text}; units differ by design", min(grows) > 1
