"""CervSpineNet: published size, shapes, gradients."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from cervseg.networks.base import num_parameters, size_mib
from cervseg.networks.cervspine import CervSpineNet

TINY = {
    "embed_dim": 24,
    "depth": 2,
    "num_heads": 2,
    "global_attn_indexes": (1,),
    "window_size": 3,
    "out_chans": 32,
    "decoder_widths": (16, 16, 8, 8),
}


def test_published_size():
    """The size is that of Sawant et al. 2026, about 345 MB."""
    with torch.device("meta"):
        network = CervSpineNet()
    assert num_parameters(network.encoder) == 89_670_912
    assert num_parameters(network.decoder) == 787_072
    assert num_parameters(network) == 90_457_984
    assert size_mib(network) == pytest.approx(345.07, abs=0.005)


@pytest.mark.parametrize(
    ("patch_size", "in_channels", "num_labels", "input_size"),
    [(16, 1, 1, (96, 64)), (8, 3, 2, (40, 48)), (4, 1, 3, (16, 24))],
)
def test_shapes(patch_size, in_channels, num_labels, input_size):
    """Logits have the input's size, one plane per label, for every patch size."""
    network = CervSpineNet(
        in_channels=in_channels, num_labels=num_labels, input_size=input_size, patch_size=patch_size, **TINY
    )
    logits = network(torch.randn(2, in_channels, *input_size))
    assert logits.shape == (2, num_labels, *input_size)
    assert logits.dtype == torch.float32


def test_every_parameter_gets_a_gradient():
    """Every parameter gets a gradient that is not zero."""
    torch.manual_seed(0)
    network = CervSpineNet(input_size=(64, 96), **TINY)
    network(torch.randn(2, 1, 64, 96)).square().mean().backward()
    without = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []


def test_head_before_the_last_doubling_is_the_published_order():
    """The 1 x 1 convolution after the last upsampling gives the same logits."""
    network = CervSpineNet(input_size=(64, 64), **TINY)
    feature = torch.randn(1, 32, 4, 4)
    *inner, last = network.decoder.stages
    published = feature
    for stage in (*inner, last):
        published = functional.interpolate(
            stage(published), scale_factor=2, mode="bilinear", align_corners=False
        )
    torch.testing.assert_close(
        network.decoder(feature), network.decoder.head(published), atol=1e-5, rtol=1e-4
    )


def test_invalid_inputs_are_errors_with_a_hint():
    """Invalid image sizes, channels and patch sizes are ValueErrors."""
    network = CervSpineNet(input_size=(64, 96), **TINY)
    with pytest.raises(ValueError, match="Resize or pad the images to 64 x 96"):
        network(torch.randn(1, 1, 96, 64))
    with pytest.raises(ValueError, match="in_channels must be 1 or 3"):
        CervSpineNet(in_channels=2, input_size=(64, 96), **TINY)
    with pytest.raises(ValueError, match="decoder stages"):
        CervSpineNet(input_size=(64, 64), patch_size=32, **TINY)
    with pytest.raises(ValueError, match="power of two"):
        CervSpineNet(input_size=(60, 60), patch_size=12, **TINY)


def test_it_can_learn_one_image():
    """A few training steps on one image halve the error."""
    torch.manual_seed(0)
    network = CervSpineNet(input_size=(32, 32), patch_size=8, **TINY)
    target = torch.zeros(1, 1, 32, 32)
    target[..., 8:20, 12:24] = 1
    image = target + 0.1 * torch.randn_like(target)
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    losses = []
    for _ in range(40):
        loss = functional.binary_cross_entropy_with_logits(network(image), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.5 * losses[0]
