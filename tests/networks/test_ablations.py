"""Architectural ablations of CervSpineNet: their sizes and their parts."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from cervseg.networks.ablations import PureCNNBasic, PureCNNFull, SimpleStage, ViTBasic
from cervseg.networks.base import Splittable, num_parameters
from cervseg.networks.cervspine import CervSpineNet

VIT = {"embed_dim": 24, "depth": 2, "num_heads": 2, "global_attn_indexes": (1,), "window_size": 3}
SIZES = {"out_chans": 32, "decoder_widths": (16, 16, 8, 8)}
ABLATIONS = [(PureCNNBasic, {}), (PureCNNFull, {}), (ViTBasic, VIT)]


def shapes(part: torch.nn.Module) -> dict[str, torch.Size]:
    """Return the shapes of a module's tensors by name."""
    return {name: tensor.shape for name, tensor in part.state_dict().items()}


@pytest.mark.parametrize(
    ("network", "encoder", "decoder"),
    [
        (PureCNNBasic, 388_896, 391_937),
        (PureCNNFull, 388_896, 787_072),
        (ViTBasic, 89_670_912, 391_937),
        (CervSpineNet, 89_670_912, 787_072),
    ],
)
def test_published_sizes(network, encoder, decoder):
    """Numbers of parameters at 1024 x 1024 px equal those in the docstrings."""
    with torch.device("meta"):
        built = network()
        feature = built.encode(torch.empty(1, 1, 1024, 1024))
    assert feature.shape == (1, 256, 64, 64)
    assert (num_parameters(built.encoder), num_parameters(built.decoder)) == (encoder, decoder)
    if network is not CervSpineNet:
        assert f"{encoder + decoder:,} parameters" in network.__doc__


@pytest.mark.parametrize(("network", "more"), ABLATIONS)
@pytest.mark.parametrize("patch_size", [16, 8])
def test_only_the_named_part_differs(network, more, patch_size):
    """The other part equals CervSpineNet's; a simple decoder has a subset of the full one's tensors."""
    with torch.device("meta"):
        whole = CervSpineNet(input_size=(64, 96), patch_size=patch_size, **VIT, **SIZES)
        built = network(input_size=(64, 96), patch_size=patch_size, **more, **SIZES)
    assert (shapes(built.encoder) == shapes(whole.encoder)) == (network is ViTBasic)
    assert (shapes(built.decoder) == shapes(whole.decoder)) == (network is PureCNNFull)
    assert shapes(built.decoder).items() <= shapes(whole.decoder).items()


@pytest.mark.parametrize(("network", "more"), ABLATIONS)
@pytest.mark.parametrize(
    ("patch_size", "in_channels", "num_labels", "input_size"),
    [(16, 1, 1, (96, 64)), (8, 3, 3, (40, 48)), (4, 1, 2, (16, 24))],
)
def test_shapes_and_gradients(network, more, patch_size, in_channels, num_labels, input_size):
    """Logits have the input's size, and every parameter gets a gradient, also at batch size 1."""
    torch.manual_seed(0)
    built = network(
        in_channels=in_channels,
        num_labels=num_labels,
        input_size=input_size,
        patch_size=patch_size,
        **more,
        **SIZES,
    )
    logits = built(torch.randn(1, in_channels, *input_size))
    assert logits.shape == (1, num_labels, *input_size)
    logits.square().mean().backward()
    assert [name for name, p in built.named_parameters() if p.grad is None or not p.grad.any()] == []


@pytest.mark.parametrize(("network", "more"), ABLATIONS)
def test_forward_is_decode_of_encode(network, more):
    """forward equals decode(encode(x)); grey and the same image as RGB give equal logits."""
    built = network(input_size=(64, 96), **more, **SIZES).eval()
    assert isinstance(built, Splittable)
    image = torch.randn(2, 1, 64, 96)
    with torch.no_grad():
        logits = built(image)
        assert torch.equal(built.decode(built.encode(image)), logits)
        built.in_channels = 3
        torch.testing.assert_close(built(image.repeat(1, 3, 1, 1)), logits)


def test_cnn_encoder_by_hand():
    """Each block is convolution, batch norm, ReLU and 2 x 2 max pooling; channels double."""
    encoder = PureCNNBasic(input_size=(32, 48), patch_size=4, **SIZES).encoder.train()
    image = torch.randn(2, 3, 32, 48)
    expected = image
    for convolution, norm, *_ in encoder:
        expected = functional.conv2d(expected, convolution.weight, padding=1)
        expected = functional.batch_norm(expected, None, None, norm.weight, norm.bias, training=True)
        expected = functional.max_pool2d(functional.relu(expected), 2)
    torch.testing.assert_close(encoder(image), expected)
    with torch.device("meta"):
        published = PureCNNBasic().encoder
    assert [block[0].out_channels for block in published] == [32, 64, 128, 256]


def test_simple_stage_is_equation_2():
    """The stage computes ReLU(K * F + b)."""
    stage, feature = SimpleStage(in_channels=4, out_channels=6), torch.randn(2, 4, 5, 6)
    convolution = stage.convolution[0]
    expected = functional.relu(functional.conv2d(feature, convolution.weight, convolution.bias, padding=1))
    torch.testing.assert_close(stage(feature), expected)


@pytest.mark.parametrize(("network", "more"), ABLATIONS)
def test_runs_in_bfloat16_and_channels_last(network, more):
    """The networks train in bfloat16 with channels last."""
    built = network(input_size=(64, 96), **more, **SIZES).to(memory_format=torch.channels_last).train()
    image = torch.randn(2, 1, 64, 96).to(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        loss = built(image).float().square().mean()
    loss.backward()
    assert all(p.grad.isfinite().all() for p in built.parameters())


def test_invalid_sizes_are_errors_with_a_hint():
    """Invalid channels, image size, patch size and widths are ValueErrors."""
    with pytest.raises(ValueError, match="in_channels must be 1 or 3"):
        PureCNNBasic(in_channels=2, input_size=(64, 96), **SIZES)
    with pytest.raises(ValueError, match="Resize or pad the images to 64 x 96"):
        PureCNNFull(input_size=(64, 96), **SIZES)(torch.randn(1, 1, 96, 64))
    for network, more in ABLATIONS:
        with pytest.raises(ValueError, match=r"multiples of 16. Use \(96, 64\)"):
            network(input_size=(100, 64), **more, **SIZES)
        with pytest.raises(ValueError, match="power of two"):
            network(input_size=(60, 60), patch_size=12, **more, **SIZES)
    with pytest.raises(ValueError, match="out_chans 20 must be a multiple of 8"):
        PureCNNBasic(input_size=(64, 64), out_chans=20)
