"""Grad-CAM (Selvaraju et al. 2017) for segmentation: which coarse places raise a label's logit.

The score that is explained is the mean logit over the pixels that were segmented (Vinogradova et al. 2020).
The paper takes the mean prediction, whose gradient vanishes where the network is sure. The rest is MONAI's.
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

FEWEST_PLACES = 4  # a pooled feature (1 x 1) has no places


def grad_cam(
    network: nn.Module,
    image_1CHW: torch.Tensor,
    *,
    plane: int = 0,
    inside_HW: np.ndarray | None = None,
    **given: Any,
) -> np.ndarray | None:
    """Grad-CAM of one label at the features that the encoder ends with (see :func:`feature_layer`).

    What lies before these features is computed without gradients, so that memory and time are those of a
    prediction and the decoder's backward pass. The network keeps no hook and no gradient; it is left in
    evaluation mode.

    Args:
        image_1CHW: one normalized image in the network's frame, float32, on the network's device.
        plane: of the label's logits.
        inside_HW: H x W bool in the network's frame: the pixels to explain, by default those whose logit is
            positive.
        given: whatever else its forward takes (points).

    Returns:
        h x w float32 of the features, at least 0, not scaled; None where there are no pixels to explain.

    Raises:
        CervsegError: the network has no features to explain it by.
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


def feature_layer(network: nn.Module, image_1CHW: torch.Tensor, **given: Any) -> nn.Module:
    """Where Grad-CAM looks: the output of ``network.encoder`` (of a list, the last features).

    Where there is no encoder that can be called: of the last module whose output has the fewest places.

    Raises:
        CervsegError: no module has an output B x C x H x W.
    """
    encoder = getattr(network, "encoder", None)
    if isinstance(encoder, nn.Module) and not isinstance(encoder, nn.ModuleList | nn.ModuleDict):
        return encoder
    ran: list[tuple[int, nn.Module]] = []

    def note(module: nn.Module, _given: Any, made: Any) -> None:
        if isinstance(made, torch.Tensor) and made.ndim == 4 and made[0, 0].numel() >= FEWEST_PLACES:
            ran.append((made[0, 0].numel(), module))

    handles = [module.register_forward_hook(note) for module in network.modules()]
    try:
        with torch.no_grad():
            network(image_1CHW, **given)
    finally:
        for handle in handles:
            handle.remove()
    if not ran:
        raise CervsegError(f"{type(network).__name__} has no features to explain it by")
    fewest = min(places for places, _ in ran)
    return next(module for places, module in reversed(ran) if places == fewest)


class _Scored(nn.Module):
    """A network as one number an image, B x 1: what MONAI's Grad-CAM takes."""

    def __init__(self, network: nn.Module, *, layer: nn.Module, plane: int, inside_HW: torch.Tensor) -> None:
        super().__init__()
        self.network, self.plane, self.inside_HW = network, plane, inside_HW
        self.layers = [layer]  # a list hides it from torch: it is a part of the network already
        # MONAI never takes its hooks away. They are hung on this module, and go with it.
        self.feature = nn.Identity()

    def forward(self, image_BCHW: torch.Tensor, **given: Any) -> torch.Tensor:
        """The mean logit over the structure, B x 1."""
        handle = self.layers[0].register_forward_hook(self._pass_through)
        try:
            logits_BLHW: torch.Tensor = self.network(image_BCHW, **given)
        finally:
            handle.remove()
        if not logits_BLHW.requires_grad:
            raise CervsegError(f"{type(self.network).__name__} does not use its encoder as a whole")
        return logits_BLHW[:, self.plane, self.inside_HW].mean(-1, keepdim=True)

    def _pass_through(self, _layer: nn.Module, _given: Any, made: Any) -> Any:
        # Encoders with skip connections give a list of features, the coarsest last. The gradient's way ends
        # here: nothing before the features is kept for it.
        if isinstance(made, list | tuple):
            return [*made[:-1], self.feature(made[-1].detach().requires_grad_())]
        return self.feature(made.detach().requires_grad_())


@contextmanager
def _frozen(network: nn.Module) -> Iterator[None]:
    """No parameter gets a gradient meanwhile."""
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    try:
        for parameter in trained:
            parameter.requires_grad_(False)
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)
