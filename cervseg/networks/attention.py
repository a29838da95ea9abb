"""Attention with decomposed relative positions (Li et al. 2022, MViTv2), exact and fast for many tokens.

softmax(q k^T / sqrt(d) + q . R_h[i - i'] + q . R_w[j - j']) v. With 4096 tokens there are 16.8 million scores
per head, and memory limits the speed of a CPU. Therefore scores are computed for a few heads and queries at a
time, used while they are in the CPU's cache, and discarded; the backward pass recomputes them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch.autograd.function import once_differentiable
from torch.nn import functional

# With 4096 tokens, whole heads take 2.2 times as long in bfloat16 and 2.8 times in float32.
QUERIES_AT_ONCE = 256
SCORE_BYTES = 4 * 2**20


def relative_positions(embedding_RD: torch.Tensor, length: int) -> torch.Tensor:
    """Look up the embedding of i - j for every query i and key j on one axis.

    Args:
        embedding_RD: 2 * length - 1 rows, the first for i - j = 1 - length.
        length: number of positions on the axis.

    Returns:
        length x length x D.
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
    """Compute softmax(q k^T / sqrt(d) + q . R_h + q . R_w) v.

    Args:
        q_BNTD: queries of N heads and T = height * width tokens.
        k_BNTD: keys.
        v_BNTD: values.
        position_h: :func:`relative_positions` of the rows.
        position_w: :func:`relative_positions` of the columns.

    Returns:
        B x N x T x D, in the dtype of ``q_BNTD``.
    """
    by_row, by_column = position_scores(q_BNTD, position_h, position_w)
    # Export plain matrix products, which every runtime supports.
    if torch.compiler.is_exporting():
        q_MTE, k_MTE = _folded(q_BNTD, k_BNTD, by_row, by_column)
        score_MTT = torch.bmm(q_MTE, k_MTE.transpose(1, 2))
        return torch.bmm(score_MTT.softmax(-1), v_BNTD.flatten(0, 1)).view(q_BNTD.shape)
    if q_BNTD.device.type != "cpu":
        bias = (by_row[..., :, None] + by_column[..., None, :]).flatten(-2)
        return functional.scaled_dot_product_attention(q_BNTD, k_BNTD, v_BNTD, attn_mask=bias)
    wants_gradient = torch.is_grad_enabled() and (q_BNTD.requires_grad or by_row.requires_grad)
    if wants_gradient or q_BNTD.dtype != torch.float32:
        folded = _folded(q_BNTD, k_BNTD, by_row, by_column)
        mixed_MTD: torch.Tensor = _InParts.apply(*folded, v_BNTD.flatten(0, 1))  # type: ignore[no-untyped-call]
    else:
        mixed_MTD = _attend_adding(q_BNTD, k_BNTD, v_BNTD, by_row, by_column)
    return mixed_MTD.view(q_BNTD.shape)


