"""Grad-CAM (Selvaraju et al. 2017) for segmentation: the features that raise a label's logit.

The explained score is the mean logit over the segmented pixels (Vinogradova et al. 2020). The paper uses the
mean prediction, whose gradient vanishes where the network is certain. The computation is MONAI's.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from monai.visualize.class_activation_maps import GradCAM
from torch import nn

from cervseg.core.errors import CervsegError

Features = torch.Tensor | list[torch.Tensor] | tuple[torch.Tensor, ...]

FEWEST_PLACES = 4  # a pooled feature (1 x 1) has no positions


def grad_cam(
    network: nn.Module,
    image_1CHW: torch.Tensor,
    *,
    plane: int = 0,
    inside_HW: np.ndarray | None = None,
    **given: object,
) -> np.ndarray | None:
    """Compute Grad-CAM of one label at the last features of the encoder (see :func:`feature_layer`).

    Layers before these features run without gradients, so memory and time are those of a prediction and the
    backward pass of the decoder. The network keeps no hook and no gradient, and is in evaluation mode
    afterwards.

    Args:
        network: the network.
        image_1CHW: one normalized image in the network's frame, float32, on the network's device.
        plane: plane of the label in the logits.
        inside_HW: H x W bool in the network's frame: the pixels to explain, by default those whose logit is
            positive.
        given: further arguments of its forward pass (points).

    Returns:
        h x w float32 at the size of the features, >= 0, not scaled; None if there are no pixels to explain.

    Raises:
        CervsegError: the network has no suitable features.
    """
    network.eval()
    if inside_HW is None:
        with torch.no_grad():
            inside_HW = (network(image_1CHW, **given)[0, plane] > 0).cpu().numpy()
    if not inside_HW.any():
        return None
    scored = _Scored(
        network,
        layer=feature_layer(network, image_1CHW, **given),
        plane=plane,
        inside_HW=torch.from_numpy(inside_HW).to(image_1CHW.device),
    ).eval()
    with _frozen(network), torch.enable_grad(), torch.autocast(image_1CHW.device.type, enabled=False):
        cam: Any = GradCAM(scored, target_layers="feature")
        found_11HW: torch.Tensor = cam.compute_map(image_1CHW, class_idx=0, **given)
    result: np.ndarray = found_11HW[0, 0].detach().float().cpu().numpy()
    return result


def feature_layer(network: nn.Module, image_1CHW: torch.Tensor, **given: object) -> nn.Module:
    """Choose the layer for Grad-CAM: ``network.encoder`` (of a list of features, the last).

    Without a callable encoder, the last module whose output has the fewest positions.

    Raises:
        CervsegError: no module has an output B x C x H x W.
    """
    encoder = getattr(network, "encoder", None)
    if isinstance(encoder, nn.Module) and not isinstance(encoder, nn.ModuleList | nn.ModuleDict):
        return encoder
    ran: list[tuple[int, nn.Module]] = []

    def note(module: nn.Module, _given: object, output: object) -> None:
        if isinstance(output, torch.Tensor) and output.ndim == 4 and output[0, 0].numel() >= FEWEST_PLACES:
            ran.append((output[0, 0].numel(), module))

    handles = [module.register_forward_hook(note) for module in network.modules()]
    try:
        with torch.no_grad():
            network(image_1CHW, **given)
    finally:
        for handle in handles:
            handle.remove()
    if not ran:
        raise CervsegError(f"{type(network).__name__} has no features for Grad-CAM")
    fewest = min(places for places, _ in ran)
    return next(module for places, module in reversed(ran) if places == fewest)


class _Scored(nn.Module):
    """A network with one score per image, B x 1, as MONAI's Grad-CAM needs."""

    def __init__(self, network: nn.Module, *, layer: nn.Module, plane: int, inside_HW: torch.Tensor) -> None:
        super().__init__()
        self.network, self.plane, self.inside_HW = network, plane, inside_HW
        self.layers = [layer]  # a list, so that torch does not register it twice
        # MONAI does not remove its hooks: they are on this module and are deleted with it.
        self.feature = nn.Identity()

    def forward(self, image_BCHW: torch.Tensor, **given: object) -> torch.Tensor:
        """Return the mean logit over the structure, B x 1."""
        handle = self.layers[0].register_forward_hook(self._pass_through)
        try:
            logits_BLHW: torch.Tensor = self.network(image_BCHW, **given)
        finally:
            handle.remove()
        if not logits_BLHW.requires_grad:
            raise CervsegError(f"{type(self.network).__name__} does not use its encoder as a whole")
        return logits_BLHW[:, self.plane, self.inside_HW].mean(-1, keepdim=True)

    def _pass_through(self, _layer: nn.Module, _given: object, output: Features) -> Features:
        # Encoders with skip connections return a list of features, the coarsest last. The gradient stops
        # here, so no earlier activation is stored for it.
        if isinstance(output, list | tuple):
            return [*output[:-1], self.feature(output[-1].detach().requires_grad_())]
        feature: torch.Tensor = self.feature(output.detach().requires_grad_())
        return feature


@contextmanager
def _frozen(network: nn.Module) -> Iterator[None]:
    """Compute no gradients of parameters inside the with block."""
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    try:
        for parameter in trained:
            parameter.requires_grad_(False)
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)
