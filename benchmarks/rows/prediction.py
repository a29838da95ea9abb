"""CervSpineNet of its published size, 1024 x 1024: cervseg_predict's way against eager float32."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import torch
from segment_anything import sam_model_registry

from benchmarks.commands import Command, measured
from benchmarks.films import WORK, crops, dataset
from benchmarks.harness import Row, in_turn
from benchmarks.rows.unet import dice
from cervseg.imageio import list_images, read_image
from cervseg.inference.predictor import Predictor, checkpoint_files

SQUARE_PX = 224  # 14 x 14 patches: one window of the encoder's attention
SQUARES_TIME, FILMS_TIME = "15m", "9m"
CHANGES = (
    "precision=bfloat16",
    "epochs=200",  # more than there is time for
    "loss=cervspinenet_bce",  # from random weights the published loss alone may settle on empty masks
    "probability=0.8",
    "rotation_deg=10",
    "scale=0.8,1.25",
    "flip_horizontal=0.5",
)


def measure(*, repeats: int) -> list[Row]:
    """Film in memory to mask in memory, of held-out phantoms."""
    raw = dataset(803, name="Predict", num=160, num_test=6)
    (checkpoint,) = checkpoint_files(_trained(raw), folds=["all"])
    ours = Predictor.from_files([checkpoint])
    theirs = Predictor.from_files([checkpoint], precision="float32")
    theirs.networks = (_plain(theirs.networks[0]),)
    films = [read_image(path).pixels for path in list_images(raw / "imagesTs")]
    pairs = [(ours.predict(film).mask, theirs.predict(film).mask) for film in films]
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


def _trained(raw: Path) -> Path:
    """The model's folder: the whole network has learnt, on squares of the films first, then on whole films.

    bfloat16 is judged by what it changes in masks. A network whose encoder is random draws soft edges out of
    random features, and any rounding moves them.
    """
    found = list((WORK / "results" / raw.name).glob("CervSpineNetTrainer__*/fold_all/checkpoint_best.pt"))
    if not found:
        squares = crops(raw, 808, name="Squares", side_px=SQUARE_PX, film_px=1024, num_each=8)
        small = [f"input_size={SQUARE_PX}x{SQUARE_PX}", "batch_size=4", "learning_rate=0.0003"]
        _train("808", time=SQUARES_TIME, settings=[*small, *CHANGES])
        learnt = next((WORK / "results" / squares.name).glob("CervSpineNetTrainer__*/fold_all"))
        _train("803", time=FILMS_TIME, settings=CHANGES, weights=learnt / "checkpoint_best.pt")
        found = list((WORK / "results" / raw.name).glob("CervSpineNetTrainer__*/fold_all/checkpoint_best.pt"))
    return found[0].parents[1]


def _train(number: str, *, time: str, settings: list[str], weights: Path | None = None) -> None:
    here = ["--root", str(WORK)]
    given = ["cervseg_plan_and_preprocess", "-d", number, "--preset", "paper", *here, "--set", *settings]
    measured(Command(arguments=given))
    given = ["cervseg_train", number, "CervSpineNetTrainer", "-f", "all", "--max-time", time, *here]
    measured(Command(arguments=[*given, *([] if weights is None else ["--weights", str(weights)])]))
