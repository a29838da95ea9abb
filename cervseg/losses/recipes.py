"""The losses by name, as data: the terms and their weights. Without torch, so that plans can name them."""

from __future__ import annotations

from collections.abc import Mapping

# Eq. 14, the losses of the compared systems (2.5) and the ablations (2.7.2). The paper gives no weights for
# the ablations: the terms that are left keep theirs.
LOSSES: Mapping[str, Mapping[str, float]] = {
    "cervspinenet": {"dice": 0.5, "focal_tversky": 0.3, "hausdorff": 0.1, "ssim": 0.1},
    # From random weights the published loss may settle on an empty mask, where its gradient vanishes; beside
    # it BCE, whose gradient never does (figures in docs/LOG.md).
    "cervspinenet_bce": {"dice": 0.5, "focal_tversky": 0.3, "hausdorff": 0.1, "ssim": 0.1, "bce": 1.0},
    "bce": {"bce": 1.0},
    "bce_dice": {"bce": 0.5, "dice": 0.5},
    "dice": {"dice": 1.0},
    "dice_ft": {"dice": 0.5, "focal_tversky": 0.3},
    "dice_ssim": {"dice": 0.5, "ssim": 0.1},
    "dice_ft_ssim": {"dice": 0.5, "focal_tversky": 0.3, "ssim": 0.1},
}
