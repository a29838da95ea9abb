"""Dice by number of annotated images and by start: the shipped model, ImageNet, random weights.

python -m benchmarks.learning_curve RAW --sizes 20 50 --starts shipped scratch --minutes 10

RAW is a dataset folder with labels for its test images (imagesTs, labelsTs). For each size, the first images
of a fixed order become a dataset of their own, planned like any other; a LiteUNet is trained on all of them
for the given time, and its checkpoint is scored on the test images, which choose nothing. The dataset has one
label that is shown. An image without it counts 1 if its mask is empty, else 0. Results are added to --out;
what it holds is not measured again. Run it with nothing else on the machine.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cervseg
from benchmarks.images import WORK
from benchmarks.starts import ImageNetLiteTrainer
from cervseg.core.errors import DatasetError
from cervseg.core.registry import TRAINERS, register

ORDER_SEED = 0


STARTS = {
    "shipped": ("LiteUNetTrainer", False),
    "imagenet": (ImageNetLiteTrainer.__name__, False),
    "scratch": ("LiteUNetTrainer", True),
}


def main() -> None:
    """Measure what is asked for and not measured yet; print each figure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("raw", type=Path, metavar="RAW", help="dataset folder with imagesTs and labelsTs")
    parser.add_argument("--sizes", type=int, nargs="+", default=[10, 20, 50], metavar="NUMBER")
    parser.add_argument("--starts", nargs="+", default=list(STARTS), choices=list(STARTS))
    parser.add_argument("--minutes", type=float, default=10.0, help="training time of each (default: 10)")
    parser.add_argument("--out", type=Path, default=Path("learning_curve.json"))
    options = parser.parse_args()
    register(TRAINERS, ImageNetLiteTrainer.__name__, ImageNetLiteTrainer)
    rows: list[dict[str, Any]] = json.loads(options.out.read_text()) if options.out.is_file() else []
    for size in options.sizes:
        for start in options.starts:
            key = {
                "dataset": options.raw.name,
                "images": size,
                "start": start,
                "minutes": options.minutes,
            }
            if not any(key.items() <= row.items() for row in rows):
                rows.append({**key, **measure(options.raw, size=size, start=start, minutes=options.minutes)})
                options.out.write_text(json.dumps(rows, indent=2) + "\n")
            row = next(row for row in rows if key.items() <= row.items())
            print(f"{size:5} images, {start:9} {row['dice']:.3f}  ({row['epochs']} epochs)", flush=True)


def measure(raw: Path, *, size: int, start: str, minutes: float) -> dict[str, Any]:
    """Train on the first ``size`` images; return the mean Dice of the test images and the epochs."""
    workspace = cervseg.Workspace.find(WORK / "learning_curve" / raw.name / f"{size}_{start}")
    subset(raw, workspace.raw(raw.name), size=size)
    cervseg.plan_and_preprocess(raw.name, workspace=workspace, progress=False)
    trainer, from_scratch = STARTS[start]
    model = cervseg.train(
        raw.name,
        trainer,
        workspace=workspace,
        folds=["all"],
        settings={"epochs": "100000"},
        max_time_s=60 * minutes,
        from_scratch=from_scratch,
        restart=True,
    )
    masks = workspace.root / "masks"
    shutil.rmtree(masks, ignore_errors=True)
    cervseg.predict(raw / "imagesTs", masks, model=model.path, workspace=workspace, progress=False)
    cervseg.evaluate(masks, raw / "labelsTs", output=workspace.root / "summary.json", progress=False)
    finished = json.loads((model.fold("all").path / "finished.json").read_text())
    content = json.loads((workspace.root / "summary.json").read_text())
    return {"dice": dice_of_all(content["metric_per_case"]), "epochs": finished["epochs"]}


def subset(raw: Path, target: Path, *, size: int) -> None:
    """Copy a dataset with the first ``size`` training images of a fixed random order."""
    description = json.loads((raw / "dataset.json").read_text())
    masks = sorted((raw / "labelsTr").iterdir())
    if size > len(masks):
        raise DatasetError(f"{size} images asked for, {len(masks)} are there", where=raw)
    random.Random(ORDER_SEED).shuffle(masks)
    for folder in ("imagesTr", "labelsTr"):
        shutil.rmtree(target / folder, ignore_errors=True)
        (target / folder).mkdir(parents=True)
    for mask in masks[:size]:
        shutil.copy(mask, target / "labelsTr")
        for image in (raw / "imagesTr").glob(f"{mask.stem}_[0-9][0-9][0-9][0-9].*"):
            shutil.copy(image, target / "imagesTr")
    (target / "dataset.json").write_text(json.dumps({**description, "numTraining": size}, indent=2))


def dice_of_all(cases: Sequence[Mapping[str, Any]]) -> float:
    """Mean Dice over all cases of a summary; 1 where reference and mask are empty, 0 where only one is."""
    values = []
    for case in cases:
        (scores,) = case["metrics"].values()
        nothing = scores["n_pred"] == 0 and scores["n_ref"] == 0
        values.append(1.0 if nothing else scores["Dice"] or 0.0)
    return sum(values) / len(values)


if __name__ == "__main__":
    main()
