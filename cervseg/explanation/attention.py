"""Exact attention of a SAM image encoder, whose fast path never stores attention matrices.

One forward pass stores the projections of every block (38 MB per block at 1024 x 1024). Attention matrices
are computed from them one head at a time: a matrix of 64 x 64 tokens needs 67 MB, all heads of all blocks of
ViT-B would need 10 GB.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn

from cervseg.core.errors import CervsegError
from cervseg.networks.attention import position_scores, relative_positions
from cervseg.networks.sam import Attention, ImageEncoder, split_windows


@dataclass(frozen=True, kw_only=True)
class BlockAttention:
    """Attention of one block for one image; matrices are averages over heads.

    Args:
        q_MNTD: queries of M windows (1 for a block that attends to the whole image) and N heads.
        k_MNTD: keys, in the same shape.
        position_h: relative positions of rows.
        position_w: relative positions of columns.
        token_MT: token of the image for each place in each window, row by row; -1 for padding.
        num_tokens: number of tokens of the image.
    """

    q_MNTD: torch.Tensor
    k_MNTD: torch.Tensor
    position_h: torch.Tensor
    position_w: torch.Tensor
    token_MT: torch.Tensor
    num_tokens: int

    @property
    def is_global(self) -> bool:
        """Does the block attend to the whole image?"""
        return self.token_MT.shape[0] == 1

    def apply(self, weight_KT: torch.Tensor) -> torch.Tensor:
        """Propagate K weightings of the tokens through the block: ``weight_KT @ A``, K x T.

        A is T x T, row = query, mean over heads, each row with sum 1. Padding of windows is not part of the
        image, so the attention to padding is distributed over the real keys in proportion.
        """
        result_KT, weighted_T = torch.zeros_like(weight_KT), (weight_KT != 0).any(0)
        for tokens_T, q_NTD, k_NTD in zip(self.token_MT, self.q_MNTD, self.k_MNTD):
            real = tokens_T >= 0
            queried = real & weighted_T[tokens_T]  # rows without weight need no softmax
            if not queried.any():
                continue
            part_KQ, inside = weight_KT[:, tokens_T[queried]], tokens_T[real]
            mixed_KT = torch.zeros(len(part_KQ), len(inside), device=part_KQ.device)
            for q_TD, k_TD in zip(q_NTD, k_NTD):
                attention_QT = self._rows(q_TD, k_TD, queried)[:, real]
                mixed_KT += part_KQ @ (attention_QT / attention_QT.sum(1, keepdim=True))
            result_KT[:, inside] += mixed_KT / len(q_NTD)
        return result_KT

    def _rows(self, q_TD: torch.Tensor, k_TD: torch.Tensor, queried: torch.Tensor) -> torch.Tensor:
        by_row, by_column = position_scores(q_TD[None, None], self.position_h, self.position_w)
        by_row, by_column = by_row[0, 0, queried], by_column[0, 0, queried]
        bias_QT = (by_row[:, :, None] + by_column[:, None, :]).flatten(-2)
        return torch.addmm(bias_QT, q_TD[queried], k_TD.T, alpha=q_TD.shape[-1] ** -0.5).softmax(-1)


@dataclass(frozen=True, kw_only=True)
class EncoderAttention:
    """The attention of every block, first to last; ``grid`` is (rows, columns) of tokens."""

    blocks: tuple[BlockAttention, ...]
    grid: tuple[int, int]

    def token_at(self, x: float, y: float, *, frame: tuple[int, int]) -> int:
        """Return the token at a point (x, y) in px of a network frame of size (height, width)."""
        row = min(max(int((y + 0.5) * self.grid[0] / frame[0]), 0), self.grid[0] - 1)
        column = min(max(int((x + 0.5) * self.grid[1] / frame[1]), 0), self.grid[1] - 1)
        return row * self.grid[1] + column


@torch.no_grad()
def read_attention(network: nn.Module, image_1CHW: torch.Tensor, **given: object) -> EncoderAttention:
    """Run a network on one image and return the attention of its encoder, in float32.

    Args:
        network: CervSpineNet, SAM or another network with SAM's image encoder.
        image_1CHW: one normalized image in its frame, float32, on the network's device.
        given: further arguments of its forward pass (points).

    Raises:
        CervsegError: the network has no such encoder.
    """
    encoder = next((module for module in network.modules() if isinstance(module, ImageEncoder)), None)
    if encoder is None:
        raise CervsegError(
            "the network has no transformer encoder to read attention from",
            hint="use Grad-CAM, which explains any network",
        )
    was_training = network.training
    network.eval()
    with _projections(encoder) as kept:
        network(image_1CHW, **given)
    network.train(was_training)
    blocks = (_of_block(layer, qkv, encoder.grid) for layer, qkv in zip(_layers(encoder), kept))
    return EncoderAttention(blocks=tuple(blocks), grid=encoder.grid)


def _layers(encoder: ImageEncoder) -> list[Attention]:
    """List the attention layers, first to last."""
    return [module for module in encoder.blocks.modules() if isinstance(module, Attention)]


@contextmanager
def _projections(encoder: ImageEncoder) -> Iterator[list[torch.Tensor]]:
    """Collect the q, k, v projections of every block, in their order, inside the with block."""
    kept: list[torch.Tensor] = []
    hooks = [
        layer.qkv.register_forward_hook(lambda _module, _given, output: kept.append(output.float()))
        for layer in _layers(encoder)
    ]
    try:
        yield kept
    finally:
        for hook in hooks:
            hook.remove()


def _of_block(attention: Attention, qkv_BHWC: torch.Tensor, grid: tuple[int, int]) -> BlockAttention:
    num_tokens = grid[0] * grid[1]
    token_HW = torch.arange(num_tokens, device=qkv_BHWC.device).view(grid)
    if attention.windowed:
        side = attention.field[0]
        qkv_BHWC = split_windows(attention.pad(qkv_BHWC), side=side)
        below, right = -grid[0] % side, -grid[1] % side
        token_HW = nn.functional.pad(token_HW, (0, right, 0, below), value=-1)
        token_MT = split_windows(token_HW[None, ..., None], side=side).flatten(1)
    else:
        token_MT = token_HW.flatten()[None]
    windows, height, width, _ = qkv_BHWC.shape
    q_MNTD, k_MNTD, _ = qkv_BHWC.reshape(windows, height * width, 3, attention.num_heads, -1).permute(
        2, 0, 3, 1, 4
    )
    return BlockAttention(
        q_MNTD=q_MNTD,
        k_MNTD=k_MNTD,
        position_h=relative_positions(attention.rel_pos_h.detach().float(), height),
        position_w=relative_positions(attention.rel_pos_w.detach().float(), width),
        token_MT=token_MT,
        num_tokens=num_tokens,
    )
