"""SAM's encoder: equal to segment-anything, rectangular inputs, training."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from segment_anything import sam_model_registry
from segment_anything.modeling import ImageEncoderViT

from cervseg.networks.sam import image_encoder, join_windows, split_windows

SIZES = {
    "embed_dim": 48,
    "depth": 3,
    "num_heads": 4,
    "global_attn_indexes": (1,),
    "window_size": 5,  # does not divide the grid of 12: windows are padded
    "patch_size": 8,
    "out_chans": 16,
}


@pytest.fixture
def pair():
    """Build segment-anything's encoder and ours with the same random weights."""
    torch.manual_seed(0)
    reference = ImageEncoderViT(
        img_size=96, use_rel_pos=True, norm_layer=partial(torch.nn.LayerNorm, eps=1e-6), **SIZES
    )
    for parameter in reference.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    ours = image_encoder(input_size=(96, 96), **SIZES)
    ours.load_state_dict(reference.state_dict())
    return reference, ours


def test_forward_and_gradients_equal_segment_anything(pair):
    """With the same weights and image, features and gradients are equal."""
    reference, ours = pair
    image = torch.randn(2, 3, 96, 96)
    expected, actual = reference(image), ours(image)
    torch.testing.assert_close(actual, expected, atol=1e-4, rtol=1e-4)
    direction = torch.randn_like(expected)
    expected.backward(direction)
    actual.backward(direction)
    gradients = {name: parameter.grad for name, parameter in reference.named_parameters()}
    for name, parameter in ours.named_parameters():
        scale = gradients[name].abs().max()
        assert scale > 0, name
        torch.testing.assert_close(
            parameter.grad / scale, gradients[name] / scale, atol=1e-4, rtol=0, msg=name
        )


def test_without_gradients_the_fused_kernel_gives_the_same(pair):
    """Prediction uses another code path of attention and gives equal features."""
    reference, ours = pair
    image = torch.randn(1, 3, 96, 96)
    with torch.no_grad():
        torch.testing.assert_close(ours(image), reference(image), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("with_gradient", [False, True])
def test_bfloat16_is_as_near_as_segment_anything_itself(pair, with_gradient):
    """The error of bfloat16 is at most twice that of segment-anything."""
    reference, ours = pair
    image = torch.randn(1, 3, 96, 96)
    exact = reference(image).detach()
    with torch.set_grad_enabled(with_gradient), torch.autocast("cpu", torch.bfloat16):
        theirs, mine = reference(image).detach(), ours(image).detach()
    assert (mine - exact).abs().max() <= 2 * (theirs - exact).abs().max() + 1e-3


def test_published_state_dict_layout():
    """The default encoder has the names and shapes of segment-anything's ViT-B."""
    with torch.device("meta"):
        expected = sam_model_registry["vit_b"]().image_encoder.state_dict()
        actual = image_encoder(input_size=(1024, 1024)).state_dict()
    assert {k: v.shape for k, v in actual.items()} == {k: v.shape for k, v in expected.items()}


def test_small_sizes_have_the_same_layout_as_rectangles():
    """A rectangular encoder has one relative position per distance and axis."""
    encoder = image_encoder(input_size=(96, 64), **SIZES)
    state = encoder.state_dict()
    assert state["pos_embed"].shape == (1, 12, 8, 48)
    assert state["blocks.1.attn.rel_pos_h"].shape == (23, 12)
    assert state["blocks.1.attn.rel_pos_w"].shape == (15, 12)
    assert encoder(torch.randn(1, 3, 96, 64)).shape == (1, 16, 12, 8)


def test_checkpointed_blocks_give_the_same_gradients():
    """Recomputing blocks does not change the gradients."""
    encoder = image_encoder(input_size=(64, 48), **SIZES)
    image = torch.randn(1, 3, 64, 48)
    encoder(image).square().mean().backward()
    expected = [parameter.grad.clone() for parameter in encoder.parameters()]
    encoder.zero_grad()
    encoder.checkpoint_blocks = True
    encoder(image).square().mean().backward()
    for parameter, gradient in zip(encoder.parameters(), expected):
        torch.testing.assert_close(parameter.grad, gradient)


def test_windows_split_and_join():
    """Joining is the inverse of splitting."""
    token = torch.arange(2 * 4 * 6 * 3.0).reshape(2, 4, 6, 3)
    windows = split_windows(token, side=2)
    assert windows.shape == (12, 2, 2, 3)
    assert torch.equal(windows[1], token[0, 0:2, 2:4])
    assert torch.equal(join_windows(windows, size=(4, 6)), token)
    assert torch.equal(join_windows(windows, size=(3, 5)), token[:, :3, :5])


def test_invalid_sizes_are_errors():
    """The error gives the nearest valid size."""
    with pytest.raises(ValueError, match=r"multiples of 8. Use \(96, 64\)"):
        image_encoder(input_size=(97, 64), **SIZES)
    with pytest.raises(ValueError, match="multiple of num_heads"):
        image_encoder(input_size=(96, 64), **{**SIZES, "num_heads": 5})
