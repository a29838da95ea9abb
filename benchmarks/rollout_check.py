"""Attention rollout of a ViT-B against the plain way, which stores every attention matrix, at 512 and 1024.

    python benchmarks/rollout_check.py          differences, seconds, peak memory, each way in a process

At 512 the plain way stores all 144 matrices (12 blocks x 12 heads, 0.6 GB); at 1024 they would take 9.7 GB,
and it stores the mean over heads of each block. Weights are random, made so that attention is far from even.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch

from benchmarks.harness import peak_gib
from cervseg.explain.attention import read_attention
from cervseg.explain.rollout import rollout_rows
from cervseg.networks.cervspine import CervSpineNet

QUERIES = (0, 0.37, 0.5, 0.999)  # places of the tokens whose rows are compared, as shares of their number


def network(side: int) -> CervSpineNet:
    """The published network at this size."""
    torch.manual_seed(0)
    made = CervSpineNet(input_size=(side, side)).eval()
    for name, parameter in made.named_parameters():
        if "qkv" in name or "pos" in name:
            torch.nn.init.normal_(parameter, std=0.08)
    return made


def ours(side: int) -> dict[str, Any]:
    """Rows of the rollout by the fast path, their sums, and what they took."""
    made, image = network(side), torch.randn(1, 1, side, side)
    started = time.perf_counter()
    found = read_attention(made, image)
    num_tokens = found.grid[0] * found.grid[1]
    weight = torch.zeros(len(QUERIES) + 1, num_tokens)
    for row, place in enumerate(QUERIES):
        weight[row, int(place * num_tokens)] = 1
    weight[-1] = 1 / num_tokens
    rows = rollout_rows(found, weight)
    return {"rows": rows.tolist(), "s": time.perf_counter() - started, "gib": peak_gib()}


@torch.no_grad()
def plain(side: int) -> dict[str, Any]:
    """The same by stored matrices, computed token by token pair as the formula says."""
    made, image = network(side), torch.randn(1, 1, side, side)
    encoder, stored = made.encoder, []
    tokens = encoder.patch_embed(image.expand(-1, 3, -1, -1)) + encoder.pos_embed
    started = time.perf_counter()
    for block in encoder.blocks:
        heads = full_attention(block, tokens[0], keep_heads=side <= 512)
        stored.append(heads)
        tokens = block(tokens)
    num_tokens = tokens.shape[1] * tokens.shape[2]
    weight = torch.zeros(len(QUERIES) + 1, num_tokens)
    for row, place in enumerate(QUERIES):
        weight[row, int(place * num_tokens)] = 1
    weight[-1] = 1 / num_tokens
    for heads in reversed(stored):
        weight = 0.5 * weight + 0.5 * weight @ heads.mean(0)
    return {"rows": weight.tolist(), "s": time.perf_counter() - started, "gib": peak_gib()}


def full_attention(block: Any, token_HWC: torch.Tensor, *, keep_heads: bool) -> torch.Tensor:
    """Heads x T x T (or 1 x T x T, their mean): windows by index, without padding."""
    attn = block.attn
    height, width, _ = token_HWC.shape
    num_tokens = height * width
    qkv = torch.nn.functional.linear(block.norm1(token_HWC), attn.qkv.weight, attn.qkv.bias)
    q, k, _ = qkv.reshape(num_tokens, 3, attn.num_heads, -1).permute(1, 2, 0, 3)
    rows = torch.arange(height).repeat_interleave(width)
    columns = torch.arange(width).repeat(height)
    side_h, side_w = attn.field
    outside = torch.zeros(num_tokens, num_tokens, dtype=torch.bool)
    if attn.windowed:
        window = rows // side_h * width + columns // side_w
        outside = window[:, None] != window[None]
    result = torch.zeros(attn.num_heads if keep_heads else 1, num_tokens, num_tokens)
    for head in range(attn.num_heads):
        score = q[head] @ k[head].T * q.shape[-1] ** -0.5
        by_h, by_w = q[head] @ attn.rel_pos_h.T, q[head] @ attn.rel_pos_w.T
        apart = (rows[:, None] - rows[None] + side_h - 1).clamp(0, 2 * side_h - 2)
        score += by_h.gather(1, apart)
        apart = (columns[:, None] - columns[None] + side_w - 1).clamp(0, 2 * side_w - 2)
        score += by_w.gather(1, apart)
        attention = score.masked_fill(outside, -torch.inf).softmax(-1)
        if keep_heads:
            result[head] = attention
        else:
            result[0] += attention / attn.num_heads
    return result


def main() -> None:
    """Both ways at both sizes."""
    if len(sys.argv) == 3:
        print(json.dumps({"ours": ours, "plain": plain}[sys.argv[1]](int(sys.argv[2]))))
        return
    for side in (512, 1024):
        found = {}
        for way in ("ours", "plain"):
            command = [sys.executable, __file__, way, str(side)]
            found[way] = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
        a, b = (torch.tensor(found[way]["rows"]) for way in ("ours", "plain"))
        print(
            f"{side}: rows sum to 1 within {float((a.sum(1) - 1).abs().max()):.1e}, "
            f"differ by at most {float((a - b).abs().max()):.1e} (largest value {float(b.max()):.1e})",
            *(f"{way} {it['s']:.0f} s, {it['gib']:.2f} GiB" for way, it in found.items()),
            sep="; ",
            flush=True,
        )


if __name__ == "__main__":
    main()
