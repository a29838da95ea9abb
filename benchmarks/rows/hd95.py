"""HD95 of six processes at 1024 x 1024: a close prediction, one with far outliers, and an empty one."""

from __future__ import annotations

import numpy as np
import torch
from monai.metrics import compute_hausdorff_distance

from benchmarks.harness import Row, in_turn
from cervseg.metrics.surface import surface_distances

SIDE = 1024


def measure(*, repeats: int) -> list[Row]:
    """Compare with MONAI, both as the maximum of the directed percentiles, on one thread each."""
    torch.set_num_threads(1)
    reference, near = _processes(), _processes(shift=3)
    outlier, empty = near.copy(), np.zeros_like(near)
    outlier[20:40, 20:40] = True
    rows = []
    for name, prediction in (("near", near), ("far outliers", outlier), ("empty", empty)):
        ours, theirs = _ours(prediction, reference), _theirs(prediction, reference)
        is_same = ours is None and not np.isfinite(theirs) if ours is None else abs(ours - theirs) < 1e-3
        taken, peers = in_turn(
            lambda mask=prediction: _ours(mask, reference),
            lambda mask=prediction: _theirs(mask, reference),
            repeats=5 * repeats,
        )
        rows.append(
            Row(
                work=f"HD95, {SIDE}, six processes, {name}",
                peer="MONAI compute_hausdorff_distance",
                ours=taken,
                theirs=peers,
                reach=4.0,
                agreement=f"{'undefined' if ours is None else f'{ours:.3f} px'}, MONAI {theirs:.3f}",
                is_same=bool(is_same),
            )
        )
    return rows


def _processes(*, shift: int = 0) -> np.ndarray:
    rows, columns = np.indices((SIDE, SIDE))
    mask = np.zeros((SIDE, SIDE), bool)
    for index in range(6):
        y, x = 150 + 140 * index + shift, 600 - 20 * index - shift
        mask |= ((rows - y) / 30) ** 2 + ((columns - x) / 80) ** 2 < 1
    return mask


def _ours(prediction: np.ndarray, reference: np.ndarray) -> float | None:
    found = surface_distances(prediction, reference)
    return None if found is None else found.hd95_max_directed


def _theirs(prediction: np.ndarray, reference: np.ndarray) -> float:
    planes = [torch.from_numpy(mask)[None, None] for mask in (prediction, reference)]
    return float(compute_hausdorff_distance(*planes, percentile=95))
