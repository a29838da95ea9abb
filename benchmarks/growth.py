"""Time and memory by number of images, frame size and number of folds; writes growth.json.

make bench-growth                     all parts; close other programs first
make bench-growth PARTS=images        one part: preparing, images, frame or folds
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks.commands import Command, measured
from benchmarks.harness import peak_gib
from benchmarks.images import WORK, dataset
from benchmarks.rows.preparing import prepared
from cervseg.core.types import NetworkSpec
from cervseg.networks.base import build_network
from cervseg.networks.device import choose_precision

RESULTS = Path(__file__).with_name("growth.json")
NUM_PREPARED = {801: 24, 802: 100, 807: 500}  # dataset number -> number of images
NUM_IMAGES = (8, 80, 800)
FRAMES_PX = (256, 512, 768, 1024, 1280, 1536)
NUM_FOLDS = (1, 2, 3, 4, 5)
NETWORKS = {
    "U-Net, published size": ("unet", {"features": 64, "num_levels": 4, "norm": "instance"}),
    "CervSpineNet, published size": ("cervspinenet", {}),
}


def main() -> None:
    """Measure the given parts, or all, and print a table of every part measured so far."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "parts",
        nargs="*",
        metavar="PART",
        help="parts to measure: preparing, images, frame, folds (default: all)",
    )
    parser.add_argument("--here", nargs=2, metavar=("NETWORK", "PX"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        print(json.dumps(_forward(options.here[0], int(options.here[1]))))
        return
    known: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    parts = {"preparing": preparing, "images": images, "frame": frames, "folds": folds}
    for part in options.parts or parts:
        known[part] = parts[part]()
        RESULTS.write_text(json.dumps(known, indent=2) + "\n")
    for part, rows in known.items():
        print(f"\n{part}\n\n| {' | '.join(rows[0])} |\n|{'---|' * len(rows[0])}")
        for row in rows:
            print(f"| {' | '.join(str(value) for value in row.values())} |")


def preparing() -> list[dict[str, Any]]:
    """Measure cervseg_plan_and_preprocess for increasing numbers of images of 1200 px."""
    rows = []
    for number, num in NUM_PREPARED.items():
        dataset(number, name="Prepare", num=num)
        taken = prepared(f"{number:03d}")
        rows.append(
            {
                "images": num,
                "s": round(taken.seconds, 1),
                "images per s": round(num / taken.seconds, 1),
                "GiB": round(taken.peak_gib, 2),
            }
        )
    return rows


def images() -> list[dict[str, Any]]:
    """Measure cervseg_predict for increasing numbers of images: time, time per image, peak memory."""
    raw = _trained()
    rows = []
    for num in NUM_IMAGES:
        given, made = WORK / "many", WORK / "predicted/many"
        for folder in (given, made):
            shutil.rmtree(folder, ignore_errors=True)
        given.mkdir(parents=True)
        sources = sorted((raw / "imagesTs").iterdir())
        for index in range(num):
            (given / f"image_{index:04d}.png").hardlink_to(sources[index % len(sources)])
        taken = measured(_predict(given, made, "-f", "0"))
        assert len(list(made.glob("*.png"))) == num
        rows.append(
            {
                "images": num,
                "s": round(taken.seconds, 1),
                "s per image": round(taken.seconds / num, 3),
                "GiB": round(taken.peak_gib, 2),
            }
        )
    return rows


def folds() -> list[dict[str, Any]]:
    """Measure cervseg_predict for one to five averaged folds, on the same images."""
    raw = _trained()
    (model,) = (WORK / "results" / raw.name).glob("UNetTrainer__*")
    rows = []
    for num in NUM_FOLDS:
        for fold in range(1, num):
            shutil.copytree(model / "fold_0", model / f"fold_{fold}", dirs_exist_ok=True)
        made = WORK / "predicted/folds"
        shutil.rmtree(made, ignore_errors=True)
        taken = measured(_predict(raw / "imagesTs", made, "-f", *(str(fold) for fold in range(num))))
        rows.append({"folds": num, "s": round(taken.seconds, 1), "GiB": round(taken.peak_gib, 2)})
    for fold in range(1, max(NUM_FOLDS)):
        shutil.rmtree(model / f"fold_{fold}")
    return rows


def frames() -> list[dict[str, Any]]:
    """Measure one forward pass for increasing frame sizes, one process per measurement."""
    rows = []
    for name in NETWORKS:
        for side in FRAMES_PX:
            command = [sys.executable, "-m", "benchmarks.growth", "--here", name, str(side)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            rows.append({"network": name, "frame": f"{side} x {side}", **json.loads(done.stdout)})
    return rows


@torch.inference_mode()
def _forward(name: str, side: int) -> dict[str, float]:
    kind, arguments = NETWORKS[name]
    network = build_network(NetworkSpec(name=kind, arguments={"input_size": (side, side), **arguments}))
    network = network.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    precision = choose_precision(torch.device("cpu"))
    image = torch.rand(1, 1, side, side)
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            network(image)
        seconds.append(time.perf_counter() - started)
    best = min(seconds)
    return {
        "s": round(best, 2),
        "s per megapixel": round(best / (side * side / 1e6), 2),
        "GiB": round(peak_gib(), 2),
    }


def _predict(images: Path, masks: Path, *more: str) -> Command:
    given = ["cervseg_predict", "-i", str(images), "-o", str(masks), "-d", "805", "-tr", "UNetTrainer"]
    return Command(arguments=[*given, *more, "--root", str(WORK)], watch_memory=True)


def _trained() -> Path:
    """Train a U-Net of this machine's plan for one minute, unless it exists; return the raw folder."""
    raw = dataset(805, name="Grow", num=20, num_test=8)
    if not list((WORK / "results" / raw.name).glob("UNetTrainer__*/fold_0/checkpoint_best.pt")):
        measured(Command(arguments=["cervseg_plan_and_preprocess", "-d", "805", "--root", str(WORK)]))
        given = ["cervseg_train", "805", "UNetTrainer", "-f", "0", "--max-time", "1m", "--root", str(WORK)]
        measured(Command(arguments=given))
    return raw


if __name__ == "__main__":
    main()
