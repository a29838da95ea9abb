"""Initial weights from files: cervseg checkpoints and SAM's published checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from cervseg.core.errors import CheckpointError
from cervseg.networks.checkpoint import SHARED_SUFFIX, load_tensors, read_checkpoint

SAM_PREFIX = "image_encoder."
LEAST_SHARE = 0.9  # minimum share of a network's tensors that a checkpoint must fill


@dataclass(frozen=True, kw_only=True)
class LoadReport:
    """Result of loading weights: the tensors that were loaded, interpolated and left as initialized."""

    source: str
    num_loaded: int
    resized: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    def __str__(self) -> str:
        text = f"{self.num_loaded} tensors from {self.source}"
        text += f", {len(self.resized)} of them interpolated" if self.resized else ""
        return f"{text}, {len(self.left_out)} left as initialized" if self.left_out else text


def load_pretrained(network: nn.Module, path: Path) -> LoadReport:
    """Load initial weights into a network from SAM's published checkpoint or from a cervseg checkpoint.

    From a cervseg checkpoint, tensors of another shape are left as initialized (another number of labels).
    Position embeddings of another input size are interpolated.

    Args:
        network: on the CPU; changed in place.
        path: a checkpoint file.

    Returns:
        The names of the tensors that were loaded, interpolated and left as initialized.

    Raises:
        CheckpointError: the file is broken, or less than 90 % of the network's tensors can be loaded.
    """
    if path.suffix != SHARED_SUFFIX and any(key.startswith(SAM_PREFIX) for key in load_tensors(path)):
        return load_sam_encoder(network, path)
    state = read_checkpoint(path).state_dict
    report = fill(network, state, source=path.name)
    if report.num_loaded < LEAST_SHARE * len(network.state_dict()):
        raise CheckpointError(
            f"only {report.num_loaded} of the network's {len(network.state_dict())} tensors are in this file",
            where=path,
            hint="Use a checkpoint of the same network and width",
        )
    return report


def load_sam_encoder(network: nn.Module, path: Path) -> LoadReport:
    """Load the image encoder of a SAM checkpoint (keys ``image_encoder.*``) into ``network.encoder``.

    A network with all parts of SAM (``image_encoder`` and the others) is filled completely. If the image or
    the window has another size than in the checkpoint, absolute position embeddings are interpolated
    bicubically and relative ones linearly.

    Args:
        network: on the CPU; changed in place.
        path: a SAM checkpoint.

    Returns:
        The names of the tensors that were loaded, interpolated and left as initialized.

    Raises:
        CheckpointError: the file is broken or not a SAM checkpoint, or the encoder's width or depth differs.
    """
    content = load_tensors(path)
    is_whole = hasattr(network, "image_encoder")
    prefix = "" if is_whole else SAM_PREFIX
    state = {key.removeprefix(prefix): value for key, value in content.items() if key.startswith(prefix)}
    if not any(key.startswith(SAM_PREFIX) for key in content):
        raise CheckpointError(
            "not a SAM checkpoint", where=path, hint="Download it with cervseg_download_weights"
        )
    encoder = network if is_whole else getattr(network, "encoder", None)
    if not isinstance(encoder, nn.Module) or not (is_whole or hasattr(encoder, "pos_embed")):
        raise CheckpointError(
            "SAM weights do not fit a network without a SAM encoder",
            where=path,
            hint="Train without these weights",
        )
    # Every tensor of the encoder must come from the file. Check this before changing the encoder.
    misfit = [
        name for name, own in encoder.state_dict().items() if _fitted(state.get(name), own, name) is None
    ]
    if misfit:
        raise CheckpointError(
            f"the weights do not fit this encoder ({_misfit(misfit[0], state, encoder)})",
            where=path,
            hint="SAM ViT-B needs embed_dim 768, depth 12, num_heads 12, patch_size 16, out_chans 256",
        )
    return fill(encoder, state, source=path.name)


def fill(module: nn.Module, state: Mapping[str, torch.Tensor], *, source: str) -> LoadReport:
    """Load the tensors that fit; position embeddings are interpolated, others are left as initialized.

    Args:
        module: changed in place.
        state: name -> tensor.
        source: where they are from, for the report.
    """
    loaded, resized, left_out = {}, [], []
    for name, own in module.state_dict().items():
        given = state.get(name)
        fitted = _fitted(given, own, name)
        if given is None or fitted is None:
            left_out.append(name)
            continue
        loaded[name] = fitted
        if fitted.shape != given.shape:
            resized.append(name)
    module.load_state_dict(loaded, strict=False)
    return LoadReport(source=source, num_loaded=len(loaded), resized=tuple(resized), left_out=tuple(left_out))


def _fitted(given: Any, own: torch.Tensor, name: str) -> torch.Tensor | None:
    """Return ``given`` in the shape of ``own``, with interpolated positions; None if that is impossible."""
    if not isinstance(given, torch.Tensor):
        return None
    if given.shape == own.shape:
        return given
    if given.ndim != own.ndim or given.shape[-1:] != own.shape[-1:]:
        return None
    if name.endswith("pos_embed"):
        grid = given.float().permute(0, 3, 1, 2)
        return functional.interpolate(
            grid, size=tuple(own.shape[1:3]), mode="bicubic", align_corners=False
        ).permute(0, 2, 3, 1)
    if name.endswith(("rel_pos_h", "rel_pos_w")):
        line = given.float().T[None]  # 1 x D x positions
        return functional.interpolate(line, size=own.shape[0], mode="linear", align_corners=False)[0].T
    return None


def _misfit(name: str, state: Mapping[str, torch.Tensor], encoder: nn.Module) -> str:
    shape = tuple(encoder.state_dict()[name].shape)
    return (
        f"{name}: {tuple(state[name].shape)} in the file, {shape} here"
        if name in state
        else f"{name} is missing"
    )
