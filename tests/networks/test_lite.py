"""LiteUNet and its encoder."""

from __future__ import annotations

import pytest
import timm
import torch

from cervseg.networks.base import num_parameters
from cervseg.networks.lite import LiteEncoder, LiteUNet, SamePadConv


@pytest.mark.parametrize("size", [(64, 96), (70, 51)])
def test_the_encoder_is_timms(size):
    """With the same weights, all five features equal those of tf_efficientnet_lite0, at odd sizes too."""
    theirs = timm.create_model("tf_efficientnet_lite0", pretrained=False, features_only=True).eval()
    ours = LiteEncoder().eval()
    ours.load_state_dict(dict(zip(ours.state_dict(), theirs.state_dict().values(), strict=True)))
    image = torch.randn(2, 3, *size)
    with torch.no_grad():
        for one, other in zip(ours(image), theirs(image), strict=True):
            torch.testing.assert_close(one, other)


@pytest.mark.parametrize("in_channels", [1, 2, 3])
def test_shapes_and_gradients(in_channels):
    """Logits have the image's size, and every parameter gets a gradient."""
    network = LiteUNet(in_channels=in_channels, num_labels=2, input_size=(64, 96))
    logits = network(torch.randn(2, in_channels, 64, 96))
    assert logits.shape == (2, 2, 64, 96)
    logits.square().mean().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_equal_channels_act_as_grey():
    """With any number of channels, an image whose channels are equal gives the features of the grey one."""
    grey, pair = (LiteUNet(in_channels=n, input_size=(32, 32)).eval() for n in (1, 2))
    grey.load_state_dict(
        {key: value for key, value in pair.state_dict().items() if not key.startswith("adapt")}
    )
    image = torch.randn(1, 1, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(pair(image.expand(-1, 2, -1, -1)), grey(image))


def test_mixed_precision_trains_depthwise_convolutions_in_float32():
    """The gradient of a depthwise kernel under bfloat16 autocast equals that in float32."""
    torch.manual_seed(0)
    conv = SamePadConv(8, 8, 3, stride=2, groups=8, bias=False)
    image = torch.randn(2, 8, 9, 12).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        made = conv(image)
    assert made.dtype == torch.bfloat16
    made.float().sum().backward()
    mixed, conv.weight.grad = conv.weight.grad, None
    conv(image.float()).sum().backward()
    torch.testing.assert_close(mixed, conv.weight.grad, rtol=1e-6, atol=1e-6)


def test_size():
    """The network stays small enough for a wheel: 3.8 M parameters, 7.7 MB in float16."""
    assert num_parameters(LiteUNet()) == pytest.approx(3.83e6, rel=0.01)
    with pytest.raises(ValueError, match="multiples of 32"):
        LiteUNet(input_size=(100, 96))
