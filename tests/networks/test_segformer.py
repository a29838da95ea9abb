"""Text-guided SegFormer."""

from __future__ import annotations

import pytest
import segmentation_models_pytorch as smp
import torch
from torch.nn import functional

from cervseg.networks.base import num_parameters
from cervseg.networks.segformer import TextSegFormer

TEXT_DIM = 8


def text(seed: int = 0) -> torch.Tensor:
    """Create a text vector whose norm is not 1."""
    return 3 * torch.randn(TEXT_DIM, generator=torch.Generator().manual_seed(seed))


def tiny(**changes):
    """Build a network with MiT-B0, a narrow decoder and a text for 64 x 96 px."""
    torch.manual_seed(0)
    sizes = {"input_size": (64, 96), "encoder": "mit_b0", "decoder_channels": 16, "text_dim": TEXT_DIM}
    network = TextSegFormer(**{**sizes, **changes})
    network.set_text(text())
    return network


def test_published_size():
    """Parameters of MiT-B2: the library's SegFormer plus 385 x 512 of the projection."""
    found = num_parameters(TextSegFormer(encoder="mit_b2", text_dim=384))
    library = num_parameters(smp.Segformer("mit_b2", encoder_weights=None))
    assert found == library + 385 * 512 == 24_919_489


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize(("in_channels", "num_labels"), [(1, 1), (3, 2)])
def test_shapes_and_gradients(batch, in_channels, num_labels):
    """Logits have the input's size, and every parameter gets a gradient, also at batch size 1."""
    network = tiny(in_channels=in_channels, num_labels=num_labels).train()
    image = torch.randn(batch, in_channels, 64, 96)
    assert network(image).shape == (batch, num_labels, 64, 96)
    network.eval()(image).square().mean().backward()  # in training, the library drops blocks at random
    assert [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_text_is_frozen_and_of_norm_1():
    """The text is in the state, but is not a parameter."""
    network = tiny()
    assert "text_D" in network.state_dict()
    assert "text_D" not in dict(network.named_parameters())
    torch.testing.assert_close(network.text_D, functional.normalize(text(), dim=0))


def test_scales_start_around_1():
    """For any text, the features are almost unchanged at first."""
    torch.manual_seed(0)
    network = TextSegFormer(encoder="mit_b0", text_dim=384)
    network.set_text(torch.randn(384))
    scale = network.projection(network.text_D)
    assert scale.mean().item() == pytest.approx(1.0, abs=0.01)
    assert 0.01 < scale.std().item() < 0.04


def test_last_stage_is_scaled_by_the_text():
    """Logits equal those of the library's decoder with a last stage scaled by hand."""
    network = tiny().eval()
    image = torch.randn(2, 1, 64, 96)
    with torch.no_grad():
        features = network.encoder(image.repeat(1, 3, 1, 1))
        assert features[-1].shape == (2, 256, 2, 3)
        weight, bias = network.projection.weight, network.projection.bias
        scale = functional.normalize(text(), dim=0) @ weight.T + bias
        features[-1] = features[-1] * scale.view(1, -1, 1, 1)
        torch.testing.assert_close(network(image), network.head(network.decoder(features)))


def test_another_text_gives_other_logits():
    """Another text changes the logits; the same text gives bit-identical ones."""
    network = tiny().eval()
    image = torch.randn(1, 1, 64, 96)
    with torch.no_grad():
        first = network(image)
        network.set_text(text(seed=1))
        other = network(image)
        network.set_text(text())
        again = network(image)
    assert (first - other).abs().max() > 1e-4
    assert torch.equal(first, again)


def test_runs_in_bfloat16_and_channels_last():
    """The network trains in bfloat16 with channels last."""
    network = tiny().to(memory_format=torch.channels_last).train()
    image = torch.randn(2, 1, 64, 96).to(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        loss = network(image).float().square().mean()
    loss.backward()
    assert all(p.grad.isfinite().all() for p in network.parameters())


def test_invalid_arguments_are_errors_with_a_hint():
    """Invalid sizes, encoders, channels and images are ValueErrors."""
    with pytest.raises(ValueError, match=r"multiples of 32. Use \(96, 64\)"):
        tiny(input_size=(100, 64))
    with pytest.raises(ValueError, match=r"mit_b0, mit_b1, .*not 'resnet50'"):
        tiny(encoder="resnet50")
    with pytest.raises(ValueError, match="in_channels must be 1 or 3"):
        tiny(in_channels=2)
    with pytest.raises(ValueError, match="Resize or pad"):
        tiny()(torch.randn(1, 1, 96, 64))


@pytest.mark.parametrize(
    ("vector", "words"),
    [
        (torch.ones(5), "a text vector of 8 numbers, not 5"),
        (torch.ones(1, TEXT_DIM), "not 1 x 8"),
        (torch.zeros(TEXT_DIM), "not zero"),
        (torch.full((TEXT_DIM,), torch.nan), "finite"),
    ],
)
def test_invalid_texts_are_errors(vector, words):
    """Vectors of wrong shape, zeros and NaN are errors, and the previous text is kept."""
    network = tiny()
    before = network.text_D.clone()
    with pytest.raises(ValueError, match=words):
        network.set_text(vector)
    assert torch.equal(network.text_D, before)
