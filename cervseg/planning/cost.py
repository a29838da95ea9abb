"""Cost of networks: GFLOP of a forward pass, seconds of training. Estimates, good to a factor of two."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cervseg.networks.sizes import LITE_WIDTHS, RESIDUAL_BLOCKS
from cervseg.planning import constants
from cervseg.planning.constants import CNN, DEEPLAB, LITE, NNUNET, SEGFORMER, VIT, EncoderCost

Network = Mapping[str, Any]
Flop = Callable[[Network, int], float]  # the arguments of a network and the px of its frame


def forward_gflop(family: str, network: Network, input_size: tuple[int, int]) -> float:
    """Estimate the GFLOP of a forward pass of one image (a multiplication and an addition are two).

    Args:
        family: name of the configuration.
        network: arguments of the network.
        input_size: (height, width) of the frame in px.
    """
    return _FLOP[family](network, input_size[0] * input_size[1]) / 1e9


def pass_seconds(
    *, family: str, network: Network, input_size: tuple[int, int], cores: int, precision: str
) -> float:
    """Estimate the time in s that a CPU trains on one image: forward, loss and backward.

    Args:
        family: name of the configuration.
        network: arguments of the network.
        input_size: (height, width) of the frame in px.
        cores: number of cores.
        precision: number format of the forward pass.
    """
    speeds, scaling = constants.GFLOP_PER_S_A_CORE, min(cores, constants.CORES_THAT_SCALE)
    multiplications = constants.BACKWARD_FACTOR * forward_gflop(family, network, input_size)
    overheads = constants.OVERHEAD_CORE_S_PER_MEGAPIXEL
    overhead = overheads.get(family, 0.0) + (overheads[LITE] if network.get("stem") == "lite" else 0.0)
    core_s = multiplications / speeds.get(precision, speeds["float32"])
    return (core_s + overhead * input_size[0] * input_size[1] / 1e6) / scaling


def _vit_flop(network: Network, pixels: int) -> float:
    width, depth, patch, out = (network[k] for k in ("embed_dim", "depth", "patch_size", "out_chans"))
    window = network["window_size"]
    tokens = pixels / patch**2
    num_global = len(network["global_attn_indexes"]) if window else depth
    attended = num_global * tokens + (depth - num_global) * window**2
    encoder = tokens * (24 * width**2 * depth + 4 * width * attended)
    if network.get("stem") == "lite":
        encoder += pixels * 1e3 * constants.LITE_TOKENS_GFLOP + tokens * 2 * LITE_WIDTHS[3] * width
    else:
        encoder += tokens * 2 * 3 * patch**2 * width
    neck = tokens * 2 * (width * out + 9 * out**2)
    decoder, before = 0.0, out
    for stage, channels in enumerate(network["decoder_widths"]):
        decoder += tokens * 4**stage * 18 * (before * channels + 2 * channels**2)
        before = channels
    return float(encoder + neck + decoder)


def _unet_flop(network: Network, pixels: int) -> float:
    features, levels = network["features"], network["num_levels"]
    most = network.get("max_features", 1024)
    total = 0.0
    for level in range(levels + 1):
        channels = min(features * 2**level, most)
        before = min(channels, features * 2 ** (level - 1)) if level else 1
        here = pixels / 4**level
        if network.get("residual_encoder"):
            total += here * _residual_stage_flop(level, before, channels)
        else:
            total += here * 18 * (before * channels + channels**2)  # down
        if level < levels:  # up: transposed, then one or two convolutions of the concatenated maps
            num_units = 2 if network.get("residual_encoder") else 3
            total += here * (18 * num_units * channels**2 + 2 * 2 * channels**2)
    return total


def _residual_stage_flop(level: int, before: int, channels: int) -> float:
    """Count the FLOP per px of a stage of residual blocks, at the stage's resolution."""
    blocks = RESIDUAL_BLOCKS[min(level, len(RESIDUAL_BLOCKS) - 1)]
    first = 18 * before * channels  # the stem, or the first convolution of the first block
    shortcut = 2 * before * channels if level and before != channels else 0
    return first + shortcut + 18 * channels**2 * (2 * blocks - (1 if level else 0))


def _pretrained_flop(encoders: Mapping[str, EncoderCost]) -> Flop:
    """A published encoder as counted, and a decoder whose cost grows with the square of its width.

    An encoder that is not in the table is estimated as the most expensive of its family.
    """
    most = max(encoders.values(), key=lambda cost: cost.encoder)

    def flop(network: Network, pixels: int) -> float:
        cost = encoders.get(network["encoder"], most)
        width = network["decoder_channels"] / constants.COUNTED_DECODER_CHANNELS
        return float(pixels * 1e3 * (cost.encoder + cost.decoder * width**2))

    return flop


def _lite_flop(network: Network, pixels: int) -> float:
    widths = network["decoder_widths"]
    total = pixels * 1e3 * constants.LITE_ENCODER_GFLOP
    *skips, before = LITE_WIDTHS
    for level, (skip, after) in enumerate(zip(skips[::-1], widths)):  # at strides 16, 8, 4, 2
        total += pixels / 4 ** (4 - level) * 18 * ((before + skip) * after + after**2)
        before = after
    return float(total + pixels / 4 * 18 * before)  # the head, for one label


_FLOP: Mapping[str, Flop] = {
    VIT: _vit_flop,
    CNN: _unet_flop,
    DEEPLAB: _pretrained_flop(constants.ENCODER_COSTS[DEEPLAB]),
    SEGFORMER: _pretrained_flop(constants.ENCODER_COSTS[SEGFORMER]),
    NNUNET: _unet_flop,
    LITE: _lite_flop,
}
