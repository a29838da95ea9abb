"""Attention rollout (Abnar & Zuidema 2020): from the tokens of the last block to the patches."""

from __future__ import annotations

import numpy as np
import torch

from cervseg.explanation.attention import EncoderAttention

RESIDUAL = 0.5  # weight of a token itself in every block: the residual connection


def rollout_rows(attention: EncoderAttention, weight_KT: torch.Tensor) -> torch.Tensor:
    """Compute ``weight_KT @ A'_last ... A'_first`` with A' = I / 2 + A / 2, K x T float32.

    Rows with sum 1 give rows with sum 1. The identity gives the whole rollout matrix, row = token after the
    last block, column = patch; a row of 1 / T gives the mean over all tokens.
    """
    for block in reversed(attention.blocks):
        weight_KT = RESIDUAL * weight_KT + (1 - RESIDUAL) * block.apply(weight_KT)
    return weight_KT


def rollout_map(attention: EncoderAttention) -> np.ndarray:
    """Return the mean attention of all tokens to each patch: rows x columns, float32, sum 1."""
    num_tokens = attention.grid[0] * attention.grid[1]
    device = attention.blocks[0].q_MNTD.device
    everything = torch.full((1, num_tokens), 1 / num_tokens, device=device)
    found: np.ndarray = rollout_rows(attention, everything).view(attention.grid).cpu().numpy()
    return found
