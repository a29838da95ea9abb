"""Grad-CAM (Selvaraju et al. 2017) for segmentation: which coarse places raise a label's logit."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from monai.visualize.class_activation_maps import GradCAM
from torch import nn

from cervseg.core.errors import CervsegError

FEWEST_PLACES = 16  # a pooled feature (1 x 1) has no places


def grad_cam(
    network: nn.Module,
    image_1CHW: torch.Tensor,
    *,
    plane: int = 0,
    inside_HW: np.ndarray | None = None,
    **given: Any,
) -> np.ndarray:
    """Grad-CAM of one label at the last convolution of the coarsest features (SAM's encoder: its neck).

    The score that is explained is the mean logit over ``inside_HW``, by default the predicted structure;
    where nothing is predicted, over the whole frame.

    Args:
        image_1CHW: one normalized image in the network's frame, float32.
        plane: of the label's logits.
        inside_HW: H x W bool in the network's frame.
        given: whatever else its forward takes (points).

    Returns:
        h x w float32 of the coarsest features, at least 0, not scaled.

    Raises:
        CervsegError: the network has no convolution with features to explain.
    """
    scored = _Scored(network, plane=plane, inside_HW=inside_HW, given=given).eval()
    layer = _coarsest(scored, image_1CHW)
    cam = GradCAM(
        nn_module=scored,
        target_layers=layer,
        upsampler=lambda size: lambda maps: maps,
        postprocessing=lambda maps: maps,
    )
    with torch.enable_grad():
        found = cam(image_1CHW.clone().requires_grad_(), class_idx=0)
    network.zero_grad(set_to_none=True)
    result: np.ndarray = np.maximum(np.asarray(found.detach().float().cpu())[0, 0], 0)
    return result


class _Scored(nn.Module):
    """A network as one number an image, B x 1: what MONAI's Grad-CAM takes."""

    def __init__(
        self, network: nn.Module, *, plane: int, inside_HW: np.ndarray | None, given: dict[str, Any]
    ) -> None:
        super().__init__()
        self.network, self.plane, self.inside_HW, self.given = network, plane, inside_HW, given

    def forward(self, image_1CHW: torch.Tensor) -> torch.Tensor:
        """The mean logit over the structure."""
        logit_HW = self.network(image_1CHW, **self.given)[0, self.plane].float()
        if self.inside_HW is None:
            inside_HW = logit_HW.detach() > 0
        else:
            inside_HW = torch.from_numpy(self.inside_HW).to(logit_HW.device)
        chosen = logit_HW[inside_HW] if inside_HW.any() else logit_HW
        score_11: torch.Tensor = chosen.mean()[None, None]
        return score_11


@torch.no_grad()
def _coarsest(network: nn.Module, image_1CHW: torch.Tensor) -> str:
    """The name of the convolution that ran last among those with the fewest places."""
    places: dict[str, int] = {}

    def note(name: str) -> Any:
        def hook(_module: nn.Module, _given: Any, made: torch.Tensor) -> None:
            if made.ndim == 4:
                places.pop(name, None)
                places[name] = made.shape[2] * made.shape[3]

        return hook

    hooks = [
        module.register_forward_hook(note(name))
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d)
    ]
    try:
        network(image_1CHW)
    finally:
        for handle in hooks:
            handle.remove()
    places = {name: number for name, number in places.items() if number >= FEWEST_PLACES}
    if not places:
        raise CervsegError("the network has no convolution to explain it by")
    fewest = min(places.values())
    return [name for name, number in places.items() if number == fewest][-1]
