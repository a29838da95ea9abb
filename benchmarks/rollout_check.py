"""Compare attention rollout with a plain implementation that stores all matrices, on a random ViT-B.

    python benchmarks/rollout_check.py                 1024 x 1024 px, 4096 tokens: minutes, about 4 GiB
    python benchmarks/rollout_check.py --side 512

The plain implementation follows segment-anything's formulas, stores one T x T matrix per block and multiplies
them. It runs after the fast one, so the first peak memory (ru_maxrss) is that of the fast one only.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time

import torch
from torch import nn
from torch.nn import functional

from cervseg.explanation.attention import read_attention
from cervseg.explanation.query_map import query_map
from cervseg.explanation.rollout import rollout_map
from cervseg.networks.cervspine import CervSpineNet


def peak_gib() -> float:
    """Return the peak memory of this process so far, in GiB."""
    unit = 2**20 if sys.platform.startswith("linux") else 2**30  # Linux counts in KiB, macOS in bytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def plain_matrix(layer: nn.Module, token_HWC: torch.Tensor) -> torch.Tensor:
    """Compute the attention matrix of a block, the mean over its heads.

    Windows are padded with zero tokens; the weights of these tokens are removed and rows are renormalized.

    Args:
        layer: attention layer of the block.
        token_HWC: its input, H x W x C.

    Returns:
        T x T with T = H * W; each row sums to 1.
    """
    height, width, channels = token_HWC.shape
    rows, columns = layer.field
    padded = functional.pad(token_HWC, (0, 0, 0, -width % columns, 0, -height % rows))
    matrix = torch.zeros(height * width, height * width)
    i, j = torch.arange(rows).repeat_interleave(columns), torch.arange(columns).repeat(rows)
    for top in range(0, padded.shape[0], rows):
        for left in range(0, padded.shape[1], columns):
            window = padded[top : top + rows, left : left + columns].reshape(-1, channels)
            real = (top + i < height) & (left + j < width)
            token = ((top + i) * width + left + j)[real]
            q, k, _ = (window @ layer.qkv.weight.T + layer.qkv.bias).chunk(3, dim=1)
            total = torch.zeros(int(real.sum()), int(real.sum()))
            for own_q, own_k in zip(q.chunk(layer.num_heads, dim=1), k.chunk(layer.num_heads, dim=1)):
                score = own_q @ own_k.T / own_q.shape[1] ** 0.5
                for row in range(rows):  # relative positions, one query row and column at a time
                    distance = row - torch.arange(rows) + rows - 1
                    score[i == row] += (own_q[i == row] @ layer.rel_pos_h[distance].T)[:, i]
                for column in range(columns):
                    distance = column - torch.arange(columns) + columns - 1
                    score[j == column] += (own_q[j == column] @ layer.rel_pos_w[distance].T)[:, j]
                weights = score.softmax(1)[real][:, real]
                total += weights / weights.sum(1, keepdim=True)
            matrix[token[:, None], token] = total / layer.num_heads
    return matrix


def plain_rollout(network: CervSpineNet, image: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Compute the product of (A + I) / 2 over all blocks; return it and the matrices A."""
    encoder = network.encoder
    tokens = encoder.patch_embed(image.expand(-1, 3, -1, -1)) + encoder.pos_embed
    matrices = []
    for block in encoder.blocks:
        matrices.append(plain_matrix(block.attn, block.norm1(tokens)[0]))
        tokens = block(tokens)
    product = torch.eye(len(matrices[0]))
    for matrix in matrices:
        product = 0.5 * product + 0.5 * (matrix @ product)
    return product, matrices


@torch.no_grad()
def main() -> None:
    """Print times, peak memory and the largest differences."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--side", type=int, default=1024, help="height and width in px (default: 1024)")
    options = parser.parse_args()
    torch.manual_seed(0)
    network = CervSpineNet(input_size=(options.side, options.side)).eval()
    for name, parameter in network.named_parameters():
        if "qkv.weight" in name or "rel_pos" in name:
            nn.init.normal_(parameter, std=0.06)  # attention that is far from uniform
    image = torch.randn(1, 1, options.side, options.side)
    network(image)
    print(f"one forward pass:  peak {peak_gib():.2f} GiB", flush=True)
    started = time.perf_counter()
    attention = read_attention(network, image)
    read_s = time.perf_counter() - started
    found = rollout_map(attention).ravel()
    rollout_s = time.perf_counter() - started - read_s
    token = len(found) // 2
    row = query_map(attention, token).ravel()
    query_s = time.perf_counter() - started - read_s - rollout_s
    print(
        f"fast: reading {read_s:.1f} s, rollout {rollout_s:.1f} s, query {query_s:.1f} s; "
        f"peak {peak_gib():.2f} GiB",
        flush=True,
    )
    started = time.perf_counter()
    product, matrices = plain_rollout(network, image)
    print(f"plain: {time.perf_counter() - started:.1f} s; peak {peak_gib():.2f} GiB")
    share = len(found)
    print(f"rows of the plain rollout sum to 1 within {(product.sum(1) - 1).abs().max():.1e}")
    expected = product.mean(0).numpy()
    print(f"map, relative to uniform: {expected.min() * share:.3f} to {expected.max() * share:.3f}, ", end="")
    print(f"largest difference {abs(found - expected).max() * share:.1e} (absolute: ", end="")
    print(f"{abs(found - expected).max():.1e})")
    last = [k for k, block in enumerate(network.encoder.blocks) if not block.attn.windowed][-1]
    print(f"query: largest difference {abs(row - matrices[last][token].numpy()).max():.1e}")


if __name__ == "__main__":
    main()
