"""Published sizes of networks, and the encoders they support. Without torch, so that plans can use them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

# Arguments of SAM's ViT-B image encoder (Kirillov et al. 2023), see :mod:`cervseg.networks.sam`.
VIT_B: Mapping[str, Any] = MappingProxyType(
    {
        "embed_dim": 768,
        "depth": 12,
        "num_heads": 12,
        "global_attn_indexes": (2, 5, 8, 11),
        "window_size": 14,
        "patch_size": 16,
        "out_chans": 256,
    }
)
RESNET_ENCODERS = ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152")
MIT_ENCODERS = ("mit_b0", "mit_b1", "mit_b2", "mit_b3", "mit_b4", "mit_b5")
LITE_WIDTHS = (16, 24, 40, 112, 320)  # channels of EfficientNet-Lite0's features, at strides 2, 4, 8, 16, 32
RESIDUAL_BLOCKS = (1, 3, 4, 6)  # per stage of the residual encoder, from full resolution; then 6 per stage
