"""Constants of the planner: network sizes, pixel budgets, speeds. Tune them here and nowhere else."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cervseg.core.types import Augmentation
from cervseg.networks.sizes import VIT_B

VIT = "2d_vit"
CNN = "2d_cnn"
DEEPLAB = "2d_deeplab"
SEGFORMER = "2d_segformer"
NNUNET = "2d_nnunet"
LITE = "2d_lite"

# Weights that networks start from, in words.
SAM, IMAGENET = "SAM's ViT-B weights", "ImageNet weights"
SHIPPED = "the weights of the shipped model"
SHIPPED_TOKENS = "convolutions of the shipped model, which make its tokens"

MULTIPLE_PX = 32  # sides of a network frame are multiples of this
BOTTLENECK_PX = 4  # nnU-Net halves a side as long as this many px are left
CACHE_LONG_SIDE_PX = 1024  # longest side of preprocessed images
LARGE_GPU_GIB = 7.5  # GPUs sold with 8 GB report a little less


@dataclass(frozen=True, kw_only=True)
class Size:
    """One size of a network family.

    Args:
        network: arguments of the family's network.
        learning_rate: peak learning rate.
        batch_size: batch size if memory suffices.
        memory_gib: activations of one image of ``frame_px`` in bfloat16 training, about twice what the
            backward pass keeps; 0 if memory is not a limit.
        frame_px: side of the square frame that this size was published with.
        start: weights that it starts from, in words, where they are not its family's.
    """

    network: Mapping[str, Any]
    learning_rate: float
    batch_size: int
    memory_gib: float = 0.0
    frame_px: int = 512
    start: str = ""


# SAM's ViT-B encoder with the paper's decoder: 90,457,984 parameters (paper, 2.4).
# Smaller ones take their tokens from pretrained convolutions (stem "lite"): from scratch, a small transformer
# learns too slowly. "small" is for CPUs and starts from a shipped model; "medium" is for 8 cores and more.
VIT_SIZES: Mapping[str, Size] = {
    "published": Size(
        network={
            **VIT_B,
            "global_attn_indexes": list(VIT_B["global_attn_indexes"]),
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
            "window_size": 0,  # every block attends globally
            "patch_size": 16,
            "out_chans": 192,
            "decoder_widths": [128, 64, 32, 16],
            "stem": "lite",
        },
        learning_rate=3e-4,
        batch_size=4,
        start=SHIPPED_TOKENS,
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
            "stem": "lite",
        },
        learning_rate=6e-4,
        batch_size=4,
        start=SHIPPED,
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

# "published": ResNet-50 with ImageNet weights (paper, 2.5.1). Fine-tuning uses a lower learning rate than
# training from scratch: with AdamW usually 1e-4 to 3e-4.
DEEPLAB_SIZES: Mapping[str, Size] = {
    "published": Size(
        network={"encoder": "resnet50", "decoder_channels": 256},
        learning_rate=3e-4,
        batch_size=8,
        memory_gib=0.8,
    ),
    "medium": Size(
        network={"encoder": "resnet34", "decoder_channels": 256}, learning_rate=3e-4, batch_size=4
    ),
    "small": Size(network={"encoder": "resnet18", "decoder_channels": 256}, learning_rate=3e-4, batch_size=4),
}

# Paper, 2.5.4, without the size of its MiT encoder and without prompts; the rule ``network`` adds prompts.
SEGFORMER_SIZES: Mapping[str, Size] = {
    "published": Size(
        network={"encoder": "mit_b2", "decoder_channels": 256, "text_encoder": "minilm"},
        learning_rate=2e-4,
        batch_size=8,
        memory_gib=1.0,
    ),
    "medium": Size(
        network={"encoder": "mit_b1", "decoder_channels": 256, "text_encoder": "minilm"},
        learning_rate=2e-4,
        batch_size=4,
    ),
    "small": Size(
        network={"encoder": "mit_b0", "decoder_channels": 256, "text_encoder": "minilm"},
        learning_rate=2e-4,
        batch_size=4,
    ),
}

# nnU-Net (Isensee et al. 2021) in 2D: min(512, 32 * 2**level) filters; the rule ``network`` adds the number
# of levels. A CPU trains the same network with fewer filters.
NNUNET_SIZES: Mapping[str, Size] = {
    "published": Size(
        network={"features": 32, "max_features": 512, "norm": "instance"},
        learning_rate=1e-3,
        batch_size=12,
        memory_gib=0.7,
    ),
    "medium": Size(
        network={"features": 24, "max_features": 384, "norm": "instance"}, learning_rate=1e-3, batch_size=4
    ),
    "small": Size(
        network={"features": 16, "max_features": 256, "norm": "instance"}, learning_rate=1e-3, batch_size=4
    ),
}

# A U-Net on EfficientNet-Lite0 with ImageNet weights: the same small network on every machine.
LITE_NETWORK: Mapping[str, Any] = {"decoder_widths": [128, 64, 48, 32]}
LITE_SIZES: Mapping[str, Size] = {
    "published": Size(network=LITE_NETWORK, learning_rate=2e-3, batch_size=8, memory_gib=0.4),
    "medium": Size(network=LITE_NETWORK, learning_rate=2e-3, batch_size=4),
    "small": Size(network=LITE_NETWORK, learning_rate=2e-3, batch_size=4),
}
LITE_ENCODER_RATE = 0.3  # learning rate of the pretrained encoder, relative to the decoder's

SIZES: Mapping[str, Mapping[str, Size]] = {
    VIT: VIT_SIZES,
    CNN: UNET_SIZES,
    DEEPLAB: DEEPLAB_SIZES,
    SEGFORMER: SEGFORMER_SIZES,
    NNUNET: NNUNET_SIZES,
    LITE: LITE_SIZES,
}
MEDIUM_FROM_CORES = 8

# Not given in the paper; chosen by this project.
PAPER_LEARNING_RATES: Mapping[str, float] = {
    VIT: 1e-4,
    CNN: 1e-3,
    DEEPLAB: 1e-3,
    SEGFORMER: 1e-3,
    NNUNET: 1e-3,
    LITE: 1e-3,
}


@dataclass(frozen=True, kw_only=True)
class EncoderCost:
    """GFLOP of a forward pass per megapixel (10**6 px): encoder, and decoder of 256 channels."""

    encoder: float
    decoder: float


# Cost of encoders by family, as torch counts it at 512 x 512. The cost per px of MiT grows with the frame: up
# to a quarter less at 256 x 256, up to twice as much at 1024 x 1024.
ENCODER_COSTS: Mapping[str, Mapping[str, EncoderCost]] = {
    DEEPLAB: {
        "resnet18": EncoderCost(encoder=121.4, decoder=17.8),
        "resnet34": EncoderCost(encoder=222.8, decoder=17.8),
        "resnet50": EncoderCost(encoder=247.4, decoder=31.6),
        "resnet101": EncoderCost(encoder=395.4, decoder=31.6),
        "resnet152": EncoderCost(encoder=543.3, decoder=31.6),
    },
    SEGFORMER: {
        "mit_b0": EncoderCost(encoder=24.4, decoder=34.8),
        "mit_b1": EncoderCost(encoder=79.6, decoder=36.8),
        "mit_b2": EncoderCost(encoder=154.4, decoder=36.8),
        "mit_b3": EncoderCost(encoder=281.2, decoder=36.8),
        "mit_b4": EncoderCost(encoder=407.9, decoder=36.8),
        "mit_b5": EncoderCost(encoder=529.5, decoder=36.8),
    },
}
COUNTED_DECODER_CHANNELS = 256
# Per megapixel, as torch counts it: the whole encoder, and its stages up to stride 16.
LITE_ENCODER_GFLOP, LITE_TOKENS_GFLOP = 14.5, 9.7

# Without a large GPU: px of the network frame per core, the longest side, and the factors by which the
# budget may be exceeded to fit the images' shape, or to keep thin structures visible.
PIXELS_A_CORE: Mapping[str, int] = {
    VIT: 50_000,
    CNN: 33_000,
    DEEPLAB: 33_000,
    SEGFORMER: 33_000,
    NNUNET: 33_000,
    LITE: 70_000,
}
# px of the frame that a family has on any CPU: fewer would not save much time.
FEWEST_PIXELS: Mapping[str, int] = {LITE: 140_000}
ACCELERATOR_AS_CORES = 16  # a small GPU, or Apple's, counts as this many cores
SMALL_LONG_SIDE_PX = 512
BUDGET_TOLERANCE = 1.1
# Images are cropped to where the labels of this many lie, plus a margin on each side (fraction of the image's
# side), if at most this fraction of the image is left.
CROP_CASES, CROP_MARGIN, CROP_AREA = 40, 0.08, 0.6
THIN_STRUCTURE_PX = 3.5
THIN_STRUCTURE_OVERDRAFT = 2.0

# Weights, gradients and AdamW's state in float32, and the memory of the driver.
GPU_FIXED_GIB = 2.0
GPU_USABLE = 0.9

# Training speed, measured on 2 cores of a server CPU with AVX512-BF16 (forward and backward; convolutions
# and attention agree within a factor of two). Time is a limit on CPUs only, so GPUs have no entry.
GFLOP_PER_S_A_CORE: Mapping[str, float] = {"bfloat16": 100.0, "float16": 50.0, "float32": 50.0}
# Time of a training step besides its multiplications, in core-seconds per megapixel: the compound loss
# (distance transforms, SSIM) and norms. Small transformers spend half of their time there; LiteUNet's
# depthwise convolutions and norms are bound by memory. See docs/LOG.md.
OVERHEAD_CORE_S_PER_MEGAPIXEL: Mapping[str, float] = {VIT: 1.2, LITE: 0.7}
CORES_THAT_SCALE = 32
BACKWARD_FACTOR = 3.0  # forward and backward pass, relative to the forward pass

IMAGE_PASSES = 20_000  # as in the paper: 50 epochs of 400 images
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
# For networks that see phantoms or few images, and meet other ones later. See docs/LOG.md for its cost.
WIDE_AUGMENTATION = Augmentation(
    rotation_deg=20.0,
    scale=(0.75, 1.35),
    translation=0.1,
    shear_deg=6.0,
    gamma=(0.5, 2.0),
    contrast=(0.6, 1.5),
    brightness=0.15,
    noise=0.05,
    blur_px=1.5,
    elastic_probability=0.4,
    strong=0.7,
    curve_probability=0.4,
    equalize_probability=0.3,
    bias_probability=0.4,
    sharpness_probability=0.3,
    resolution_probability=0.25,
    grain_probability=0.3,
    impulse_probability=0.1,
    collimation_probability=0.2,
    inversion_probability=0.15,
    erase_probability=0.2,
)
NO_AUGMENTATION = Augmentation(
    rotation_deg=0.0,
    scale=(1.0, 1.0),
    translation=0.0,
    gamma=(1.0, 1.0),
    contrast=(1.0, 1.0),
    brightness=0.0,
    noise=0.0,
    blur_px=0.0,
    probability=0.0,
)
# Levels by name, for --set augmentation=wide; flips are not part of a level.
AUGMENTATIONS: Mapping[str, Augmentation] = {
    "off": NO_AUGMENTATION,
    "light": LIGHT_AUGMENTATION,
    "normal": Augmentation(),
    "wide": WIDE_AUGMENTATION,
}
FEW_CASES = 100  # training images per fold; with fewer, augmentation is wide
# Images are flipped if at least this many show the label and this fraction overlaps its mirror image.
MIRROR_CASES, MIRROR_OVERLAP = 20, 0.75
FOLD_TIME_S = 3600.0  # training time per fold on a CPU
FEWEST_EPOCHS = 20  # even if they take longer
TRAINING_SHARE = 0.8  # fraction of the cases in the training set of each of 5 folds


def whole_multiple(side: float, *, of_px: int = MULTIPLE_PX, down: bool = False) -> int:
    """Round a side to a multiple, at least to one.

    Args:
        side: in px.
        of_px: the number to be a multiple of.
        down: round down instead of to the nearest.
    """
    count = math.floor(side / of_px) if down else math.floor(side / of_px + 0.5)
    return of_px * max(1, count)
