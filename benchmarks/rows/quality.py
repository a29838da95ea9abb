"""Fifteen minutes of training on fold 0 of the canine dataset with cervseg and nnU-Net, then validation.

It takes 45 minutes. The environment variable CERVSEG_BENCH_CANINES names a raw dataset folder (dental
radiographs with masks of canines, written by ``cervseg_convert paired``).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

from benchmarks.commands import Command, measured
from benchmarks.harness import Row
from benchmarks.images import WORK, nnunet_environment
from benchmarks.rows.unet import dice
from cervseg.imageio import read_mask

MINUTES = 15
WANTED = 0.84


def measure(*, repeats: int) -> list[Row]:
    """Compare the mean Dice over the validation images with a canine; ``repeats`` is ignored."""
    source = os.environ.get("CERVSEG_BENCH_CANINES")
    if not source:
        raise SystemExit("error: CERVSEG_BENCH_CANINES is not set\nhint: set it to a raw dataset folder")
    raw = WORK / "raw_data" / "Dataset806_Canines"
    if not raw.is_dir():
        shutil.copytree(source, raw)
    given = ["-d", "806", "--root", str(WORK)]
    measured(Command(arguments=["cervseg_plan_and_preprocess", *given]))
    for folder in (WORK / "results" / raw.name).glob("UNetTrainer__*"):
        shutil.rmtree(folder)
    given = ["cervseg_train", "806", "UNetTrainer", "-f", "0", "--max-time", f"{MINUTES}m"]
    measured(Command(arguments=[*given, "--root", str(WORK)]))
    (fold,) = (WORK / "results" / raw.name).glob("UNetTrainer__*/fold_0")
    masks = fold / "validation"
    cases = sorted(path.stem for path in masks.glob("*.png"))
    theirs = _nnunet(raw.name, cases)
    scores = [_scores(folder, raw / "labelsTr", cases) for folder in (masks, theirs)]
    missing = [1 - float(np.mean(values)) for values in scores]
    return [
        Row(
            work=f"{MINUTES} minutes of training on 2 cores, canines, fold 0: 1 - Dice",
            peer="nnU-Net v2, same images, same time, latest weights",
            ours=[missing[0]],
            theirs=[missing[1]],
            reach=2.0,
            unit="",
            agreement=f"Dice {1 - missing[0]:.3f} ({WANTED} required) and {1 - missing[1]:.3f}, "
            f"{len(scores[0])} images",
            is_same=1 - missing[0] >= WANTED,
        )
    ]


def _nnunet(name: str, cases: list[str]) -> Path:
    environment = nnunet_environment()
    prepared = WORK / "nnunet/preprocessed" / name
    if not (prepared / "nnUNetPlans_2d").is_dir():
        given = ["nnUNetv2_plan_and_preprocess", "-d", "806", "-c", "2d", "-np", "2"]
        measured(Command(arguments=given, environment=environment))
    known = [path.stem.removesuffix("_0000") for path in (WORK / "raw_data" / name / "imagesTr").glob("*")]
    split = {"train": sorted(set(known) - set(cases)), "val": cases}
    (prepared / "splits_final.json").write_text(json.dumps([split]))
    masks = WORK / "predicted/nnunet_canines"
    shutil.rmtree(masks, ignore_errors=True)
    given = [sys.executable, "-m", "benchmarks.nnunet_minutes", str(MINUTES), str(masks)]
    subprocess.run(
        given, env={**os.environ, **environment, "nnUNet_compile": "f"}, check=True, stdout=sys.stderr
    )
    return masks


def _scores(masks: Path, truth: Path, cases: list[str]) -> list[float]:
    pairs = [(read_mask(masks / f"{case}.png"), read_mask(truth / f"{case}.png")) for case in cases]
    return [dice(found, reference) for found, reference in pairs if reference.any()]
