"""Time and peak memory of one training step of CervSpineNet, one process per mode.

    python benchmarks/step_memory.py                        published size, one image of 1024 x 1024
    python benchmarks/step_memory.py --size small --input-size 384 288 --batch-size 2
    python benchmarks/step_memory.py --device cuda

On a CPU the peak is that of the whole process (ru_maxrss): weights, gradients, AdamW's state, activations,
and about 0.5 GiB for Python and torch. On a GPU it is the peak of torch's allocator. Weights are random;
speed does not depend on them. Close other programs first.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from typing import Any

WAYS: dict[str, dict[str, Any]] = {
    "float32": {},
    "float32, checkpoint_blocks": {"checkpoint_blocks": True},
    "bfloat16": {"precision": "bfloat16"},
    "bfloat16, checkpoint_blocks": {"precision": "bfloat16", "checkpoint_blocks": True},
    "bfloat16, train_last_blocks=4": {"precision": "bfloat16", "train_last_blocks": 4},
    "bfloat16, lora_rank=4": {"precision": "bfloat16", "lora_rank": 4},
    "bfloat16, lora_rank=4, checkpoint_blocks": {
        "precision": "bfloat16",
        "lora_rank": 4,
        "checkpoint_blocks": True,
    },
    "bfloat16, freeze_encoder": {"precision": "bfloat16", "freeze_encoder": True},
    "bfloat16, freeze_encoder, kept features": {"precision": "bfloat16", "freeze_encoder": True},
}


def measure(way: str, options: argparse.Namespace) -> dict[str, float]:
    """Run training steps of one mode in this process.

    Args:
        way: one of :data:`WAYS`.
        options: options of the command.

    Returns:
        Median seconds per step after one warm-up step, peak memory in GiB, trainable parameters in millions.
    """
    import torch

    from cervseg.core.types import Hyperparameters
    from cervseg.losses.compound import build_loss
    from cervseg.networks.cervspine import CervSpineNet
    from cervseg.planning.constants import VIT_SIZES
    from cervseg.training.data import Batch
    from cervseg.training.freezing import choose_trained, num_trained, parameter_groups, train_mode
    from cervseg.training.precision import autocast
    from cervseg.training.trainer import Trainer

    torch.manual_seed(0)
    hyper = Hyperparameters(epochs=1, batch_size=options.batch_size, learning_rate=1e-4, **WAYS[way])
    sizes, device = VIT_SIZES[options.size].network, torch.device(options.device)
    network = CervSpineNet(input_size=tuple(options.input_size), **sizes)
    choose_trained(network, hyper)
    network = network.to(device).to(memory_format=torch.channels_last)
    train_mode(network)
    optimizer = torch.optim.AdamW(parameter_groups(network, hyper), lr=hyper.learning_rate)
    loss, trainer = build_loss("cervspinenet").to(device), Trainer()
    image = torch.randn(options.batch_size, 1, *options.input_size)
    target = (torch.rand_like(image) > 0.97).float()
    batch = Batch(image_BCHW=image, target_BLHW=target, cases=("image",) * len(image)).to(device)
    if "kept" in way:
        with torch.no_grad(), autocast(device, hyper.precision):
            feature = network.encode(batch.image_BCHW)
        batch = Batch(**{**vars(batch), "feature_BCHW": feature})
    times = []
    for _ in range(1 + options.steps):
        started = time.perf_counter()
        with autocast(device, hyper.precision):
            terms = trainer.step(network, loss, batch).terms
        torch.stack(list(terms.values())).sum().backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - started)
    unit = 2**20 if sys.platform.startswith("linux") else 2**30  # Linux counts in KiB, macOS in bytes
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    if device.type == "cuda":
        peak = torch.cuda.max_memory_allocated() / 2**30
    return {
        "seconds": statistics.median(times[1:]),
        "peak_gib": peak,
        "trained_m": num_trained(network) / 1e6,
    }


def main() -> None:
    """Print one line per mode."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", default="published", help="network size: published, medium or small")
    parser.add_argument("--input-size", nargs=2, type=int, default=(1024, 1024), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--batch-size", type=int, default=1, help="images per step (default: 1)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: cpu)")
    parser.add_argument(
        "--steps", type=int, default=2, help="timed steps after the warm-up step (default: 2)"
    )
    parser.add_argument("--way", choices=WAYS, help="run this mode in this process and print JSON")
    options = parser.parse_args()
    if options.way:
        print(json.dumps(measure(options.way, options)))
        return
    print(f"{'one training step':<42} {'s':>8} {'peak GiB':>9} {'M trained':>10}", flush=True)
    for way in WAYS:
        done = subprocess.run(
            [sys.executable, __file__, *sys.argv[1:], "--way", way], stdout=subprocess.PIPE, text=True
        )
        if done.returncode:
            print(f"{way:<42} failed with exit code {done.returncode}", flush=True)
            continue
        found = json.loads(done.stdout)
        print(
            f"{way:<42} {found['seconds']:>8.2f} {found['peak_gib']:>9.2f} {found['trained_m']:>10.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
