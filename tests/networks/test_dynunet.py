"""nnU-Net's networks."""

from __future__ import annotations

import pytest
import torch
from monai.networks.nets.dynunet import DynUNet as MonaiDynUNet
from torch.nn import functional

from cervseg.networks.base import num_parameters
from cervseg.networks.dynunet import DynUNet, ResidualBlock

RESIDUAL = pytest.mark.parametrize("residual", [False, True], ids=["plain", "residual"])


def tiny(**changes):
    """Build a network with eight filters and three levels for 32 x 48 px."""
    torch.manual_seed(0)
    return DynUNet(**{"input_size": (32, 48), "features": 8, "num_levels": 3, **changes})


@pytest.mark.parametrize(("residual", "expected"), [(False, 46_312_934), (True, 139_983_334)])
def test_published_size(residual, expected):
    """Numbers of parameters for 512 x 512 px and one label equal those in the docstring.

    nnU-Net has 46,322,535 and 140,015,015. We omit the biases of convolutions before norms (9,088 and 31,168)
    and the output at the lowest resolution (513).
    """
    with torch.device("meta"):
        network = DynUNet(residual_encoder=residual)
    assert num_parameters(network) == expected
    assert f"{expected:,}" in DynUNet.__doc__


@pytest.mark.parametrize("num_levels", [2, 3, 5])
def test_plain_is_monais(num_levels):
    """Tensors and, with the same weights, logits equal those of MONAI's DynUNet."""
    widths = [min(8 * 2**level, 24) for level in range(num_levels + 1)]
    supervised = {"deep_supervision": True, "deep_supr_num": num_levels - 2} if num_levels > 2 else {}
    theirs = MonaiDynUNet(
        spatial_dims=2,
        in_channels=2,
        out_channels=3,
        kernel_size=[3] * (num_levels + 1),
        strides=[1] + [2] * num_levels,
        upsample_kernel_size=[2] * num_levels,
        filters=widths,
        trans_bias=True,
        **supervised,
    ).eval()
    ours = tiny(
        in_channels=2, num_labels=3, input_size=(64, 96), num_levels=num_levels, max_features=24
    ).eval()
    assert num_parameters(ours) == num_parameters(theirs)
    merged = [block.conv_block for block in theirs.upsamples]
    blocks = [theirs.input_block, *theirs.downsamples, theirs.bottleneck, *merged]
    for stage, block in zip([*ours.encoder, *ours.merge], blocks, strict=True):
        for convolution, conv, norm in zip(stage, (block.conv1, block.conv2), (block.norm1, block.norm2)):
            convolution.conv.load_state_dict(conv.conv.state_dict())
            convolution.norm.load_state_dict(norm.state_dict())
    for enlarge, block in zip(ours.enlarge, theirs.upsamples, strict=True):
        enlarge.load_state_dict(block.transp_conv.conv.state_dict())
    ours.heads[0].load_state_dict(theirs.output_block.conv.conv.state_dict())
    image = torch.randn(2, 2, 64, 96)
    with torch.no_grad():
        torch.testing.assert_close(ours(image), theirs(image))


@RESIDUAL
@pytest.mark.parametrize("norm", ["instance", "batch", "group"])
def test_shapes_and_gradients(residual, norm):
    """Deep logits halve in size; in the second step all parameters have gradients."""
    network = tiny(
        in_channels=2, num_labels=3, input_size=(64, 96), num_levels=4, norm=norm, residual_encoder=residual
    )
    image, optimizer = torch.randn(2, 2, 64, 96), torch.optim.SGD(network.parameters(), lr=0.1)
    for _ in range(2):  # bodies of residual blocks start at zero and get gradients from the second step
        optimizer.zero_grad()
        deep = network.deep_logits(image)
        sum(logits.square().mean() for logits in deep).backward()
        assert [name for name, p in network.named_parameters() if p.grad is None] == []
        optimizer.step()
    assert [tuple(logits.shape) for logits in deep] == [(2, 3, 64, 96), (2, 3, 32, 48), (2, 3, 16, 24)]
    assert [name for name, p in network.named_parameters() if not p.grad.any()] == []


