"""Prediction of 8 images of 1200 x 1000 px with one trained U-Net of 46 M parameters, whole commands.

nnU-Net gets the same weights (its plain U-Net has additional biases, which normalization removes) and a plan
whose spacing resamples images to the size of cervseg's frame. Both compute the same, so masks are comparable.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from dynamic_network_architectures.architectures.unet import PlainConvUNet
from torch import nn

from benchmarks.commands import Command, measured
from benchmarks.harness import Row
from benchmarks.images import WORK, even_dataset, nnunet_environment
from cervseg.imageio import read_mask
from cervseg.networks.checkpoint import network_from_checkpoint, read_checkpoint

SIZE = (1200, 1000)
FRAME_PX = 512
NUM_TEST = 8
TRAINING_TIME = "20m"
CHANGES = (
    "precision=bfloat16",
    "batch_size=2",
    "epochs=200",  # more than TRAINING_TIME allows
    "probability=0.8",
    "rotation_deg=10",
    "scale=0.85,1.18",
    "flip_horizontal=0.5",  # nnU-Net flips images in training and, by default, in prediction
    "flip_vertical=0.5",
)
FASTEST = ("--disable_tta", "-npp", "0", "-nps", "0")


def measure(*, repeats: int) -> list[Row]:
    """Compare with nnU-Net in its fastest mode and by default, on the same images with the same weights."""
    raw = even_dataset(804, name="UNet", num=100, num_test=NUM_TEST, size=SIZE)
    checkpoint = _trained(raw.name)
    _for_nnunet(checkpoint, raw)
    environment = {**nnunet_environment(), "nnUNet_compile": "f"}
    ours, rows = WORK / "predicted/ours", []
    for name, more, reach in (("fastest mode", FASTEST, 3.0), ("default mode", (), 10.0)):
        theirs = WORK / "predicted/nnunet"
        times: tuple[list[float], list[float]] = ([], [])
        for _ in range(max(1, repeats // 2)):
            for folder in (ours, theirs):
                shutil.rmtree(folder, ignore_errors=True)
            given = ["cervseg_predict", "-i", str(raw / "imagesTs"), "-o", str(ours), "-d", "804", "-f", "0"]
            command = Command(arguments=[*given, "-tr", "DynUNetTrainer", "--root", str(WORK)])
            times[0].append(measured(command).seconds)
            given = ["nnUNetv2_predict", "-i", str(raw / "imagesTs"), "-o", str(theirs), "-d", "804"]
            command = Command(
                arguments=[*given, "-c", "2d", "-f", "0", "-device", "cpu", *more],
                environment=environment,
            )
            times[1].append(measured(command).seconds)
        apart, scores = _compared(ours, theirs, raw / "labelsTs")
        rows.append(
            Row(
                work=f"cervseg_predict, {NUM_TEST} images of {SIZE[0]} x {SIZE[1]}, "
                f"U-Net of 46 M parameters at {FRAME_PX} x {FRAME_PX}",
                peer=f"nnUNetv2_predict, {name}, same weights",
                ours=times[0],
                theirs=times[1],
                reach=reach,
                agreement=f"Dice with the reference {scores[0]:.4f} and {scores[1]:.4f} (difference of 0.002 "
                f"allowed), between the masks {apart:.4f}",
                is_same=abs(scores[0] - scores[1]) <= 0.002,
            )
        )
    return rows


def _trained(name: str) -> Path:
    found = list((WORK / "results" / name).glob("DynUNetTrainer__*/fold_0/checkpoint_best.pt"))
    if not found:
        given = ["-d", "804", "--root", str(WORK), "--preset", "paper", "--set", *CHANGES]
        measured(Command(arguments=["cervseg_plan_and_preprocess", *given]))
        given = ["cervseg_train", "804", "DynUNetTrainer", "-f", "0", "--max-time", TRAINING_TIME]
        measured(Command(arguments=[*given, "--root", str(WORK)]))
        found = list((WORK / "results" / name).glob("DynUNetTrainer__*/fold_0/checkpoint_best.pt"))
    return found[0]


def _for_nnunet(checkpoint: Path, raw: Path) -> None:
    """Write a model folder of nnU-Net with the weights of cervseg's checkpoint."""
    network = network_from_checkpoint(read_checkpoint(checkpoint))
    num_stages = len(network.encoder)  # type: ignore[arg-type]
    widths = [int(stage[0].conv.out_channels) for stage in network.encoder]  # type: ignore[union-attr]
    arguments: dict[str, Any] = {
        "n_stages": num_stages,
        "features_per_stage": widths,
        "conv_op": "torch.nn.modules.conv.Conv2d",
        "kernel_sizes": [[3, 3]] * num_stages,
        "strides": [[1, 1]] + [[2, 2]] * (num_stages - 1),
        "n_conv_per_stage": [2] * num_stages,
        "n_conv_per_stage_decoder": [2] * (num_stages - 1),
        "conv_bias": True,
        "norm_op": "torch.nn.modules.instancenorm.InstanceNorm2d",
        "norm_op_kwargs": {"eps": 1e-5, "affine": True},
        "dropout_op": None,
        "dropout_op_kwargs": None,
        "nonlin": "torch.nn.LeakyReLU",
        "nonlin_kwargs": {"inplace": True},
    }
    peer = PlainConvUNet(
        1,
        num_classes=2,
        deep_supervision=False,
        **{
            **arguments,
            "conv_op": nn.Conv2d,
            "norm_op": nn.InstanceNorm2d,
            "nonlin": nn.LeakyReLU,
        },
    ).eval()
    _copy_weights(network, peer)
    image = torch.rand(1, 1, FRAME_PX, FRAME_PX)
    with torch.inference_mode():
        ours, theirs = network.eval()(image).sigmoid()[:, 0], peer(image).softmax(1)[:, 1]
    if float((ours - theirs).abs().max()) > 1e-4:
        raise RuntimeError("the networks compute different results with the same weights")
    folder = WORK / "nnunet/results" / raw.name / "nnUNetTrainer__nnUNetPlans__2d"
    (folder / "fold_0").mkdir(parents=True, exist_ok=True)
    environment = nnunet_environment()
    measured(
        Command(
            arguments=["nnUNetv2_plan_and_preprocess", "-d", "804", "-c", "2d", "--no_pp", "-np", "2"],
            environment=environment,
        )
    )
    plans = json.loads((WORK / "nnunet/preprocessed" / raw.name / "nnUNetPlans.json").read_text())
    configuration = plans["configurations"]["2d"]
    configuration["patch_size"] = [FRAME_PX, FRAME_PX]
    configuration["spacing"] = [SIZE[0] / FRAME_PX, SIZE[1] / FRAME_PX]
    configuration["normalization_schemes"] = ["RGBTo01Normalization"]
    configuration["architecture"]["arch_kwargs"] = arguments
    (folder / "plans.json").write_text(json.dumps(plans))
    shutil.copy(raw / "dataset.json", folder / "dataset.json")
    content = {
        "network_weights": peer.state_dict(),
        "init_args": {"configuration": "2d"},
        "trainer_name": "nnUNetTrainer",
        "inference_allowed_mirroring_axes": (0, 1),
    }
    torch.save(content, folder / "fold_0/checkpoint_final.pth")


