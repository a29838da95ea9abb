"""Tokens that convolutions make."""

from __future__ import annotations

import pytest
import torch

from cervseg.networks.cervspine import CervSpineNet
from cervseg.networks.checkpoint import read_checkpoint
from cervseg.networks.hybrid import LiteTokens, load_tokens
from cervseg.networks.lite import LiteEncoder
from cervseg.networks.lite_weights import load_lite_imagenet
from cervseg.planning.constants import VIT_SIZES
from cervseg.shipped import DEFAULT, shipped_models

TINY = {
    "embed_dim": 16,
    "depth": 1,
    "num_heads": 2,
    "global_attn_indexes": (),
    "window_size": 0,
    "out_chans": 16,
}


@pytest.mark.parametrize(("patch_size", "feature"), [(16, 3), (8, 2), (4, 1), (2, 0)])
def test_tokens_are_features_of_the_encoder(patch_size: int, feature: int) -> None:
    """The stages have the names and the results of the whole encoder; the projection follows."""
    torch.manual_seed(0)
    tokens, whole = LiteTokens(24, patch_size=patch_size).eval(), LiteEncoder().eval()
    whole.load_state_dict(tokens.features.state_dict(), strict=False)
    image = torch.randn(2, 3, 64, 96)
    made = tokens(image)
    assert made.shape == (2, 64 // patch_size, 96 // patch_size, 24)
    torch.testing.assert_close(made, tokens.proj(whole(image)[feature]).permute(0, 2, 3, 1))


def test_other_tokens_are_refused() -> None:
    """The features have strides of 2 to 16, and there are two stems."""
    with pytest.raises(ValueError, match="patch_size of 2, 4, 8, 16, not 32"):
        CervSpineNet(input_size=(64, 64), stem="lite", patch_size=32, decoder_widths=(8,) * 5, **TINY)
    with pytest.raises(ValueError, match='"patch" or "lite"'):
        CervSpineNet(input_size=(64, 64), stem="conv", **TINY)  # type: ignore[arg-type]


def test_the_planned_small_network() -> None:
    """Its number of parameters, in float16 less than 10 MB."""
    sizes = {key: tuple(v) if isinstance(v, list) else v for key, v in VIT_SIZES["small"].network.items()}
    network = CervSpineNet(input_size=(352, 288), **sizes)
    assert sum(parameter.numel() for parameter in network.parameters()) == 4_045_708
    assert network(torch.zeros(1, 1, 352, 288)).shape == (1, 1, 352, 288)


PREFIX = "encoder.patch_embed.features."


@pytest.mark.parametrize("is_shipped", [True, False])
def test_weights_fill_the_convolutions_alone(is_shipped: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stages equal those of the shipped LiteUNet, or ImageNet's if there is none; the rest stays."""
    if is_shipped:
        given = read_checkpoint(shipped_models()[DEFAULT].trained_folds()[0].weights).state_dict
        stages = {name.removeprefix("encoder."): value for name, value in given.items()}
    else:
        monkeypatch.setattr("cervseg.networks.shipped_start.shipped_models", dict)
        published = LiteEncoder()
        load_lite_imagenet(published)
        stages = published.state_dict()
    network = CervSpineNet(input_size=(64, 64), stem="lite", **TINY)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    started = load_tokens(network)
    assert ("shipped model spinous" if is_shipped else "ImageNet") in str(started["tokens"])
    assert started["other parts"] is None
    for name, tensor in network.state_dict().items():
        own = name.startswith(PREFIX)
        assert torch.equal(tensor, stages[name.removeprefix(PREFIX)] if own else before[name]), name


def test_a_network_without_convolutions_is_left_as_it_is() -> None:
    """SAM's stem is one linear layer per patch: there is nothing to load."""
    network = CervSpineNet(input_size=(64, 64), **TINY)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    assert load_tokens(network) == {}
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