@RESIDUAL
@pytest.mark.parametrize(("num_levels", "num_outputs"), [(1, 1), (2, 1), (3, 2)])
def test_the_lowest_resolution_is_left_out(residual, num_levels, num_outputs):
    """It is kept only if it is the only one; ``forward`` returns the first of the deep logits."""
    network, image = tiny(num_levels=num_levels, residual_encoder=residual), torch.randn(1, 1, 32, 48)
    with torch.no_grad():
        deep = network.train().deep_logits(image)
        assert len(deep) == len(network.heads) == num_outputs
        assert torch.equal(network(image), deep[0])
        torch.testing.assert_close(network.eval()(image), deep[0])


def test_residual_encoder_has_nnunets_blocks():
    """Stages have 1, 3, 4 and then 6 blocks after a stem; decoder stages have one convolution."""
    with torch.device("meta"):
        network = DynUNet(residual_encoder=True)
    found = [sum(isinstance(block, ResidualBlock) for block in stage) for stage in network.encoder]
    assert found == [1, 3, 4, 6, 6, 6, 6, 6]
    assert {len(stage) for stage in network.merge} == {1}


def test_residual_block_by_hand():
    """Body and shortcut equal those by hand; without stride and widening the shortcut is the identity."""
    block, feature = ResidualBlock(4, 6, stride=2, norm="instance"), torch.randn(2, 4, 8, 6)
    first, second = block.body[0].conv.weight, block.body[1].conv.weight
    inner = functional.instance_norm(functional.conv2d(feature, first, stride=2, padding=1))
    body = functional.instance_norm(functional.conv2d(functional.leaky_relu(inner, 0.01), second, padding=1))
    averaged = functional.avg_pool2d(feature, 2)
    shortcut = functional.instance_norm(functional.conv2d(averaged, block.shortcut[1].conv.weight))
    torch.testing.assert_close(block(feature), functional.leaky_relu(shortcut + body, 0.01))
    same = ResidualBlock(4, 4, stride=1, norm="instance")
    torch.testing.assert_close(same(feature), functional.leaky_relu(feature + same.body(feature), 0.01))


def test_residual_blocks_start_as_their_shortcuts():
    """The bodies return zero at first, as in nnU-Net."""
    network = tiny(residual_encoder=True)
    blocks = [module for module in network.modules() if isinstance(module, ResidualBlock)]
    assert len(blocks) == 1 + 3 + 4 + 6
    with torch.no_grad():
        for block in blocks:
            channels = block.body[0].conv.in_channels
            assert not block.body(torch.randn(1, channels, 8, 8)).any()


@RESIDUAL
def test_runs_in_bfloat16_and_channels_last(residual):
    """The networks train in bfloat16 with channels last."""
    network = tiny(residual_encoder=residual).to(memory_format=torch.channels_last)
    image = torch.randn(2, 1, 32, 48).to(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        deep = network.deep_logits(image)
    sum(logits.float().square().mean() for logits in deep).backward()
    assert all(p.grad.isfinite().all() for p in network.parameters())


def test_invalid_sizes_are_errors_with_a_hint():
    """Invalid input sizes, norms, levels and images are ValueErrors."""
    with pytest.raises(ValueError, match=r"multiples of 8. Use \(96, 64\)"):
        tiny(input_size=(100, 64))
    with pytest.raises(ValueError, match="norm must be one of"):
        tiny(norm="layer")
    with pytest.raises(ValueError, match="num_levels must be at least 1"):
        tiny(num_levels=0)
    with pytest.raises(ValueError, match="Resize or pad"):
        tiny()(torch.randn(1, 1, 48, 32))