@torch.no_grad()
def _copy_weights(network: nn.Module, peer: nn.Module) -> None:
    """Copy weights layer by layer; the second logit of nnU-Net's softmax is cervseg's, the first is 0."""
    ours: Any = network
    theirs: Any = peer
    stages = [(ours.encoder[k], theirs.encoder.stages[k][0]) for k in range(len(ours.encoder))]
    stages += [(ours.merge[k], theirs.decoder.stages[k]) for k in range(len(ours.merge))]
    for mine, other in stages:
        for block, its in zip(mine, other.convs, strict=True):
            its.conv.weight.copy_(block.conv.weight)
            its.conv.bias.zero_()
            its.norm.weight.copy_(block.norm.weight)
            its.norm.bias.copy_(block.norm.bias)
    for mine, other in zip(ours.enlarge, theirs.decoder.transpconvs, strict=True):
        other.load_state_dict(mine.state_dict())
    head = theirs.decoder.seg_layers[-1]
    head.weight.zero_(), head.bias.zero_()
    head.weight[1].copy_(ours.heads[0].weight[0])
    head.bias[1].copy_(ours.heads[0].bias[0])


def _compared(ours: Path, theirs: Path, truth: Path) -> tuple[float, tuple[float, float]]:
    """Compute the mean Dice between both, and of each with the reference."""
    pairs = {"apart": [], "ours": [], "theirs": []}  # type: dict[str, list[float]]
    for path in sorted(truth.glob("*.png")):
        first, second, third = (read_mask(folder / path.name) for folder in (ours, theirs, truth))
        pairs["apart"].append(dice(first, second))
        pairs["ours"].append(dice(first, third))
        pairs["theirs"].append(dice(second, third))
    apart, mine, other = (float(np.mean(values)) for values in pairs.values())
    return apart, (mine, other)


def dice(first: np.ndarray, second: np.ndarray) -> float:
    """Compute the Dice of two masks, foreground against background."""
    both = np.count_nonzero((first > 0) & (second > 0))
    return 2 * both / max(1, np.count_nonzero(first) + np.count_nonzero(second))
