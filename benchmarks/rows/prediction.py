"""CervSpineNet of its published size, 1024 x 1024: cervseg_predict's way against eager float32."""

from __future__ import annotations

import copy
import os
from pathlib import Path

import numpy as np
import torch
from segment_anything import sam_model_registry

from benchmarks.commands import Command, measured
from benchmarks.films import WORK, dataset
from benchmarks.harness import Row, in_turn
from benchmarks.rows.unet import dice
from cervseg.imageio import list_images, read_image
from cervseg.inference.predictor import Predictor, checkpoint_files

TRAINING_TIME = os.environ.get("CERVSEG_BENCH_TRAINING", "15m")


def measure(*, repeats: int) -> list[Row]:
    """Film in memory to mask in memory; the network was trained on phantoms with its encoder frozen."""
    raw = dataset(803, name="Predict", num=24, num_test=6)
    (checkpoint,) = checkpoint_files(_trained(raw.name), folds=["0"])
    ours = Predictor.from_files([checkpoint])
    theirs = Predictor.from_files([checkpoint], precision="float32")
    theirs.networks = (_plain(theirs.networks[0]),)
    films = [read_image(path).pixels for path in list_images(raw / "imagesTs")]
    pairs = [(ours.predict(film).mask, theirs.predict(film).mask) for film in films[:3]]
    agree = float(np.mean([dice(first, second) for first, second in pairs]))
    marked = float(np.mean([np.count_nonzero(second) / second.size for _, second in pairs]))
    taken, peers = in_turn(lambda: ours.predict(films[0]), lambda: theirs.predict(films[0]), repeats=repeats)
    return [
        Row(
            work=f"CervSpineNet, 1024, one film, {ours.precision} as cervseg_predict chooses it",
            peer="the same network with segment_anything's encoder, eager, float32",
            ours=taken,
            theirs=peers,
            reach=4.0,
            agreement=f"Dice of the masks {agree:.4f} (0.999 wanted; they cover {marked:.1%} of the film)",
            is_same=agree >= 0.999 and marked > 0.005,
        )
    ]


def _plain(network: torch.nn.Module) -> torch.nn.Module:
    plain = copy.deepcopy(network).to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    encoder = sam_model_registry["vit_b"]().image_encoder
    encoder.load_state_dict(plain.encoder.state_dict())
    plain.encoder = encoder.eval()
    return plain


def _trained(name: str) -> Path:
    found = list((WORK / "results" / name).glob("CervSpineNetTrainer__*/fold_0/checkpoint_best.pt"))
    if not found:
        given = ["cervseg_plan_and_preprocess", "-d", "803", "--root", str(WORK), "--preset", "paper"]
        # From random weights the published loss alone may settle on empty masks.
        chosen = ["freeze_encoder=true", "loss=cervspinenet_bce", "learning_rate=0.002", "epochs=200"]
        measured(Command(arguments=[*given, "--set", *chosen]))
        given = ["cervseg_train", "803", "CervSpineNetTrainer", "-f", "0", "--max-time", TRAINING_TIME]
        measured(Command(arguments=[*given, "--root", str(WORK)]))
        found = list((WORK / "results" / name).glob("CervSpineNetTrainer__*/fold_0/checkpoint_best.pt"))
    return found[0].parents[1]
