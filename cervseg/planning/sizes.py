"""Every number the planner chooses from: network sizes, pixel budgets, speeds. Tune here and nowhere else."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cervseg.core.types import Augmentation

VIT = "2d_vit"
CNN = "2d_cnn"
FAMILIES = (VIT, CNN)

MULTIPLE_PX = 32  # every side of a network frame is a multiple of this
CACHE_LONG_SIDE_PX = 1024  # preprocessing keeps films no longer than this
LARGE_GPU_GIB = 7.5  # cards sold with 8 GB report a little less


@dataclass(frozen=True, kw_only=True)
class Size:
    """One size of a network family.

    Args:
        network: the arguments of the family's network.
        learning_rate: what this size trains with.
        batch_size: where memory is no limit.
        memory_gib: activations of one film of ``frame_px`` in bfloat16 training; 0 = not limited by it.
        frame_px: the side of the square frame this size was published with.
    """

    network: Mapping[str, Any]
    learning_rate: float
    batch_size: int
    memory_gib: float = 0.0
    frame_px: int = 512


# SAM's ViT-B encoder with the paper's decoder: 90,457,984 parameters (paper, 2.4).
# "small" trains from scratch on a processor within an hour or two; "medium" is for 8 cores and more.
VIT_SIZES: Mapping[str, Size] = {
    "published": Size(
        network={
            "embed_dim": 768,
            "depth": 12,
            "num_heads": 12,
            "global_attn_indexes": [2, 5, 8, 11],
            "window_size": 14,
            "patch_size": 16,
            "out_chans": 256,
            "decoder_widths": [128, 64, 32, 16],
        },
        learning_rate=1e-4,
        batch_size=8,
        memory_gib=5.1,
        frame_px=1024,
    ),
    "medium": Size(
        network={
            "embed_dim": 384,
            "depth": 8,
            "num_heads": 6,
            "global_attn_indexes": [],
            "window_size": 0,  # every block attends to the whole frame
            "patch_size": 16,
            "out_chans": 192,
            "decoder_widths": [128, 64, 32, 16],
        },
        learning_rate=3e-4,
        batch_size=2,
    ),
    "small": Size(
        network={
            "embed_dim": 192,
            "depth": 6,
            "num_heads": 6,
            "global_attn_indexes": [],
            "window_size": 0,
            "patch_size": 16,
            "out_chans": 128,
            "decoder_widths": [96, 48, 24, 16],
        },
        learning_rate=6e-4,
        batch_size=2,
    ),
}

# "published": 4 levels, 64 initial filters (paper, 2.5.2).
UNET_SIZES: Mapping[str, Size] = {
    "published": Size(
        network={"features": 64, "num_levels": 4, "norm": "instance"},
        learning_rate=1e-3,
        batch_size=8,
        memory_gib=1.6,
        frame_px=512,
    ),
    "medium": Size(
        network={"features": 32, "num_levels": 5, "max_features": 512, "norm": "batch"},
        learning_rate=2e-3,
        batch_size=4,
    ),
    "small": Size(
        network={"features": 16, "num_levels": 5, "max_features": 256, "norm": "batch"},
        learning_rate=2e-3,
        batch_size=4,
    ),
}

SIZES: Mapping[str, Mapping[str, Size]] = {VIT: VIT_SIZES, CNN: UNET_SIZES}
MEDIUM_FROM_CORES = 8

# Without a large GPU: px of the network frame that each core pays for, the longest side, and how far
# the budget may be exceeded to fit the films' shape, or to keep thin structures visible.
PIXELS_A_CORE: Mapping[str, int] = {VIT: 50_000, CNN: 33_000}
ACCELERATOR_AS_CORES = 16  # a small GPU or Apple's, for the pixel budget and the size of the network
SMALL_LONG_SIDE_PX = 512
BUDGET_TOLERANCE = 1.1
THIN_STRUCTURE_PX = 3.5
THIN_STRUCTURE_OVERDRAFT = 2.0

# Optimizer state, weights and gradients of AdamW in float32, and what the driver takes.
GPU_FIXED_GIB = 2.0
GPU_USABLE = 0.9

# Training speed, measured on 2 cores of an AVX512-BF16 server processor (forward and backward, convolutions
# and attention alike within a factor of two). Only processors are timed: on a GPU time bounds nothing.
GFLOP_PER_S_A_CORE: Mapping[str, float] = {"bfloat16": 100.0, "float16": 50.0, "float32": 50.0}
CORES_THAT_SCALE = 32
BACKWARD_FACTOR = 3.0  # forward + backward against forward

IMAGE_PASSES = 20_000  # the paper's: 50 epochs of 400 films
EPOCHS_BOUNDS = (50, 1000)
LIGHT_AUGMENTATION = Augmentation(
    rotation_deg=8.0,
    scale=(0.9, 1.12),
    translation=0.04,
    gamma=(0.8, 1.25),
    contrast=(0.85, 1.15),
    brightness=0.05,
    noise=0.02,
    blur_px=0.7,
    probability=0.5,
)
FOLD_TIME_S = 3600.0  # what a fold may take on a processor
FEWEST_EPOCHS = 20  # whatever the time
TRAINING_SHARE = 0.8  # of the cases, in each of 5 folds


def forward_gflop(family: str, network: Mapping[str, Any], input_size: tuple[int, int]) -> float:
    """What one film costs in a forward pass, in GFLOP (a multiplication and an addition are two)."""
    pixels = input_size[0] * input_size[1]
    flop = _vit_flop(network, pixels) if family == VIT else _unet_flop(network, pixels)
    return flop / 1e9


def _vit_flop(network: Mapping[str, Any], pixels: int) -> float:
    width, depth, patch, out = (network[k] for k in ("embed_dim", "depth", "patch_size", "out_chans"))
    window = network["window_size"]
    tokens = pixels / patch**2
    num_global = len(network["global_attn_indexes"]) if window else depth
    attended = num_global * tokens + (depth - num_global) * window**2
    encoder = tokens * (24 * width**2 * depth + 4 * width * attended + 2 * 3 * patch**2 * width)
    neck = tokens * 2 * (width * out + 9 * out**2)
    decoder, before = 0.0, out
    for stage, channels in enumerate(network["decoder_widths"]):
        decoder += tokens * 4**stage * 18 * (before * channels + 2 * channels**2)
        before = channels
    return float(encoder + neck + decoder)


def _unet_flop(network: Mapping[str, Any], pixels: int) -> float:
    features, levels = network["features"], network["num_levels"]
    most = network.get("max_features", 1024)
    total = 0.0
    for level in range(levels + 1):
        channels = min(features * 2**level, most)
        before = min(channels, features * 2 ** (level - 1)) if level else 1
        here = pixels / 4**level
        total += here * 18 * (before * channels + channels**2)  # down
        if level < levels:
            total += here * (18 * 3 * channels**2 + 2 * 2 * channels**2)  # up: concatenated, then two
    return total


def pass_seconds(
    *, family: str, network: Mapping[str, Any], input_size: tuple[int, int], cores: int, precision: str
) -> float:
    """About how long a processor trains on one film, forward and backward."""
    speed = GFLOP_PER_S_A_CORE.get(precision, GFLOP_PER_S_A_CORE["float32"]) * min(cores, CORES_THAT_SCALE)
    return BACKWARD_FACTOR * forward_gflop(family, network, input_size) / speed


def whole_multiple(side: float, *, down: bool = False) -> int:
    """The multiple of 32 nearest to ``side`` (or below it), 32 at least."""
    count = math.floor(side / MULTIPLE_PX) if down else math.floor(side / MULTIPLE_PX + 0.5)
    return MULTIPLE_PX * max(1, count)
