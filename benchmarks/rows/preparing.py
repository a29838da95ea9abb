"""Planning and preprocessing of 24 images of about 1200 x 1000 px, whole commands."""

from __future__ import annotations

import shutil

from benchmarks.commands import Command, Measured, measured
from benchmarks.harness import Row
from benchmarks.images import WORK, dataset, nnunet_environment

NUM = 24


def measure(*, repeats: int) -> list[Row]:
    """Compare time and memory with nnU-Net; every repeat starts with empty folders."""
    raw = dataset(801, name="Prepare", num=NUM)
    ours, theirs, num_ours, num_theirs = [], [], 0, 0
    for _ in range(max(1, repeats // 2)):
        ours.append(prepared("801"))
        num_ours = len(list((WORK / "preprocessed" / raw.name).rglob("*_mask.npy")))
        environment = nnunet_environment()
        made = WORK / "nnunet/preprocessed" / raw.name
        shutil.rmtree(made, ignore_errors=True)
        theirs.append(
            measured(
                Command(
                    arguments=["nnUNetv2_plan_and_preprocess", "-d", "801", "-c", "2d", "-np", "2"],
                    environment=environment,
                    watch_memory=True,
                )
            )
        )
        num_theirs = len(list(made.glob("nnUNetPlans_2d/*.pkl")))
    rows = []
    for unit, reach in (("s", 10.0), ("GiB", 5.0)):
        rows.append(
            Row(
                work=f"cervseg_plan_and_preprocess, {NUM} images of about 1200 x 1000 px",
                peer="nnUNetv2_plan_and_preprocess -c 2d -np 2",
                ours=[_figure(one, unit) for one in ours],
                theirs=[_figure(one, unit) for one in theirs],
                reach=reach,
                unit=unit,
                agreement=f"{num_ours} and {num_theirs} cases prepared",
                is_same=num_ours == num_theirs == NUM,
            )
        )
    return rows


def prepared(number: str) -> Measured:
    """Delete the plans and the cache of a dataset and run cervseg_plan_and_preprocess."""
    for room in ("preprocessed", "plans"):
        for folder in (WORK / room).glob(f"Dataset{number}_*"):
            shutil.rmtree(folder)
    given = ["cervseg_plan_and_preprocess", "-d", number, "--root", str(WORK)]
    return measured(Command(arguments=given, watch_memory=True))


def _figure(one: Measured, unit: str) -> float:
    return one.seconds if unit == "s" else one.peak_gib
