"""Grad-CAM: its formula by hand and by torch on every network, and no trace in it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from cervseg.core.errors import CervsegError
from cervseg.core.types import NetworkSpec
from cervseg.explanation.gradcam import feature_layer, grad_cam
from cervseg.networks.base import build_network

VIT = {
    "embed_dim": 24,
    "depth": 2,
    "num_heads": 2,
    "global_attn_indexes": (1,),
    "window_size": 3,
    "out_chans": 32,
}
CASES: dict[str, tuple[dict[str, Any], tuple[int, int]]] = {  # arguments, size of the features of 96 x 64 px
    "cervspinenet": (VIT, (6, 4)),
    "vit_basic": (VIT, (6, 4)),
    "promptable_sam": (VIT, (6, 4)),
    "pure_cnn_full": ({"out_chans": 32}, (6, 4)),
    "unet": ({"features": 8, "num_levels": 3}, (12, 8)),
    "dynunet": ({"features": 8, "num_levels": 3}, (12, 8)),
    "deeplabv3plus": ({"encoder": "resnet18", "decoder_channels": 16}, (6, 4)),
    "text_segformer": ({"encoder": "mit_b0", "decoder_channels": 16}, (3, 2)),
}


class Bright(nn.Module):
    """Features: the mean of each 8 x 8 patch, and its negative; the logit is 3 times the first."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Conv2d(1, 2, 8, stride=8, bias=False)
        self.encoder.weight.data = torch.stack([torch.ones(1, 8, 8), -torch.ones(1, 8, 8)]) / 64

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return nn.functional.interpolate(3 * self.encoder(image)[:, :1], scale_factor=8)


def network_and_image(name: str) -> tuple[nn.Module, torch.Tensor, dict[str, Any]]:
    """A network for two labels with random weights, an image, and points where it wants some."""
    torch.manual_seed(0)
    arguments = {"in_channels": 1, "num_labels": 2, "input_size": (96, 64), **CASES[name][0]}
    network = build_network(NetworkSpec(name=name, arguments=arguments)).eval()
    points = torch.tensor([[20.0, 30.0, 0.0], [40.0, 60.0, 1.0]])
    return network, torch.randn(1, 1, 96, 64), {"points": [points]} if name == "promptable_sam" else {}


@pytest.fixture
def inside() -> np.ndarray:
    """A part of the frame."""
    mask = np.zeros((96, 64), bool)
    mask[20:60, 10:40] = True
    return mask


def test_by_hand() -> None:
    """The score is the mean logit over k bright patches, so each has the gradient 3 / k in feature 0.

    The weight of feature 0 is that gradient's mean over the 16 places, 3 / k * k / 16 = 3 / 16; of feature 1
    it is 0. The map is 3 / 16 times feature 0, which is 1 in bright patches and 0 elsewhere.
    """
    image = torch.zeros(1, 1, 32, 32)
    image[0, 0, 8:16, 16:32] = 1
    expected = np.zeros((4, 4))
    expected[1, 2:] = 3 / 16
    np.testing.assert_allclose(grad_cam(Bright(), image), expected, atol=1e-6)


def test_what_lowers_the_logit_is_not_shown() -> None:
    """A map is never negative."""
    image = -torch.ones(1, 1, 32, 32)
    image[0, 0, :8] = 0.5
    found = grad_cam(Bright(), image, inside_HW=np.ones((32, 32), bool))
    assert found is not None
    assert found.min() == 0
    assert found[0].min() > 0


@pytest.mark.parametrize("name", CASES)
def test_formula_on_every_network(name: str, inside: np.ndarray) -> None:
    """ReLU(sum of channels, each weighted by its mean gradient) of the features, by torch's own backward."""
    network, image, given = network_and_image(name)
    kept: dict[str, torch.Tensor] = {}

    def keep(_layer: nn.Module, _given: Any, made: Any) -> None:
        kept["feature"] = made if isinstance(made, torch.Tensor) else made[-1]
        kept["feature"].retain_grad()

    handle = feature_layer(network, image, **given).register_forward_hook(keep)
    network(image, **given)[0, 1][torch.from_numpy(inside)].mean().backward()
    handle.remove()
    feature, gradient = kept["feature"][0].detach(), kept["feature"].grad[0]
    expected = (gradient.mean((1, 2))[:, None, None] * feature).sum(0).relu().numpy()
    found = grad_cam(network, image, inside_HW=inside, plane=1, **given)
    assert found is not None
    assert found.shape == CASES[name][1]
    np.testing.assert_allclose(found, expected, atol=1e-4 * max(expected.max(), 1e-12))


def test_no_trace_is_left(inside: np.ndarray) -> None:
    """Logits are bit-equal afterwards; no hooks, no gradients, and what trained still does."""
    network, image, _ = network_and_image("cervspinenet")
    network.encoder.neck[0].weight.requires_grad_(False)
    trained = [parameter.requires_grad for parameter in network.parameters()]
    with torch.no_grad():
        before = network(image)
        grad_cam(network, image, inside_HW=inside)
        assert torch.equal(network(image), before)
    assert [parameter.requires_grad for parameter in network.parameters()] == trained
    assert all(parameter.grad is None for parameter in network.parameters())
    assert not any(m._forward_hooks or m._backward_hooks for m in network.modules())


def test_the_encoder_keeps_nothing_for_a_backward_pass(
    inside: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the decoder is differentiated: at ViT-B's size the encoder's activations would take many GB."""
    network, image, _ = network_and_image("cervspinenet")
    needed = []
    for block in network.encoder.blocks:
        block.register_forward_hook(lambda _block, _given, made: needed.append(made.requires_grad))
    grad_cam(network, image, inside_HW=inside)
    assert needed == [False] * len(network.encoder.blocks)


def test_nothing_segmented_is_nothing_explained() -> None:
    """None, not a map of zeros, and not of something else."""
    assert grad_cam(Bright(), torch.zeros(1, 1, 32, 32)) is None


def test_an_encoder_that_is_not_called_is_an_error(inside: np.ndarray) -> None:
    """A plug-in that has an encoder and does not use it as a whole is told so."""

    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder, self.head = nn.Conv2d(1, 1, 1), nn.Conv2d(1, 1, 1)

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return self.head(image)

    with pytest.raises(CervsegError, match="Odd does not use its encoder as a whole"):
        grad_cam(Odd(), torch.zeros(1, 1, 96, 64), inside_HW=inside)
