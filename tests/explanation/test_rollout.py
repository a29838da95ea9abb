"""Rollout against a plain way: segment-anything's own attention formula, all full matrices stored."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from cervseg.core.errors import CervsegError
from cervseg.explanation.attention import read_attention
from cervseg.explanation.query_map import query_map
from cervseg.explanation.rollout import rollout_map, rollout_rows
from cervseg.networks.cervspine import CervSpineNet
from cervseg.networks.unet import UNet

SMALL = {"embed_dim": 32, "depth": 4, "num_heads": 4, "out_chans": 16, "decoder_widths": (8, 8, 8, 8)}


def network(size: tuple[int, int], **more: object) -> CervSpineNet:
    torch.manual_seed(0)
    made = CervSpineNet(input_size=size, **{**SMALL, **more})  # type: ignore[arg-type]
    for name, parameter in made.named_parameters():
        if "qkv" in name or "pos" in name:
            torch.nn.init.normal_(parameter, std=0.4)  # attention that is far from even
    return made.eval()


def plain_attention(block: torch.nn.Module, token_HWC: torch.Tensor) -> torch.Tensor:
    """T x T mean over heads, every pair of tokens by itself: windows by index, no padding, no fast path."""
    attn = block.attn
    height, width, _ = token_HWC.shape
    qkv = functional.linear(block.norm1(token_HWC), attn.qkv.weight, attn.qkv.bias)
    q, k, _ = qkv.reshape(height * width, 3, attn.num_heads, -1).permute(1, 2, 0, 3)
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    rows, columns = rows.flatten(), columns.flatten()
    field = attn.field
    apart_h = rows[:, None] - rows[None] + field[0] - 1
    apart_w = columns[:, None] - columns[None] + field[1] - 1
    same = torch.ones(height * width, height * width, dtype=torch.bool)
    if attn.windowed:
        window = rows // field[0] * 1000 + columns // field[1]
        same = window[:, None] == window[None]
    apart_h, apart_w = apart_h.clamp(0, 2 * field[0] - 2), apart_w.clamp(0, 2 * field[1] - 2)
    total = torch.zeros(height * width, height * width)
    for head in range(attn.num_heads):
        score = q[head] @ k[head].T * q.shape[-1] ** -0.5
        score += torch.einsum("td,tkd->tk", q[head], attn.rel_pos_h[apart_h])
        score += torch.einsum("td,tkd->tk", q[head], attn.rel_pos_w[apart_w])
        total += score.masked_fill(~same, -torch.inf).softmax(-1)
    return total / attn.num_heads


@torch.no_grad()
def plain_rollout(made: CervSpineNet, image: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """The product of all (A + I) / 2, and the matrices."""
    encoder = made.encoder
    tokens = encoder.patch_embed(image.expand(-1, 3, -1, -1)) + encoder.pos_embed
    result, matrices = torch.eye(tokens.shape[1] * tokens.shape[2]), []
    for block in encoder.blocks:
        attention = plain_attention(block, tokens[0])
        matrices.append(attention)
        result = (0.5 * torch.eye(len(attention)) + 0.5 * attention) @ result
        tokens = block(tokens)
    return result, matrices


CASES = [
    ((128, 96), {"window_size": 0}),
    ((128, 128), {"window_size": 4, "global_attn_indexes": (1, 3)}),
    ((208, 176), {"window_size": 5, "global_attn_indexes": (3,)}),  # 13 x 11 tokens: windows with padding
]


@pytest.mark.parametrize(("size", "more"), CASES)
def test_equal_to_the_plain_way(size: tuple[int, int], more: dict[str, object]) -> None:
    """All rows of the rollout sum to 1 and equal those of the stored matrices."""
    made, image = network(size, **more), torch.randn(1, 1, *size)
    expected, matrices = plain_rollout(made, image)
    found = read_attention(made, image)
    whole = rollout_rows(found, torch.eye(found.grid[0] * found.grid[1]))
    torch.testing.assert_close(whole.sum(1), torch.ones(len(whole)), atol=1e-5, rtol=0)
    torch.testing.assert_close(whole, expected, atol=1e-5, rtol=1e-4)
    np.testing.assert_allclose(rollout_map(found).ravel(), expected.mean(0).numpy(), atol=1e-5)
    last = max(i for i, block in enumerate(made.encoder.blocks) if not block.attn.windowed)
    np.testing.assert_allclose(query_map(found, 7).ravel(), matrices[last][7].numpy(), atol=1e-5)


def test_512_with_vit_b_sized_heads() -> None:
    """32 x 32 tokens, windows of 14 with padding, as ViT-B cuts them; two blocks."""
    size = (512, 512)
    made = network(size, embed_dim=96, depth=2, num_heads=2, window_size=14, global_attn_indexes=(1,))
    image = torch.randn(1, 1, *size)
    expected, _ = plain_rollout(made, image)
    found = read_attention(made, image)
    weight = torch.zeros(3, 1024)
    weight[0, 0] = weight[1, 500] = weight[2, 1023] = 1
    torch.testing.assert_close(rollout_rows(found, weight), expected[[0, 500, 1023]], atol=1e-5, rtol=1e-4)


def test_reading_changes_nothing() -> None:
    """The network gives the same answer afterwards, and keeps its mode."""
    made, image = network((64, 64)), torch.randn(1, 1, 64, 64)
    with torch.no_grad():
        before = made(image)
    made.train()
    read_attention(made, image)
    assert made.training
    made.eval()
    with torch.no_grad():
        torch.testing.assert_close(made(image), before, rtol=0, atol=0)


def test_a_point_finds_its_token() -> None:
    """Patches of 16 px: the pixel (16, 0) is the first of the second column."""
    found = read_attention(network((64, 96)), torch.randn(1, 1, 64, 96))
    assert found.grid == (4, 6)
    assert [found.token_at(x, y, frame=(64, 96)) for x, y in ((0, 0), (16, 0), (95, 63), (500, -5))] == [
        0,
        1,
        23,
        5,
    ]


def test_a_network_without_a_transformer_is_refused() -> None:
    """And the way out is named."""
    made = UNet(in_channels=1, num_labels=1, features=8, num_levels=2)
    with pytest.raises(CervsegError, match="Grad-CAM"):
        read_attention(made, torch.randn(1, 1, 32, 32))
