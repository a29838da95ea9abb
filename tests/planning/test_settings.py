from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cervseg.core.errors import PlanError
from cervseg.core.types import Configuration, Plan
from cervseg.planning.settings import configure, parse


@pytest.fixture
def vit(plan: Callable[..., Plan]) -> Configuration:
    """The ViT configuration of a plan for 2 cores."""
    return plan().configurations["2d_vit"]


def test_every_part_can_be_set(vit: Configuration) -> None:
    """Own fields, hyperparameters, augmentation and network arguments, each by its type; the rest stays."""
    changed = configure(
        vit,
        {
            "input_size": "256x224",
            "loss": "dice",
            "2d_vit.epochs": "7",
            "scale": "0.9,1.1",
            "augmentation.rotation_deg": "5",
            "2d_vit.network.depth": "4",
            "decoder_widths": "64,32,16,8",
        },
    )
    assert changed.input_size == (256, 224)
    assert changed.loss == "dice"
    assert changed.hyperparameters.epochs == 7
    assert (changed.augmentation.scale, changed.augmentation.rotation_deg) == ((0.9, 1.1), 5.0)
    assert changed.network == {**vit.network, "depth": 4, "decoder_widths": [64, 32, 16, 8]}
    assert changed.hyperparameters.learning_rate == vit.hyperparameters.learning_rate
    assert vit.hyperparameters.epochs != 7


def test_texts_are_kept_as_they_are(plan: Callable[..., Plan]) -> None:
    """Names, prompts with spaces and semicolons, and paths are arguments like others."""
    planned = plan().configurations
    wanted = {
        "encoder": "mit_b1",
        "2d_segformer.prompts": "spinous process; vertebra, C2 = axis (20x)",
        "network.text_encoder": "/some where/x.npy",
    }
    network = configure(planned["2d_segformer"], wanted).network
    assert network["encoder"] == "mit_b1"
    assert network["prompts"] == "spinous process; vertebra, C2 = axis (20x)"
    assert network["text_encoder"] == "/some where/x.npy"
    assert configure(planned["2d_deeplab"], {"encoder": "resnet34"}).network["encoder"] == "resnet34"


def test_nothing_set_changes_nothing(vit: Configuration) -> None:
    """An empty --set returns an equal configuration."""
    assert configure(vit, {}) == vit


@pytest.mark.parametrize(
    ("key", "text", "expected"),
    [
        ("learning_rat", "1", "Did you mean learning_rate"),
        ("2d_cnn.epochs", "5", "unknown setting"),
        ("network.epochs", "5", "unknown setting"),
        ("name", "x", "unknown setting"),
        ("epochs", "5.5", "not a whole number"),
        ("learning_rate", "fast", "not a number"),
        ("learning_rate", "nan", "not a number"),
        ("input_size", "384", "two numbers"),
        ("resize", "crop", "There are: pad, stretch"),
        ("normalization", "zscor", "Did you mean zscore"),
        ("precision", "bf16", "Did you mean bfloat16"),
        ("loss", "dise", "Did you mean dice"),
        ("embed_dim", "100", "multiple of num_heads"),
        ("scale", "1.2,0.8", "the smaller one first"),
        ("probability", "1.5", r"\[0, 1\]"),
        ("batch_size", "0", "1 or more"),
    ],
)
def test_mistakes_are_refused(vit: Configuration, key: str, text: str, expected: str) -> None:
    """Names, types and values are checked, each with a hint."""
    with pytest.raises(PlanError, match=expected):
        configure(vit, {key: text})


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        ("5", int, 5),
        ("1e-4", float, 1e-4),
        (" pad ", str, "pad"),
        ("No", bool, False),
        ("384X288", tuple[int, int], (384, 288)),
        ("(384, 288)", tuple[int, int], (384, 288)),
        ("0.5,2", tuple[float, float], (0.5, 2.0)),
        ("[]", list[int], []),
        ("2,5,8", list[int], [2, 5, 8]),
    ],
)
def test_values_are_parsed_by_type(text: str, kind: Any, expected: object) -> None:
    """Each type has its way of writing."""
    assert parse(text, kind, where="x") == expected
