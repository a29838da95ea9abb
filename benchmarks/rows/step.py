"""Time and peak memory of a training step of CervSpineNet at its published size, one process per mode."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

import torch
from segment_anything import sam_model_registry

from benchmarks.harness import Row, peak_gib
from cervseg.losses.compound import build_loss
from cervseg.networks.cervspine import CervSpineNet
from cervseg.training.precision import autocast

WAYS = ("plain", "bfloat16", "bfloat16, checkpointed")
SIZE = (1024, 1024)


def measure(*, repeats: int) -> list[Row]:
    """Compare the plain network with cervseg's, without and with activation checkpointing."""
    steps = max(1, repeats // 2)
    found = {way: _apart(way, steps) for way in WAYS}
    plain, rows = found["plain"], []
    for way, reach_time, reach_memory in ((WAYS[1], 2.5, 1.0), (WAYS[2], 1.0, 3.0)):
        ours = found[way]
        apart = abs(ours["loss"] - plain["loss"]) / abs(plain["loss"])
        agreement = f"first loss differs by {apart:.1e} (bfloat16: 2e-2 allowed)"
        for unit, reach in (("s", reach_time), ("GiB", reach_memory)):
            rows.append(
                Row(
                    work=f"CervSpineNet training step, 1024, batch 1, {way}",
                    peer="segment_anything's encoder, the same decoder and loss, eager, float32",
                    ours=ours[unit],
                    theirs=plain[unit],
                    reach=reach,
                    unit=unit,
                    agreement=agreement,
                    is_same=apart < 2e-2,
                )
            )
    return rows


def _apart(way: str, steps: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.rows.step", way, str(steps)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _steps(way: str, steps: int) -> dict[str, Any]:
    """Run training steps of one mode; weights, image and mask are the same for all modes."""
    torch.manual_seed(0)
    network = CervSpineNet(checkpoint_blocks="checkpointed" in way)
    device, precision = torch.device("cpu"), "float32"
    if way == "plain":
        peer = sam_model_registry["vit_b"]().image_encoder
        peer.load_state_dict(network.encoder.state_dict())
        network.encoder = peer
    else:
        precision = "bfloat16"
        network = network.to(memory_format=torch.channels_last)
    loss = build_loss("cervspinenet")
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4)
    image = torch.randn(1, 1, *SIZE)
    target = torch.zeros(1, 1, *SIZE)
    target[..., 200:300, 500:700] = 1
    times, first = [], 0.0
    for step in range(steps + 1):
        started = time.perf_counter()
        with autocast(device, precision):
            logits = network(image)
        value = torch.stack(list(loss(logits.float(), target).values())).sum()
        value.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        times.append(time.perf_counter() - started)
        first = float(value.detach()) if step == 0 else first
    return {"s": times[1:], "GiB": [peak_gib()], "loss": first}


if __name__ == "__main__":
    print(json.dumps(_steps(sys.argv[1], int(sys.argv[2]))))
