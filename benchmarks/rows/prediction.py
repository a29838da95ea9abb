"""CervSpineNet, from an image in memory to a mask in memory: as in cervseg_predict, and in eager float32.

Two sizes: the published one, 1024 x 1024, and the one that the plan chooses for this CPU. The effect of
rounding on a mask depends on the weights, so both networks are trained first. At the published size only the
decoder is trained, on the features of a random encoder; the planned network is trained completely.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from segment_anything import sam_model_registry

from benchmarks.commands import Command, measured
from benchmarks.harness import Row, in_turn
from benchmarks.images import WORK, dataset
from benchmarks.rows.unet import dice
from cervseg.imageio import list_images, read_image, read_mask
from cervseg.inference.predictor import Predictor, checkpoint_files

# With random weights the published loss alone can converge to empty masks.
PUBLISHED = ("freeze_encoder=true", "loss=cervspinenet_bce", "learning_rate=0.002", "epochs=200")
NUM_TEST = 6


def measure(*, repeats: int) -> list[Row]:
    """Compare the precision that cervseg_predict chooses with float32, on test phantoms."""
    published = dataset(803, name="Published", num=24, num_test=NUM_TEST)
    planned = dataset(808, name="Planned", num=160, num_test=NUM_TEST)
    settings = ["--preset", "paper", "--set", *PUBLISHED]
    return [
        _row(published, _trained("803", published, settings, time="5m"), "published size", 4.0, repeats),
        _row(planned, _trained("808", planned, [], time="5m"), "planned size", 1.0, repeats),
    ]


def _row(raw: Path, model: Path, size: str, reach: float, repeats: int) -> Row:
    checkpoints = checkpoint_files(model)
    ours = Predictor.from_files(checkpoints)
    theirs = Predictor.from_files(checkpoints, precision="float32")
    network = theirs.networks[0]
    if ours.configuration.input_size == (1024, 1024):  # segment_anything supports this size only
        theirs.networks = (_plain(network),)
    images = list_images(raw / "imagesTs")
    pixels = [read_image(path).pixels for path in images]
    truth = [read_mask(raw / "labelsTs" / path.name.replace("_0000", "")) for path in images]
    pairs = [(ours.predict(image).mask, theirs.predict(image).mask) for image in pixels]
    agree, scores = (
        [dice(first, second) for first, second in ends]
        for ends in (pairs, zip((mask for mask, _ in pairs), truth, strict=True))
    )
    taken, peers = in_turn(
        lambda: ours.predict(pixels[0]), lambda: theirs.predict(pixels[0]), repeats=repeats
    )
    height, width = ours.configuration.input_size
    return Row(
        work=f"CervSpineNet, {size}, one image at {height} x {width}, {ours.precision} as in cervseg_predict",
        peer="the same network, eager, float32, with segment_anything's encoder at 1024",
        ours=taken,
        theirs=peers,
        reach=reach,
        agreement=f"Dice between the masks {np.mean(agree):.4f} (0.999 required), of ours with the "
        f"reference {np.mean(scores):.3f}",
        is_same=bool(np.mean(agree) >= 0.999 and np.mean(scores) > 0.5),
    )


def _plain(network: Any) -> torch.nn.Module:
    plain = copy.deepcopy(network).to(memory_format=torch.contiguous_format)
    encoder = sam_model_registry["vit_b"]().image_encoder
    encoder.load_state_dict(plain.encoder.state_dict())
    plain.encoder = encoder.eval()
    return plain


def _trained(number: str, raw: Path, settings: list[str], *, time: str) -> Path:
    """Train fold 0 unless it is finished; return the model folder."""
    found = list((WORK / "results" / raw.name).glob("CervSpineNetTrainer__*/fold_0/finished.json"))
    if not found:
        here = ["--root", str(WORK)]
        measured(Command(arguments=["cervseg_plan_and_preprocess", "-d", number, *here, *settings]))
        given = ["cervseg_train", number, "CervSpineNetTrainer", "-f", "0", "--max-time", time, *here]
        measured(Command(arguments=given))
        found = list((WORK / "results" / raw.name).glob("CervSpineNetTrainer__*/fold_0/finished.json"))
    return found[0].parents[1]
