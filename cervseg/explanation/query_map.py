"""Attention of one point of an image: the query-centric map of Fig. 8."""

from __future__ import annotations

import numpy as np
import torch

from cervseg.explanation.attention import EncoderAttention


def query_map(attention: EncoderAttention, token: int) -> np.ndarray:
    """Return the attention of one token in the last global block, mean over heads.

    Args:
        attention: attention of all blocks.
        token: see :meth:`EncoderAttention.token_at`.

    Returns:
        rows x columns of the grid, float32, with sum 1.
    """
    block = next((b for b in reversed(attention.blocks) if b.is_global), attention.blocks[-1])
    one = torch.zeros(1, block.num_tokens, device=block.q_MNTD.device)
    one[0, token] = 1
    found: np.ndarray = block.apply(one).view(attention.grid).cpu().numpy()
    return found
