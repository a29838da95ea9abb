"""Weights from files: our checkpoints, and SAM's published one. Nothing in a file is ever executed."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from cervseg.core.errors import CheckpointError, PluginError
from cervseg.core.types import NetworkSpec
from cervseg.networks.base import build_network

FORMAT = 1  # of our checkpoints; a change that old code cannot read raises it
SAM_PREFIX = "image_encoder."
LEAST_SHARE = 0.9  # of a network's tensors that a checkpoint must fill to count as its weights


@dataclass(frozen=True, kw_only=True)
class LoadReport:
    """What of a network came from a file: tensors loaded, resized on the way, left as they were."""

    source: str
    num_loaded: int
    resized: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    def __str__(self) -> str:
        text = f"{self.num_loaded} tensors from {self.source}"
        text += f", {len(self.resized)} of them interpolated" if self.resized else ""
        return f"{text}, {len(self.left_out)} left as initialized" if self.left_out else text


def read_checkpoint(path: Path) -> dict[str, Any]:
    """The content of one of our checkpoints, on the CPU; plain types and tensors.

    Raises:
        CheckpointError: the file is missing, truncated, no checkpoint, of another format or holds code.
    """
    content = _read(path)
    if "format" not in content or "state_dict" not in content or "network" not in content:
        raise CheckpointError("is not a cervseg checkpoint", where=path, hint="Name a checkpoint_best.pt.")
    if content["format"] != FORMAT:
        raise CheckpointError(
            f"has format {content['format']!r}, this version reads {FORMAT}",
            where=path,
            hint="Use the version of cervseg that wrote it, or train again.",
        )
    return content


def network_from_checkpoint(content: Mapping[str, Any]) -> nn.Module:
    """The network of a checkpoint with its trained weights, in evaluation mode, on the CPU.

    Args:
        content: what :func:`read_checkpoint` returned.

    Raises:
        CheckpointError: the weights do not fit the network that the checkpoint describes.
    """
    try:
        spec = NetworkSpec(name=content["network"]["name"], arguments=content["network"]["arguments"])
        with _NoRandomWeights():
            network = build_network(spec)
        network.load_state_dict(content["state_dict"])
    except (KeyError, TypeError, AttributeError, RuntimeError) as problem:
        raise CheckpointError(
            f"the checkpoint's weights do not fit its network ({_first_line(problem)})",
            hint="Use the version of cervseg, and of the network's plug-in, that wrote it.",
        ) from problem
    except PluginError as problem:
        raise CheckpointError(f"the checkpoint's network: {problem.what}", hint=problem.hint) from problem
    return network.eval()


class _NoRandomWeights(TorchFunctionMode):
    """Parameters that would be drawn at random are 0: a checkpoint fills them next.

    Drawing 46 million weights takes longer than predicting an image with them. Only parameters are spared: what
    draws again until it likes the result (a truncated normal distribution) draws into tensors of its own.
    """

    _DRAWS = frozenset(
        (
            torch.Tensor.normal_,
            torch.Tensor.uniform_,
            # torch asks about these as a whole, not about what they call.
            nn.init.kaiming_normal_,
            nn.init.kaiming_uniform_,
            nn.init.normal_,
            nn.init.uniform_,
        )
    )

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = kwargs or {}
        if func in self._DRAWS and isinstance(tensor := args[0] if args else given["tensor"], nn.Parameter):
            with torch.no_grad():
                return tensor.zero_()
        return func(*args, **given)


def load_pretrained(network: nn.Module, path: Path) -> LoadReport:
    """Start ``network`` from a file: SAM's published checkpoint, or one of ours.

    Of ours, tensors of another shape stay as initialized (another number of labels), those of positions
    are interpolated (another input size).

    Raises:
        CheckpointError: the file is broken, or less than nine tenths of the network's tensors fit.
    """
    content = _read(path)
    if any(key.startswith(SAM_PREFIX) for key in content):
        return load_sam_encoder(network, path)
    state = read_checkpoint(path)["state_dict"]
    report = _fill(network, state, source=path.name)
    if report.num_loaded < LEAST_SHARE * len(network.state_dict()):
        raise CheckpointError(
            f"holds only {report.num_loaded} of the network's {len(network.state_dict())} tensors",
            where=path,
            hint="Use a checkpoint of the same network and width.",
        )
    return report


def load_sam_encoder(network: nn.Module, path: Path) -> LoadReport:
    """Load the image encoder of a SAM checkpoint (keys ``image_encoder.*``) into ``network.encoder``.

    A network that has SAM's own parts and names (``image_encoder`` and the others) is filled whole. Absolute
    position embeddings are interpolated bicubically, relative ones linearly, where the network's image or
    window has another size than the checkpoint's.

    Raises:
        CheckpointError: the file is broken or no SAM checkpoint, or the encoder's width or depth differs.
    """
    content = _read(path)
    is_whole = hasattr(network, "image_encoder")
    prefix = "" if is_whole else SAM_PREFIX
    state = {key.removeprefix(prefix): value for key, value in content.items() if key.startswith(prefix)}
    if not any(key.startswith(SAM_PREFIX) for key in content):
        raise CheckpointError(
            "is not a SAM checkpoint", where=path, hint="cervseg_download_weights fetches the right file."
        )
    encoder = network if is_whole else getattr(network, "encoder", None)
    if not isinstance(encoder, nn.Module) or not (is_whole or hasattr(encoder, "pos_embed")):
        raise CheckpointError(
            "cannot be loaded into a network without a SAM encoder",
            where=path,
            hint="Train without these weights.",
        )
    # Every tensor of the encoder has to come from the file, but nothing may change before that is known.
    misfit = [
        name for name, own in encoder.state_dict().items() if _fitted(state.get(name), own, name) is None
    ]
    if misfit:
        raise CheckpointError(
            f"does not fit this encoder ({_misfit(misfit[0], state, encoder)})",
            where=path,
            hint="SAM ViT-B needs embed_dim 768, depth 12, num_heads 12, patch_size 16, out_chans 256.",
        )
    return _fill(encoder, state, source=path.name)


def _read(path: Path) -> dict[str, Any]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as problem:
        raise CheckpointError("there is no such file", where=path) from problem
    except pickle.UnpicklingError as problem:
        if "global" in str(problem).lower() or "unsupported" in str(problem).lower():
            raise CheckpointError(
                "holds more than tensors and plain values, and was not opened",
                where=path,
                hint="It could run code: only use checkpoints that cervseg or SAM's authors wrote.",
            ) from None
        raise CheckpointError(*_BROKEN, where=path, hint=_MEND_BROKEN) from problem
    except OSError as problem:
        raise CheckpointError(f"cannot be read ({problem.strerror or problem})", where=path) from problem
    except Exception as problem:  # torch raises whatever its unpickler stumbles over
        raise CheckpointError(*_BROKEN, where=path, hint=_MEND_BROKEN) from problem
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise CheckpointError("is not a checkpoint", where=path, hint="Name a checkpoint_best.pt.")
    return content


_BROKEN = ("is truncated or not a checkpoint",)
_MEND_BROKEN = "Copy or download it again."


def _fill(module: nn.Module, state: Mapping[str, torch.Tensor], *, source: str) -> LoadReport:
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
    """``given`` in the shape of ``own``: as it is, or interpolated if it holds positions; else None."""
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


def _first_line(problem: Exception) -> str:
    lines = [line.strip() for line in str(problem).splitlines() if line.strip()]
    return lines[1] if len(lines) > 1 else (lines[0] if lines else type(problem).__name__)
