"""U-Net."""

from __future__ import annotations

import pytest
import torch
from monai.networks.nets.dynunet import DynUNet as MonaiDynUNet

from cervseg.networks.base import num_parameters
from cervseg.networks.convolution import InstanceNorm
from cervseg.networks.unet import UNet


def test_published_size():
    """Four levels and 64 filters have the 31 million parameters of Ronneberger's U-Net."""
    with torch.device("meta"):
        assert num_parameters(UNet()) == pytest.approx(31.0e6, rel=0.01)


@pytest.mark.parametrize("norm", ["batch", ("instance", {"affine": True}), ("group", {"num_groups": 8})])
def test_is_monais(norm, monkeypatch):
    """With the same seed, weights and logits equal those of MONAI's DynUNet without biases."""
    monkeypatch.setattr(torch, "rand", torch.zeros)  # MONAI draws a number that it never uses
    torch.manual_seed(0)
    theirs = MonaiDynUNet(
        spatial_dims=2,
        in_channels=2,
        out_channels=3,
        kernel_size=[3] * 4,
        strides=[1] + [2] * 3,
        upsample_kernel_size=[2] * 3,
        filters=[8, 16, 24, 24],
        norm_name=norm,
    )
    torch.manual_seed(0)
    name = norm if isinstance(norm, str) else norm[0]
    sizes = {"features": 8, "num_levels": 3, "max_features": 24}
    ours = UNet(in_channels=2, num_labels=3, input_size=(32, 48), norm=name, **sizes)
    downwards = [theirs.input_block, *theirs.downsamples, theirs.bottleneck]
    parts = [part for block in downwards for part in _parts(block)]
    parts += [part for block in theirs.upsamples for part in (block.transp_conv, *_parts(block.conv_block))]
    expected = [p for part in [*parts, theirs.output_block] for p in part.parameters()]
    for parameter, other in zip(ours.parameters(), expected, strict=True):
        assert torch.equal(parameter, other)
    image = torch.randn(2, 2, 32, 48)
    with torch.no_grad():
        torch.testing.assert_close(ours.eval()(image), theirs.eval()(image))


def _parts(block):
    return block.conv1, block.norm1, block.conv2, block.norm2


@pytest.mark.parametrize("norm", ["batch", "instance", "group"])
def test_shapes_and_gradients(norm):
    """Logits have the input's size, and every parameter gets a gradient."""
    network = UNet(in_channels=2, num_labels=3, input_size=(32, 48), features=8, num_levels=3, norm=norm)
    logits = network(torch.randn(2, 2, 32, 48))
    assert logits.shape == (2, 3, 32, 48)
    logits.square().mean().backward()
    assert [name for name, p in network.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("num", [1, 3])
def test_instance_norm_is_torchs(num, layout):
    """Values, gradients and memory layout equal those of torch's instance norm."""
    given = [torch.randn(num, 5, 6, 7).to(memory_format=layout).requires_grad_() for _ in range(2)]
    given[1].data.copy_(given[0].data)
    norms = [InstanceNorm(5, affine=True), torch.nn.InstanceNorm2d(5, affine=True)]
    for norm, image in zip(norms, given):
        torch.nn.init.normal_(norm.weight, generator=torch.Generator().manual_seed(1))
        norm(image).pow(3).sum().backward()
    ours, theirs = ((norm(image), image.grad, norm.weight.grad) for norm, image in zip(norms, given))
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other)
    assert ours[0].is_contiguous(memory_format=layout)


def test_runs_in_bfloat16_and_channels_last():
    """The network runs in bfloat16 with channels last."""
    network = UNet(input_size=(32, 32), features=8).to(memory_format=torch.channels_last).eval()
    image = torch.randn(1, 1, 32, 32).to(memory_format=torch.channels_last)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        reduced = network(image).float()
    with torch.no_grad():
        exact = network(image)
    assert (reduced - exact).abs().max() < 0.05 * exact.abs().max() + 0.02


def test_invalid_sizes_are_errors_with_a_hint():
    """Invalid input sizes, norms and images are ValueErrors."""
    with pytest.raises(ValueError, match=r"multiples of 16. Use \(96, 64\)"):
        UNet(input_size=(100, 64))
    with pytest.raises(ValueError, match="norm must be one of"):
        UNet(input_size=(32, 32), norm="layer")
    with pytest.raises(ValueError, match="Resize or pad"):
        UNet(input_size=(32, 32), features=8)(torch.randn(1, 1, 48, 32))
