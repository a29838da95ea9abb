"""Blocks of the decoder, compared with their equations."""

from __future__ import annotations

import torch
from torch.nn import functional

from cervseg.networks.blocks import DecoderStage, ResidualBlock, SqueezeExcitation


def test_residual_block_is_equation_3():
    """The block computes F + phi(K2 * phi(K1 * F + b1) + b2)."""
    block, feature = ResidualBlock(channels=4), torch.randn(2, 4, 5, 6)
    first, second = block.body[0], block.body[2]
    inner = functional.relu(functional.conv2d(feature, first.weight, first.bias, padding=1))
    expected = feature + functional.relu(functional.conv2d(inner, second.weight, second.bias, padding=1))
    torch.testing.assert_close(block(feature), expected)


def test_squeeze_excitation_is_equations_4_to_6():
    """The block computes s * F with s = sigmoid(W2 phi(W1 z))."""
    block, feature = SqueezeExcitation(channels=8, reduction=4), torch.randn(2, 8, 5, 6)
    first, second = block.excite[0], block.excite[2]
    assert first.weight.shape == (2, 8)
    weight = torch.sigmoid(
        functional.relu(feature.mean((2, 3)) @ first.weight.T + first.bias) @ second.weight.T + second.bias
    )
    torch.testing.assert_close(block(feature), feature * weight[:, :, None, None])


def test_hidden_width_is_at_least_one():
    """With fewer channels than the reduction, there is still one hidden unit."""
    assert SqueezeExcitation(channels=8, reduction=16).excite[0].out_features == 1


def test_stage_keeps_precision_under_autocast():
    """Features in bfloat16 stay in bfloat16."""
    stage = DecoderStage(in_channels=4, out_channels=8, se_reduction=4)
    with torch.autocast("cpu", torch.bfloat16):
        assert stage(torch.randn(1, 4, 6, 6)).dtype == torch.bfloat16
