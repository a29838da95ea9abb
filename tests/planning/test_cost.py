from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from cervseg.networks.cervspine import CervSpineNet
from cervseg.networks.dynunet import DynUNet
from cervseg.networks.lite import LiteUNet
from cervseg.networks.unet import UNet
from cervseg.planning.constants import COUNTED_DECODER_CHANNELS, ENCODER_COSTS, VIT_SIZES
from cervseg.planning.cost import forward_gflop, pass_seconds


def counted_gflop(network: nn.Module, *, channels: int, input_size: tuple[int, int]) -> float:
    """What torch counts in a forward pass of one image; nothing is computed."""
    network = network.eval().to("meta")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.empty(1, channels, *input_size, device="meta"))
    return counter.get_total_flops() / 1e9


def test_costs_grow_as_they_must() -> None:
    """ViT-B at 1024 costs about 0.94 TFLOP; a U-Net's cost grows with px and width squared."""
    vit = forward_gflop("2d_vit", VIT_SIZES["published"].network, (1024, 1024))
    assert vit == pytest.approx(940, rel=0.03)
    small = forward_gflop("2d_cnn", {"features": 32, "num_levels": 4}, (256, 256))
    assert forward_gflop("2d_cnn", {"features": 32, "num_levels": 4}, (512, 256)) == pytest.approx(2 * small)
    assert forward_gflop("2d_cnn", {"features": 64, "num_levels": 4}, (256, 256)) == pytest.approx(
        4 * small, rel=0.01
    )


@pytest.mark.parametrize(
    ("family", "network"),
    [
        ("2d_cnn", {"features": 16, "num_levels": 5, "max_features": 256, "norm": "batch"}),
        ("2d_nnunet", {"features": 32, "num_levels": 6, "max_features": 512, "norm": "instance"}),
    ],
)
def test_u_nets_cost_what_torch_counts(family: str, network: dict[str, Any]) -> None:
    """The formula agrees with torch's counter on the network itself."""
    counted = counted_gflop(UNet(input_size=(384, 320), **network), channels=1, input_size=(384, 320))
    assert forward_gflop(family, network, (384, 320)) == pytest.approx(counted, rel=0.02)


def test_a_hybrid_transformer_costs_what_torch_counts() -> None:
    """The small size, whose tokens come from convolutions; torch counts the softmax of attention too."""
    sizes = VIT_SIZES["small"].network
    network = CervSpineNet(
        input_size=(352, 288), **{k: tuple(v) if isinstance(v, list) else v for k, v in sizes.items()}
    )
    counted = counted_gflop(network, channels=1, input_size=(352, 288))
    assert forward_gflop("2d_vit", sizes, (352, 288)) == pytest.approx(counted, rel=0.1)


@pytest.mark.parametrize("levels", [1, 3, 7])
def test_a_residual_encoder_costs_what_torch_counts(levels: int) -> None:
    """The formula agrees with torch's counter; the published network needs 2.2 times the plain one's work."""
    arguments = {"features": 32, "num_levels": levels, "max_features": 512}
    size = (384, 256)
    network = DynUNet(input_size=size, residual_encoder=True, **arguments)
    counted = counted_gflop(network, channels=1, input_size=size)
    priced = forward_gflop("2d_nnunet", {**arguments, "residual_encoder": True}, size)
    assert priced == pytest.approx(counted, rel=0.02)
    if levels == 7:
        assert priced / forward_gflop("2d_nnunet", arguments, size) == pytest.approx(2.2, abs=0.1)


