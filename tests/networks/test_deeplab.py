"""DeepLabV3+."""

from __future__ import annotations

import pytest
import segmentation_models_pytorch as smp
import torch
from torch import nn

from cervseg.networks.base import num_parameters
from cervseg.networks.deeplab import DeepLabV3Plus


def tiny(**changes):
    """Build the network with ResNet-18 and a narrow decoder for 64 x 96 px."""
    torch.manual_seed(0)
    return DeepLabV3Plus(**{"input_size": (64, 96), "encoder": "resnet18", "decoder_channels": 32, **changes})


def test_published_size():
    """With ResNet-50, the number of parameters equals that of the library's network."""
    with torch.device("meta"):
        found = num_parameters(DeepLabV3Plus())
        expected = num_parameters(smp.DeepLabV3Plus("resnet50", encoder_weights=None))
    assert found == expected == 26_677_585


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize(("in_channels", "num_labels"), [(1, 1), (3, 2)])
def test_shapes_and_gradients_in_training(batch, in_channels, num_labels):
    """Logits have the input's size, and every parameter gets a gradient, also at batch size 1."""
    network = tiny(in_channels=in_channels, num_labels=num_labels).train()
    logits = network(torch.randn(batch, in_channels, 64, 96))
    assert logits.shape == (batch, num_labels, 64, 96)
    logits.square().mean().backward()
    assert [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_smallest_frame_at_batch_1():
    """At 32 x 32 px, the last features still have more than one position per channel."""
    logits = tiny(input_size=(32, 32)).train()(torch.randn(1, 1, 32, 32))
    assert logits.isfinite().all()


def test_pooled_branch_sees_each_image_alone():
    """The output for an image is independent of the other images and of the training mode."""
    pooling = tiny().decoder.aspp[0].convs[-1]
    feature = torch.randn(3, 512, 4, 6)
    together, alone = pooling.train()(feature), pooling(feature[1:2])
    torch.testing.assert_close(together[1:2], alone)
    torch.testing.assert_close(pooling.eval()(feature), together)


def test_grey_is_repeated():
    """A grey image and the same image as RGB give equal logits."""
    grey, colour = tiny().eval(), tiny(in_channels=3).eval()
    colour.load_state_dict(grey.state_dict())
    image = torch.randn(2, 1, 64, 96)
    with torch.no_grad():
        torch.testing.assert_close(colour(image.repeat(1, 3, 1, 1)), grey(image))


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
    with pytest.raises(ValueError, match=r"resnet18, resnet34, resnet50.*not 'vgg'"):
        tiny(encoder="vgg")
    with pytest.raises(ValueError, match="in_channels must be 1 or 3"):
        tiny(in_channels=2)
    with pytest.raises(ValueError, match="Resize or pad"):
        tiny()(torch.randn(1, 1, 96, 64))


def test_the_library_alone_refuses_batch_1():
    """The library's network fails at batch size 1; if this changes, the replaced norm can be removed."""
    library = smp.DeepLabV3Plus("resnet18", encoder_weights=None, in_channels=1).train()
    assert isinstance(library.decoder.aspp[0].convs[-1][2], nn.BatchNorm2d)
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        library(torch.randn(1, 1, 64, 96))
