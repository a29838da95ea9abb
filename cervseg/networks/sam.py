"""SAM's image encoder (Kirillov et al. 2023) with fast attention, at any size, square or not.

Layers, names and shapes of the parameters are those of segment-anything, so SAM checkpoints load. The forward
pass is our own and equal up to rounding: attention in parts (attention.py), linear layers that skip the
padding of windows, and rectangular inputs.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any, Literal, TypedDict

import torch
from segment_anything import sam_model_registry
from segment_anything.modeling import ImageEncoderViT
from torch import nn
from torch.utils.checkpoint import checkpoint

from cervseg.networks.attention import attend, relative_positions
from cervseg.networks.base import check_divisible, check_input
from cervseg.networks.hybrid import LiteTokens
from cervseg.networks.sizes import VIT_B

Stem = Literal["patch", "lite"]


class EncoderArguments(TypedDict, total=False):
    """Arguments of :func:`image_encoder` that networks around it pass on as they are."""

    embed_dim: int
    depth: int
    num_heads: int
    global_attn_indexes: tuple[int, ...]
    window_size: int
    stem: Stem
    checkpoint_blocks: bool


# Names of the size arguments in a plan that belong to the encoder; the others belong to a decoder.
ENCODER_SIZES = (*VIT_B, "stem", "checkpoint_blocks")


def image_encoder(
    *,
    input_size: tuple[int, int],
    embed_dim: int = VIT_B["embed_dim"],
    depth: int = VIT_B["depth"],
    num_heads: int = VIT_B["num_heads"],
    global_attn_indexes: tuple[int, ...] = VIT_B["global_attn_indexes"],
    window_size: int = VIT_B["window_size"],
    patch_size: int = VIT_B["patch_size"],
    out_chans: int = VIT_B["out_chans"],
    stem: Stem = "patch",
    checkpoint_blocks: bool = False,
) -> ImageEncoder:
    """Build a SAM image encoder with random weights; the defaults are ViT-B.

    Args:
        input_size: (height, width) in px, multiples of ``patch_size``.
        embed_dim: width of the tokens, a multiple of ``num_heads``.
        depth: number of transformer blocks.
        num_heads: attention heads per block.
        global_attn_indexes: blocks with global attention; the others attend within windows.
        window_size: side of a window in tokens; 0 makes every block global.
        patch_size: side of a token in px.
        out_chans: channels of the result.
        stem: what makes the tokens: "patch", one linear layer per patch, as in ViT and SAM; or "lite", stages
            of EfficientNet-Lite0, see :class:`~cervseg.networks.hybrid.LiteTokens`.
        checkpoint_blocks: recompute each block in the backward pass: much less memory, a third more time.

    Raises:
        ValueError: the sizes are incompatible.
    """
    check_divisible(input_size, by=patch_size)
    if embed_dim % num_heads:
        raise ValueError(f"embed_dim {embed_dim} must be a multiple of num_heads {num_heads}")
    sizes: dict[str, Any] = {
        "embed_dim": embed_dim,
        "depth": depth,
        "num_heads": num_heads,
        "global_attn_indexes": tuple(global_attn_indexes),
        "window_size": window_size,
        "patch_size": patch_size,
        "out_chans": out_chans,
    }
    if sizes == VIT_B:
        layers = sam_model_registry["vit_b"]().image_encoder
    else:
        layers = ImageEncoderViT(
            img_size=patch_size,  # our own position embeddings follow
            **sizes,
            norm_layer=partial(nn.LayerNorm, eps=1e-6),
            use_rel_pos=True,
        )
    if stem == "lite":
        layers.patch_embed = LiteTokens(embed_dim, patch_size=patch_size)
    elif stem != "patch":
        raise ValueError(f'stem must be "patch" or "lite", not {stem!r}')
    return ImageEncoder(
        layers, input_size=input_size, patch_size=patch_size, checkpoint_blocks=checkpoint_blocks
    )


class ImageEncoder(nn.Module):
    """SAM's image encoder: normalized images B x 3 x H x W to features B x out_chans x H/patch x W/patch.

    Args:
        layers: segment-anything's encoder, whose layers are used.
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
        """Compute features, one vector per patch.

        Args:
            image_BCHW: float, normalized.

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
        # segment-anything keeps torch's defaults, because it always loads weights. Training from scratch
        # needs small normal weights, as in ViT, BEiT and MAE.
        nn.init.trunc_normal_(self.pos_embed, std=0.02)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)


class Block(nn.Module):
    """Transformer block, B x H x W x C, with attention over the image or within windows.

    Args:
        layers: segment-anything's block.
        grid: (height, width) of the image in tokens.
    """

    def __init__(self, layers: Any, *, grid: tuple[int, int]) -> None:
        super().__init__()
        window: int = layers.window_size
        self.norm1, self.norm2, self.mlp = layers.norm1, layers.norm2, layers.mlp
        self.attn = Attention(layers.attn, field=(window, window) if window else grid, windowed=bool(window))

    def forward(self, token_BHWC: torch.Tensor) -> torch.Tensor:
        """Compute y = x + attention(norm(x)), then y + mlp(norm(y)).

        Args:
            token_BHWC: tokens x.
        """
        token_BHWC = token_BHWC + self.attn(self.norm1(token_BHWC))
        result: torch.Tensor = token_BHWC + self.mlp(self.norm2(token_BHWC))
        return result


class Attention(nn.Module):
    """Multi-head attention with decomposed relative positions (Li et al. 2022, MViTv2), B x H x W x C.

    softmax(q k^T / sqrt(d) + q . R_h[i - i'] + q . R_w[j - j']) v, over the image or within windows. As in
    segment-anything, windows are padded with zero tokens, which take part in attention. Their projections
    equal the bias of the linear layer, so they are not computed.

    Args:
        layers: segment-anything's attention.
        field: (height, width) in tokens of the image or of a window.
        windowed: whether the image is divided into windows of ``field``.
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
        """Compute attention over the image or within each window.

        Args:
            token_BHWC: tokens; the result has the same shape.
        """
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
        """Pad projections to whole windows, below and to the right, with the bias.

        Args:
            qkv_BHWC: projections of the tokens.
        """
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
        mixed_BNTD = attend(
            *heads.unbind(0),
            position_h=relative_positions(self.rel_pos_h, height),
            position_w=relative_positions(self.rel_pos_w, width),
        )
        return mixed_BNTD.transpose(1, 2).reshape(batch, height, width, -1)


def split_windows(token_BHWC: torch.Tensor, *, side: int) -> torch.Tensor:
    """Split an image into windows: B x H x W x C to (B * number of windows) x side x side x C.

    Args:
        token_BHWC: tokens, both sides multiples of ``side``.
        side: side of a window, in tokens.
    """
    batch, height, width, channels = token_BHWC.shape
    parts = token_BHWC.view(batch, height // side, side, width // side, side, channels)
    return parts.transpose(2, 3).reshape(-1, side, side, channels)


def join_windows(window_BHWC: torch.Tensor, *, size: tuple[int, int]) -> torch.Tensor:
    """Join windows to an image, the inverse of :func:`split_windows`.

    Args:
        window_BHWC: the windows.
        size: (height, width) that the image is cropped to.
    """
    side, channels = window_BHWC.shape[1], window_BHWC.shape[3]
    rows, columns = math.ceil(size[0] / side), math.ceil(size[1] / side)
    parts = window_BHWC.view(-1, rows, columns, side, side, channels).transpose(2, 3)
    whole = parts.reshape(-1, rows * side, columns * side, channels)
    # Contiguous, because a linear layer is slow on a slice of a tensor.
    return whole[:, : size[0], : size[1]].contiguous()