@pytest.mark.parametrize(
    ("family", "encoder"), [(family, encoder) for family, table in ENCODER_COSTS.items() for encoder in table]
)
def test_encoders_cost_what_torch_counts(family: str, encoder: str) -> None:
    """The table of encoders agrees with torch's counter, and so do decoders of another width."""
    smp = pytest.importorskip("segmentation_models_pytorch")
    size = (512, 512)
    megapixels = size[0] * size[1] / 1e6
    # All mit_b1 and larger have a decoder of the same inputs; they take seconds to build.
    for decoder_channels in (256, 128) if encoder < "mit_b2" or family == "2d_deeplab" else (256,):
        if family == "2d_deeplab":
            with torch.device("meta"):
                network = smp.DeepLabV3Plus(encoder, encoder_weights=None, decoder_channels=decoder_channels)
        else:
            network = smp.Segformer(
                encoder, encoder_weights=None, decoder_segmentation_channels=decoder_channels
            )
        counted = counted_gflop(network, channels=3, input_size=size)
        asked = {"encoder": encoder, "decoder_channels": decoder_channels}
        exactly = decoder_channels == COUNTED_DECODER_CHANNELS
        assert forward_gflop(family, asked, size) == pytest.approx(counted, rel=0.005 if exactly else 0.03)
        alone = counted_gflop(network.encoder, channels=3, input_size=size) / megapixels
        assert ENCODER_COSTS[family][encoder].encoder == pytest.approx(alone, rel=0.005)


def test_an_encoder_without_a_counted_cost_is_estimated() -> None:
    """Unknown names cost as much as the most expensive encoder of the family."""
    for family, known in (("2d_deeplab", "resnet152"), ("2d_segformer", "mit_b5")):
        costs = [
            forward_gflop(family, {"encoder": name, "decoder_channels": 256}, (512, 512))
            for name in ("new", known)
        ]
        assert costs[0] == costs[1] > 0


@pytest.mark.parametrize("widths", [[128, 64, 48, 32], [64, 32, 16, 8]])
def test_lite_costs_what_torch_counts(widths: list[int]) -> None:
    """The encoder's cost as counted plus that of the decoder's convolutions, at any width."""
    counted = counted_gflop(
        LiteUNet(input_size=(384, 320), decoder_widths=widths), channels=1, input_size=(384, 320)
    )
    assert forward_gflop("2d_lite", {"decoder_widths": widths}, (384, 320)) == pytest.approx(
        counted, rel=0.01
    )


def test_seconds_follow_cores_and_precision() -> None:
    """Twice the cores, half the time, as far as cores scale; float32 takes twice as long as bfloat16."""

    def seconds(cores: int, precision: str) -> float:
        network = {"encoder": "resnet18", "decoder_channels": 256}
        return pass_seconds(
            family="2d_deeplab", network=network, input_size=(512, 512), cores=cores, precision=precision
        )

    assert seconds(2, "bfloat16") == pytest.approx(2 * seconds(4, "bfloat16"))
    assert seconds(2, "float32") == pytest.approx(2 * seconds(2, "bfloat16"))
    assert seconds(32, "float32") == seconds(64, "float32")


UNET = {"features": 16, "num_levels": 5, "max_features": 256}
SMALL_VIT = {
    "embed_dim": 192,
    "depth": 6,
    "window_size": 0,
    "global_attn_indexes": [],
    "patch_size": 16,
    "out_chans": 128,
    "decoder_widths": [96, 48, 24, 16],
}


@pytest.mark.parametrize(
    ("family", "network", "input_size", "epoch_s"),
    [
        ("2d_cnn", UNET, (320, 224), 18.4),
        ("2d_vit", SMALL_VIT, (352, 288), 19.9),
        ("2d_vit", {**SMALL_VIT, "stem": "lite"}, (352, 288), 29.0),
        ("2d_vit", dict(VIT_SIZES["published"].network), (1024, 1024), 160 * 14.2),
    ],
)
def test_estimates_agree_with_timed_epochs(
    family: str, network: dict[str, Any], input_size: tuple[int, int], epoch_s: float
) -> None:
    """Timed training on two cores is estimated within a third.

    Epochs of 160 phantoms; of the published size one step (docs/LOG.md).
    """
    image_s = pass_seconds(
        family=family, network=network, input_size=input_size, cores=2, precision="bfloat16"
    )
    assert 160 * image_s == pytest.approx(epoch_s, rel=1 / 3)
