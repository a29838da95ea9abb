"""Losses by name: their terms and weights. Without torch, so that plans can use the names."""

from __future__ import annotations

from collections.abc import Mapping

# Eq. 14, the losses of the compared networks (2.5) and of the ablations (2.7.2). The paper gives no weights
# for the ablations, so the remaining terms keep their weights.
LOSSES: Mapping[str, Mapping[str, float]] = {
    "cervspinenet": {"dice": 0.5, "focal_tversky": 0.3, "hausdorff": 0.1, "ssim": 0.1},
    # From random initialization, training with the published loss may get stuck at an empty mask, where its
    # gradient vanishes. The gradient of BCE does not vanish there (figures in docs/LOG.md).
    "cervspinenet_bce": {"dice": 0.5, "focal_tversky": 0.3, "hausdorff": 0.1, "ssim": 0.1, "bce": 1.0},
    "bce": {"bce": 1.0},
    "bce_dice": {"bce": 0.5, "dice": 0.5},
    "dice": {"dice": 1.0},
    "dice_ft": {"dice": 0.5, "focal_tversky": 0.3},
    "dice_ssim": {"dice": 0.5, "ssim": 0.1},
    "dice_ft_ssim": {"dice": 0.5, "focal_tversky": 0.3, "ssim": 0.1},
}
