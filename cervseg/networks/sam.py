"""SAM's image encoder (Kirillov et al. 2023) with fast attention, at any size, square or not.

The layers are segment-anything's, and so are the names and shapes of the parameters: a SAM checkpoint
loads key by key. What is ours is the way through them, equal to segment-anything's up to rounding:
scaled_dot_product_attention, linear layers that skip the padding of windows, rectangular inputs.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import torch
from segment_anything import sam_model_registry
from segment_anything.modeling import ImageEncoderViT
from torch import nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from cervseg.networks.base import check_divisible, check_input

VIT_B = {
    "embed_dim": 768,
    "depth": 12,
    "num_heads": 12,
    "patch_size": 16,
    "out_chans": 256,
    "window_size": 14,
}
VIT_B_GLOBAL = (2, 5, 8, 11)
# The names of the sizes in a plan that are an encoder's; the others are a decoder's.
ENCODER_SIZES = (*VIT_B, "global_attn_indexes", "checkpoint_blocks")
MAX_BIAS_BYTES = 256 * 2**20  # of one head chunk's relative-position bias


def image_encoder(
    *,
    input_size: tuple[int, int],
    embed_dim: int = 768,
    depth: int = 12,
    num_heads: int = 12,
    global_attn_indexes: tuple[int, ...] = (2, 5, 8, 11),
    window_size: int = 14,
    patch_size: int = 16,
    out_chans: int = 256,
    checkpoint_blocks: bool = False,
) -> ImageEncoder:
    """A SAM image encoder with random weights; the defaults are ViT-B's.

    Args:
        input_size: (height, width) in px, multiples of ``patch_size``.
        embed_dim: width of the tokens, a multiple of ``num_heads``.
        depth: number of transformer blocks.
        num_heads: attention heads a block.
        global_attn_indexes: blocks that attend over the whole film; the others over windows.
        window_size: side of a window in tokens; 0 makes every block global.
        patch_size: side of a token in px.
        out_chans: channels of the result.
        checkpoint_blocks: recompute each block in the backward pass: far less memory, a third more time.

    Raises:
        ValueError: the sizes do not fit each other.
    """
    check_divisible(input_size, by=patch_size)
    if embed_dim % num_heads:
        raise ValueError(f"embed_dim {embed_dim} must be a multiple of num_heads {num_heads}.")
    sizes = {
        "embed_dim": embed_dim,
        "depth": depth,
        "num_heads": num_heads,
        "patch_size": patch_size,
        "out_chans": out_chans,
        "window_size": window_size,
    }
    if sizes == VIT_B and tuple(global_attn_indexes) == VIT_B_GLOBAL:
        layers = sam_model_registry["vit_b"]().image_encoder
    else:
        layers = ImageEncoderViT(
            img_size=patch_size,  # our own position embeddings follow
            **sizes,
            global_attn_indexes=tuple(global_attn_indexes),
            norm_layer=partial(nn.LayerNorm, eps=1e-6),
            use_rel_pos=True,
        )
    return ImageEncoder(
        layers, input_size=input_size, patch_size=patch_size, checkpoint_blocks=checkpoint_blocks
    )


class ImageEncoder(nn.Module):
    """B x 3 x H x W, normalized, to B x out_chans x H/patch x W/patch.

    Args:
        layers: segment-anything's encoder, which gives its layers away.
        input_size: (height, width) in px.
        patch_size: side of a token in px.
        checkpoint_blocks: recompute each block in the backward pass.
    """

    def __init__(
        self,
        layers: ImageEncoderViT,
        *,
        input_size: tuple[int, int],
        patch_size: int,
        checkpoint_blocks: bool,
    ) -> None:
        super().__init__()
        self.input_size, self.checkpoint_blocks = tuple(input_size), checkpoint_blocks
        self.grid = (input_size[0] // patch_size, input_size[1] // patch_size)
        embed_dim = layers.patch_embed.proj.out_channels
        self.patch_embed = layers.patch_embed
        self.pos_embed = nn.Parameter(torch.zeros(1, *self.grid, embed_dim))
        self.blocks = nn.ModuleList(Block(block, grid=self.grid) for block in layers.blocks)
        self.neck = layers.neck
        self._initialize()

    def forward(self, image_BCHW: torch.Tensor) -> torch.Tensor:
        """Features, float, one vector a patch.

        Raises:
            ValueError: the image is not B x 3 x ``input_size``.
        """
        check_input(image_BCHW, in_channels=3, input_size=(self.input_size[0], self.input_size[1]))
        token_BHWC = self.patch_embed(image_BCHW) + self.pos_embed
        recompute = self.checkpoint_blocks and self.training and torch.is_grad_enabled()
        for block in self.blocks:
            token_BHWC = (
                checkpoint(block, token_BHWC, use_reentrant=False) if recompute else block(token_BHWC)
            )
        feature_BCHW: torch.Tensor = self.neck(token_BHWC.permute(0, 3, 1, 2))
        return feature_BCHW

    def _initialize(self) -> None:
        # segment-anything leaves torch's defaults, since it always loads weights; from scratch a transformer
        # wants small normal weights (as ViT, BEiT and MAE do).
        nn.init.trunc_normal_(self.pos_embed, std=0.02)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)


class Block(nn.Module):
    """One transformer block, B x H x W x C; attention over the film or over windows of it."""

    def __init__(self, layers: Any, *, grid: tuple[int, int]) -> None:
        super().__init__()
        window: int = layers.window_size
        self.norm1, self.norm2, self.mlp = layers.norm1, layers.norm2, layers.mlp
        self.attn = Attention(layers.attn, field=(window, window) if window else grid, windowed=bool(window))

    def forward(self, token_BHWC: torch.Tensor) -> torch.Tensor:
        """x + attention(norm(x)), then x + mlp(norm(x))."""
        token_BHWC = token_BHWC + self.attn(self.norm1(token_BHWC))
        result: torch.Tensor = token_BHWC + self.mlp(self.norm2(token_BHWC))
        return result


class Attention(nn.Module):
    """Multi-head attention with decomposed relative positions (Li et al. 2022, MViTv2), B x H x W x C.

    softmax(q k^T / sqrt(d) + q . R_h[i - i'] + q . R_w[j - j']) v, over the film or within windows. As in
    segment-anything the windows are padded with zero tokens, which attention sees; their projections are
    the bias of the layer, so the linear layers need not compute them.

    Args:
        layers: segment-anything's attention.
        field: (height, width) in tokens of the film or of a window.
        windowed: whether the film is cut into windows of ``field``.
    """

    def __init__(self, layers: Any, *, field: tuple[int, int], windowed: bool) -> None:
        super().__init__()
        self.num_heads: int = layers.num_heads
        self.field, self.windowed = field, windowed
        self.qkv: nn.Linear = layers.qkv
        self.proj: nn.Linear = layers.proj
        head_dim = self.proj.in_features // self.num_heads
        self.rel_pos_h = nn.Parameter(torch.zeros(2 * field[0] - 1, head_dim))
        self.rel_pos_w = nn.Parameter(torch.zeros(2 * field[1] - 1, head_dim))

    def forward(self, token_BHWC: torch.Tensor) -> torch.Tensor:
        """Attention within the film or within each window; B x H x W x C."""
        height, width = token_BHWC.shape[1:3]
        qkv_BHWC = self.qkv(token_BHWC)
        if self.windowed:
            qkv_BHWC = split_windows(self.pad(qkv_BHWC), side=self.field[0])
        mixed_BHWC = self._attend(qkv_BHWC)
        if self.windowed:
            mixed_BHWC = join_windows(mixed_BHWC, size=(height, width))
        result: torch.Tensor = self.proj(mixed_BHWC)
        return result

    def pad(self, qkv_BHWC: torch.Tensor) -> torch.Tensor:
        """Projections up to whole windows, below and to the right; those of zero tokens are the bias."""
        batch, height, width, channels = qkv_BHWC.shape
        below, right = -height % self.field[0], -width % self.field[1]
        if not below and not right:
            return qkv_BHWC
        padding = self.qkv.bias.to(qkv_BHWC.dtype)
        if right:
            qkv_BHWC = torch.cat([qkv_BHWC, padding.expand(batch, height, right, channels)], dim=2)
        if below:
            qkv_BHWC = torch.cat([qkv_BHWC, padding.expand(batch, below, width + right, channels)], dim=1)
        return qkv_BHWC

    def _attend(self, qkv_BHWC: torch.Tensor) -> torch.Tensor:
        batch, (height, width) = qkv_BHWC.shape[0], self.field
        heads = qkv_BHWC.reshape(batch, height * width, 3, self.num_heads, -1).permute(2, 0, 3, 1, 4)
        position_h = relative_positions(self.rel_pos_h, height)
        position_w = relative_positions(self.rel_pos_w, width)
        chunk = self._heads_at_once(heads[0])
        mixed = [
            attend(q, k, v, position_h=position_h, position_w=position_w)
            for q, k, v in zip(*(torch.split(all_heads, chunk, dim=1) for all_heads in heads.unbind(0)))
        ]
        mixed_BNTD = mixed[0] if len(mixed) == 1 else torch.cat(mixed, dim=1)
        return mixed_BNTD.transpose(1, 2).reshape(batch, height, width, -1)

    def _heads_at_once(self, q_BNTD: torch.Tensor) -> int:
        batch, _, tokens, _ = q_BNTD.shape
        return max(
            1, min(self.num_heads, MAX_BIAS_BYTES // (batch * tokens * tokens * q_BNTD.element_size()))
        )


def relative_positions(embedding_RD: torch.Tensor, length: int) -> torch.Tensor:
    """The embedding of i - j for every query i and key j on one axis: length x length x D.

    ``embedding_RD`` has 2 * length - 1 rows, the first for i - j = 1 - length.
    """
    index = torch.arange(length, device=embedding_RD.device)
    return embedding_RD[index[:, None] - index[None, :] + length - 1]


def attend(
    q_BNTD: torch.Tensor,
    k_BNTD: torch.Tensor,
    v_BNTD: torch.Tensor,
    *,
    position_h: torch.Tensor,
    position_w: torch.Tensor,
) -> torch.Tensor:
    """softmax(q k^T / sqrt(d) + q . R_h + q . R_w) v: B x N x T x D, T = height * width, in q's dtype.

    Args:
        q_BNTD, k_BNTD, v_BNTD: queries, keys and values of N heads.
        position_h, position_w: :func:`relative_positions` of the two axes.
    """
    by_row, by_column = position_scores(q_BNTD, position_h, position_w)
    # On CPU the fused kernel takes no bias that wants a gradient and gains nothing in bfloat16; two matrix
    # products are 2-3 times as fast there. In float32 without gradients, and on a GPU, the fused kernel wins.
    wants_gradient = torch.is_grad_enabled() and (q_BNTD.requires_grad or by_row.requires_grad)
    by_products = q_BNTD.device.type == "cpu" and (wants_gradient or q_BNTD.dtype == torch.bfloat16)
    # What is exported shall be plain products too: every runtime has them.
    if by_products or torch.compiler.is_exporting():
        return _attend_by_products(q_BNTD, k_BNTD, v_BNTD, by_row, by_column)
    bias = (by_row[..., :, None] + by_column[..., None, :]).flatten(-2)
    return functional.scaled_dot_product_attention(q_BNTD, k_BNTD, v_BNTD, attn_mask=bias)


def position_scores(
    q_BNTD: torch.Tensor, position_h: torch.Tensor, position_w: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """q . R_h, B x N x T x height, and q . R_w, B x N x T x width: the bias is their sum over every key."""
    batch, num_heads, tokens, head_dim = q_BNTD.shape
    q = q_BNTD.reshape(batch, num_heads, position_h.shape[0], position_w.shape[0], head_dim)
    by_row = torch.einsum("bnhwd,hkd->bnhwk", q, position_h)
    by_column = torch.einsum("bnhwd,wkd->bnhwk", q, position_w)
    return by_row.reshape(batch, num_heads, tokens, -1), by_column.reshape(batch, num_heads, tokens, -1)


def _attend_by_products(
    q_BNTD: torch.Tensor,
    k_BNTD: torch.Tensor,
    v_BNTD: torch.Tensor,
    by_row: torch.Tensor,
    by_column: torch.Tensor,
) -> torch.Tensor:
    """The bias folded into longer queries and keys: [q / sqrt(d), q . R_h, q . R_w] [k, row, column]^T.

    A key's row and column are one-hot, so the product is the sum of all three, accumulated in float32.
    """
    batch, num_heads, tokens, head_dim = q_BNTD.shape
    height, width = by_row.shape[-1], by_column.shape[-1]
    row = torch.eye(height, dtype=k_BNTD.dtype, device=k_BNTD.device).repeat_interleave(width, 0)
    column = torch.eye(width, dtype=k_BNTD.dtype, device=k_BNTD.device).repeat(height, 1)
    place = torch.cat([row, column], dim=1).expand(batch, num_heads, tokens, height + width)
    long_q = torch.cat([q_BNTD * head_dim**-0.5, by_row.to(q_BNTD.dtype), by_column.to(q_BNTD.dtype)], dim=-1)
    long_k = torch.cat([k_BNTD, place], dim=-1)
    score_MTT = torch.bmm(long_q.flatten(0, 1), long_k.flatten(0, 1).transpose(1, 2))
    mixed_MTD = torch.bmm(score_MTT.softmax(-1).to(v_BNTD.dtype), v_BNTD.flatten(0, 1))
    return mixed_MTD.view(batch, num_heads, tokens, head_dim)


def split_windows(token_BHWC: torch.Tensor, *, side: int) -> torch.Tensor:
    """B x H x W x C, sides multiples of ``side``, to (B * number of windows) x side x side x C."""
    batch, height, width, channels = token_BHWC.shape
    parts = token_BHWC.view(batch, height // side, side, width // side, side, channels)
    return parts.transpose(2, 3).reshape(-1, side, side, channels)


def join_windows(window_BHWC: torch.Tensor, *, size: tuple[int, int]) -> torch.Tensor:
    """The inverse of :func:`split_windows`, cut to ``size`` = (height, width)."""
    side, channels = window_BHWC.shape[1], window_BHWC.shape[3]
    rows, columns = math.ceil(size[0] / side), math.ceil(size[1] / side)
    parts = window_BHWC.view(-1, rows, columns, side, side, channels).transpose(2, 3)
    return parts.reshape(-1, rows * side, columns * side, channels)[:, : size[0], : size[1]]