def position_scores(
    q_BNTD: torch.Tensor, position_h: torch.Tensor, position_w: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Compute the position scores of rows, q . R_h, and of columns, q . R_w.

    The bias of a key is the sum of the entries of its row and its column.

    Args:
        q_BNTD: queries.
        position_h: :func:`relative_positions` of the rows.
        position_w: :func:`relative_positions` of the columns.

    Returns:
        B x N x T x height and B x N x T x width.
    """
    batch, num_heads, tokens, head_dim = q_BNTD.shape
    q = q_BNTD.reshape(batch, num_heads, position_h.shape[0], position_w.shape[0], head_dim)
    by_row = torch.einsum("bnhwd,hkd->bnhwk", q, position_h)
    by_column = torch.einsum("bnhwd,wkd->bnhwk", q, position_w)
    return by_row.reshape(batch, num_heads, tokens, -1), by_column.reshape(batch, num_heads, tokens, -1)


class _InParts(torch.autograd.Function):
    """Compute softmax(q k^T) v in parts on a CPU: queries and keys M x T x E, values M x T x D."""

    @staticmethod
    def forward(ctx: Any, q_MTE: torch.Tensor, k_MTE: torch.Tensor, v_MTD: torch.Tensor) -> torch.Tensor:
        """Compute M x T x D; save the inputs but not the scores."""
        ctx.save_for_backward(q_MTE, k_MTE, v_MTD)
        mixed_MTD = torch.empty_like(v_MTD)
        for heads, rows in _parts(v_MTD):
            share_MRT = torch.bmm(q_MTE[heads, rows], k_MTE[heads].transpose(1, 2)).softmax(-1)
            mixed_MTD[heads, rows] = torch.bmm(share_MRT, v_MTD[heads])
        return mixed_MTD

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope_MTD: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Compute gradients of queries, keys and values; sums over parts are at least float32."""
        q_MTE, k_MTE, v_MTD = ctx.saved_tensors
        of_q = torch.empty_like(q_MTE)
        exact = torch.promote_types(v_MTD.dtype, torch.float32)
        of_k, of_v = (torch.zeros_like(given, dtype=exact) for given in (k_MTE, v_MTD))
        for heads, rows in _parts(v_MTD):
            q, slope = q_MTE[heads, rows], slope_MTD[heads, rows]
            share_MRT = torch.bmm(q, k_MTE[heads].transpose(1, 2)).softmax(-1)
            of_v[heads] += torch.bmm(share_MRT.transpose(1, 2), slope)
            of_share = torch.bmm(slope, v_MTD[heads].transpose(1, 2))
            of_score = torch._softmax_backward_data(of_share, share_MRT, -1, share_MRT.dtype)
            of_q[heads, rows] = torch.bmm(of_score, k_MTE[heads])
            of_k[heads] += torch.bmm(of_score.transpose(1, 2), q)
        return of_q, of_k.to(k_MTE.dtype), of_v.to(v_MTD.dtype)


def _attend_adding(
    q_BNTD: torch.Tensor,
    k_BNTD: torch.Tensor,
    v_BNTD: torch.Tensor,
    by_row: torch.Tensor,
    by_column: torch.Tensor,
) -> torch.Tensor:
    """Compute M x T x D in float32 without gradients, with the bias added to the scores in place.

    In bfloat16, each of the two sums would be rounded.
    """
    q_MTD, k_MTD, v_MTD = (given.flatten(0, 1) for given in (q_BNTD, k_BNTD, v_BNTD))
    q_MTD = q_MTD * q_MTD.shape[-1] ** -0.5
    by_row, by_column = by_row.flatten(0, 1)[..., :, None], by_column.flatten(0, 1)[..., None, :]
    field = by_row.shape[-2], by_column.shape[-1]
    mixed_MTD = torch.empty_like(v_MTD)
    for heads, rows in _parts(v_MTD):
        score_MRT = torch.bmm(q_MTD[heads, rows], k_MTD[heads].transpose(1, 2))
        score_MRHW = score_MRT.view(*score_MRT.shape[:2], *field)
        score_MRHW.add_(by_row[heads, rows]).add_(by_column[heads, rows])
        mixed_MTD[heads, rows] = torch.bmm(score_MRT.softmax(-1), v_MTD[heads])
    return mixed_MTD


def _parts(v_MTD: torch.Tensor) -> Iterator[tuple[slice, slice]]:
    """Yield slices of heads and queries that together cover all."""
    num_heads, tokens, _ = v_MTD.shape
    num_rows = min(tokens, QUERIES_AT_ONCE)
    heads_at_once = max(1, SCORE_BYTES // (num_rows * tokens * v_MTD.element_size()))
    for head in range(0, num_heads, heads_at_once):
        for row in range(0, tokens, num_rows):
            yield slice(head, head + heads_at_once), slice(row, row + num_rows)


def _folded(
    q_BNTD: torch.Tensor, k_BNTD: torch.Tensor, by_row: torch.Tensor, by_column: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Fold the bias into longer queries and keys: [q / sqrt(d), q . R_h, q . R_w] [k, row, column]^T.

    Row and column of a key are one-hot, so the product is the sum of all three, accumulated in float32.

    Returns:
        Queries and keys M x T x E, M = B * N heads.
    """
    batch, num_heads, tokens, head_dim = q_BNTD.shape
    height, width = by_row.shape[-1], by_column.shape[-1]
    row = torch.eye(height, dtype=k_BNTD.dtype, device=k_BNTD.device).repeat_interleave(width, 0)
    column = torch.eye(width, dtype=k_BNTD.dtype, device=k_BNTD.device).repeat(height, 1)
    place = torch.cat([row, column], dim=1).expand(batch, num_heads, tokens, height + width)
    long_q = torch.cat([q_BNTD * head_dim**-0.5, by_row.to(q_BNTD.dtype), by_column.to(q_BNTD.dtype)], dim=-1)
    long_k = torch.cat([k_BNTD, place], dim=-1)
    return long_q.flatten(0, 1), long_k.flatten(0, 1)
