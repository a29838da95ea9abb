"""TextSegFormerTrainer."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cervseg.core.errors import CheckpointError
from cervseg.core.registry import TRAINERS, load
from cervseg.networks import imagenet
from cervseg.networks.base import build_network
from cervseg.networks.checkpoint import network_from_checkpoint, read_checkpoint
from cervseg.planning.planner import make_plan
from cervseg.trainers import segformer
from cervseg.trainers.segformer import TextSegFormerTrainer
from cervseg.training.checkpoint import save_best
from tests.checkpoints import described
from tests.planning.invented import DESCRIPTION, gpu, images, processor
from tests.trainers.plans import overfit, tiny_plan

TRAINER = TextSegFormerTrainer()
NETWORK = {"encoder": "mit_b0", "decoder_channels": 32, "prompts": "neck"}


@pytest.fixture
def embedding(tmp_path):
    """A .npy file with three embeddings of six numbers."""
    path = tmp_path / "text.npy"
    np.save(path, np.random.default_rng(0).normal(size=(3, 6)))
    return path


@pytest.fixture
def plan(embedding):
    """A plan whose text is in a file."""
    return tiny_plan("2d_segformer", {**NETWORK, "text_encoder": str(embedding)}, rate=3e-3)


@pytest.fixture
def offline(monkeypatch):
    """Make every download of weights fail."""

    def unreachable(name, *, weights):
        raise OSError(f"no server for {name}, {weights}")

    monkeypatch.setattr(imagenet, "_ask_once", lambda _repository, *, revision: None)
    monkeypatch.setattr(imagenet, "get_encoder", unreachable)


def test_it_is_a_plug_in():
    """Registered under its own name."""
    assert load(TRAINERS, "TextSegFormerTrainer") is TextSegFormerTrainer


@pytest.mark.parametrize(
    ("preset", "hardware", "encoder"),
    [("default", gpu(24), "mit_b2"), ("default", processor(2), "mit_b0"), ("paper", gpu(24), "mit_b2")],
)
def test_the_planned_network_can_be_built(preset, hardware, encoder):
    """What the planner writes is what the network takes; text and prompts are no arguments of it."""
    plan = make_plan(description=DESCRIPTION, fingerprint=images(), hardware=hardware, preset=preset)
    spec = TRAINER.network_spec(plan)
    network = build_network(spec)
    assert (spec.arguments["encoder"], spec.arguments["text_dim"]) == (encoder, 384)
    assert network.input_size == TRAINER.configured(plan).input_size


def test_spec_knows_the_length_of_the_text(plan):
    """It is the file's."""
    assert TRAINER.network_spec(plan).arguments == {
        "in_channels": 1,
        "num_labels": 1,
        "input_size": (64, 96),
        "encoder": "mit_b0",
        "decoder_channels": 32,
        "text_dim": 6,
    }


def test_start_sets_the_text_always(plan, embedding, offline):
    """It is frozen, so random weights do not stand for it; only published weights need a server."""
    network = build_network(TRAINER.network_spec(plan))
    started = TRAINER.start(network, plan, pretrained=False)
    assert started == {"encoder": None, "text": str(embedding)}
    rows = np.load(embedding)
    mean = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).mean(0)
    np.testing.assert_allclose(network.text_D.numpy(), mean / np.linalg.norm(mean), rtol=1e-5)
    with pytest.raises(CheckpointError, match=r"(?s)no server for mit_b0, imagenet.*--from-scratch"):
        TRAINER.start(network, plan, pretrained=True)


def test_start_reads_the_plan_s_prompts(monkeypatch):
    """Encoder and prompts of the plan reach the encoder; without them, the default ones."""
    asked = []

    def embed(encoder, prompts):
        asked.append((encoder, prompts))
        return segformer_text

    segformer_text = type("Text", (), {"vector_D": torch.ones(384), "source": "read"})
    monkeypatch.setattr(segformer, "embed_text", embed)
    for network in ({**NETWORK, "text_encoder": "minilm"}, {"encoder": "mit_b0", "decoder_channels": 32}):
        plan = tiny_plan("2d_segformer", network)
        TRAINER.start(build_network(TRAINER.network_spec(plan)), plan, pretrained=False)
    assert asked == [("minilm", "neck"), ("minilm", segformer.DEFAULT_PROMPTS)]


def test_checkpoint_rebuilds_the_network_without_its_text_encoder(tmp_path, plan, embedding, offline):
    """Text and weights come back bit for bit once the embedding's file is gone."""
    spec = TRAINER.network_spec(plan)
    network = build_network(spec)
    TRAINER.start(network, plan, pretrained=False)
    embedding.unlink()
    network.train()(torch.randn(1, 1, 64, 96))
    save_best(tmp_path / "c.pt", described(spec), network=network, epoch=0, dice=None)
    again = network_from_checkpoint(read_checkpoint(tmp_path / "c.pt"))
    image = torch.randn(2, 1, 64, 96)
    with torch.no_grad():
        expected, found = network.eval()(image), again(image)
    assert again.text_D.any()
    assert torch.equal(again.text_D, network.text_D)
    assert torch.equal(found, expected)


def test_training_moves_the_projection_and_not_the_text(plan):
    """Two steps change the text's projection; the text stays."""
    torch.manual_seed(0)
    network = build_network(TRAINER.network_spec(plan))
    TRAINER.start(network, plan, pretrained=False)
    text, projection = network.text_D.clone(), network.projection.weight.detach().clone()
    overfit(TRAINER, network, plan, num_steps=2)
    assert torch.equal(network.text_D, text)
    assert not torch.equal(network.projection.weight, projection)
