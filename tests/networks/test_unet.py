"""U-Net."""

from __future__ import annotations

import pytest
import torch

from cervseg.networks.base import num_parameters
from cervseg.networks.unet import UNet


def test_published_size():
    """Four levels from 64 filters: the 31 million parameters of Ronneberger's U-Net."""
    with torch.device("meta"):
        assert num_parameters(UNet()) == pytest.approx(31.0e6, rel=0.01)


@pytest.mark.parametrize("norm", ["batch", "instance", "group"])
def test_shapes_and_gradients(norm):
    """Logits have the input's size; every parameter gets a gradient."""
    network = UNet(in_channels=2, num_labels=3, input_size=(32, 48), features=8, num_levels=3, norm=norm)
    logits = network(torch.randn(2, 2, 32, 48))
    assert logits.shape == (2, 3, 32, 48)
    logits.square().mean().backward()
    assert [name for name, p in network.named_parameters() if p.grad is None] == []


def test_runs_in_bfloat16_and_channels_last():
    """As the CPU trains it."""
    network = UNet(input_size=(32, 32), features=8).to(memory_format=torch.channels_last).eval()
    image = torch.randn(1, 1, 32, 32).to(memory_format=torch.channels_last)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        reduced = network(image).float()
    with torch.no_grad():
        exact = network(image)
    assert (reduced - exact).abs().max() < 0.05 * exact.abs().max() + 0.02


def test_wrong_sizes_tell_the_mend():
    """An input size that cannot be halved, an unknown norm, a wrong image."""
    with pytest.raises(ValueError, match=r"multiples of 16. Use \(96, 64\)"):
        UNet(input_size=(100, 64))
    with pytest.raises(ValueError, match="norm must be one of"):
        UNet(input_size=(32, 32), norm="layer")
    with pytest.raises(ValueError, match="Resize or pad"):
        UNet(input_size=(32, 32), features=8)(torch.randn(1, 1, 48, 32))
