"""SAM's ViT-B image encoder on one image of 1024 x 1024, float32, on the CPU."""

from __future__ import annotations

import torch
from segment_anything import sam_model_registry

from benchmarks.harness import Row, in_turn, relative_difference
from cervseg.networks.sam import image_encoder

SIZE = (1024, 1024)


@torch.inference_mode()
def measure(*, repeats: int) -> list[Row]:
    """Compare with segment-anything, with the same weights."""
    torch.manual_seed(0)
    peer = sam_model_registry["vit_b"]().image_encoder.eval()
    for name, weight in peer.named_parameters():
        if "pos" in name:  # zeros after initialization, which would hide errors
            weight.normal_(std=0.02)
    ours = image_encoder(input_size=SIZE).eval()
    ours.load_state_dict(peer.state_dict())
    image = torch.randn(1, 3, *SIZE)
    difference = relative_difference(ours(image), peer(image))
    taken, peers = in_turn(lambda: ours(image), lambda: peer(image), repeats=repeats)
    return [
        Row(
            work="SAM ViT-B encoder, 1024, batch 1, float32",
            peer="segment_anything, eager, float32",
            ours=taken,
            theirs=peers,
            reach=1.4,
            agreement=f"relative difference {difference:.1e} (allowed 1e-4)",
            is_same=difference <= 1e-4,
        )
    ]
