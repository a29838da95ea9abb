"""Train nnU-Net on fold 0 for a given time, then predict its validation images with the latest weights.

nnU-Net writes weights at the end of an epoch of 250 steps only, which takes hours on a CPU. This script calls
nnU-Net's trainer step by step, with its own data loader, loss, optimizer and schedule.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import torch
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from nnunetv2.run.run_training import get_trainer_from_args

DATASET = "806"


def main(minutes: float, masks: Path) -> None:
    """Train, then write a mask for each validation image, without test-time flips.

    Args:
        minutes: training time.
        masks: folder of the masks; it must not exist.
    """
    os.environ["nnUNet_n_proc_DA"] = "0"  # all cores for the network; batches are loaded between steps
    trainer = get_trainer_from_args(DATASET, "2d", 0, device=torch.device("cpu"))
    trainer.initialize()
    trainer.on_train_start()
    trainer.on_epoch_start()
    trainer.on_train_epoch_start()
    started, steps = time.monotonic(), 0
    while time.monotonic() - started < 60 * minutes:
        result = trainer.train_step(next(trainer.dataloader_train))
        steps += 1
        print(f"step {steps}: loss {result['loss']:.3f}, {time.monotonic() - started:.0f} s", flush=True)
    _, images = trainer.do_split()
    raw = Path(os.environ["nnUNet_raw"]) / trainer.plans_manager.dataset_name / "imagesTr"
    predictor = nnUNetPredictor(
        use_mirroring=False, device=torch.device("cpu"), perform_everything_on_device=False
    )
    trainer.network.eval()
    trainer.set_deep_supervision_enabled(False)
    predictor.manual_initialization(
        trainer.network,
        trainer.plans_manager,
        trainer.configuration_manager,
        [trainer.network.state_dict()],
        trainer.dataset_json,
        "nnUNetTrainer",
        None,
    )
    masks.mkdir(parents=True)
    sources = [[str(path) for path in sorted(raw.glob(f"{image}_0000.*"))] for image in images]
    targets = [str(masks / image) for image in images]
    predictor.predict_from_files_sequential(sources, targets, save_probabilities=False, overwrite=True)
    print(f"{steps} steps, {len(images)} images", flush=True)


if __name__ == "__main__":
    main(float(sys.argv[1]), Path(sys.argv[2]))
