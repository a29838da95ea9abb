"""Published weights: address, download and verification."""

from __future__ import annotations

import hashlib
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tqdm import tqdm

from cervseg.core.atomic import atomic_path
from cervseg.core.errors import CheckpointError
from cervseg.networks.sizes import VIT_B

CHUNK_BYTES = 2**20
TIMEOUT_S = 30.0


@dataclass(frozen=True, kw_only=True)
class PublishedWeights:
    """A file of weights on a public server: address, size in bytes, SHA-256 (hex) and name."""

    url: str
    bytes: int
    sha256: str
    filename: str


# Segment Anything ViT-B, trained on SA-1B (Kirillov et al. 2023), Apache-2.0.
SAM_VIT_B = PublishedWeights(
    url="https://dl.fbaipublicfiles.com/segment_anything/sam_vit_b_01ec64.pth",
    bytes=375_042_383,
    sha256="ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912",
    filename="sam_vit_b_01ec64.pth",
)
# Windows and positions are interpolated when weights are loaded; these sizes must agree.
FIXED_SIZES = ("embed_dim", "depth", "num_heads", "patch_size", "out_chans")


def sam_vit_b_for(sizes: Mapping[str, object]) -> PublishedWeights | None:
    """Return ``SAM_VIT_B`` if its weights fit an image encoder of these sizes, else None.

    Args:
        sizes: arguments of the network, as in a plan.
    """
    fits = all(sizes.get(name) == VIT_B[name] for name in FIXED_SIZES)
    return SAM_VIT_B if fits else None


def default_folder() -> Path:
    """Return the default folder of weights: ~/.cache/cervseg."""
    return Path.home() / ".cache" / "cervseg"


def download(weights: PublishedWeights, target_folder: Path, *, progress: bool = True) -> Path:
    """Download weights unless the file exists; return its path.

    The file gets its name only after its size and SHA-256 are verified.

    Args:
        weights: the file to download.
        target_folder: created if it is missing.
        progress: show a progress bar.

    Raises:
        CheckpointError: the server cannot be reached, or the file is not the published one.
    """
    target = target_folder / weights.filename
    if target.is_file() and _problem(target, weights) is None:
        return target
    with atomic_path(target) as temporary:
        try:
            with (
                urllib.request.urlopen(weights.url, timeout=TIMEOUT_S) as source,
                open(temporary, "wb") as sink,
            ):
                _copy(source, sink, weights=weights, progress=progress)
        except (urllib.error.URLError, TimeoutError, ConnectionError) as problem:
            reason = getattr(problem, "reason", problem)
            raise CheckpointError(
                f"the weights cannot be downloaded ({reason})",
                where=weights.url,
                hint=f"Download it on a computer with internet access and copy it to {target}",
            ) from problem
        verify_sha256(temporary, weights)
    return target


def verify_sha256(path: Path, weights: PublishedWeights) -> None:
    """Check that a file is the published one.

    Args:
        path: the file.
        weights: the published file.

    Raises:
        CheckpointError: the file is missing, or its size or SHA-256 differs.
    """
    problem = _problem(path, weights)
    if problem is not None:
        raise CheckpointError(
            f"{weights.filename} is not the published file: {problem}",
            where=path,
            hint=f"Download it again from {weights.url}",
        )


def _problem(path: Path, weights: PublishedWeights) -> str | None:
    if not path.is_file():
        return "it is missing"
    num_bytes = path.stat().st_size
    if num_bytes != weights.bytes:
        return f"it has {num_bytes:,} bytes, not {weights.bytes:,}"
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
    found = digest.hexdigest()
    return None if found == weights.sha256 else f"its SHA-256 is {found}, not {weights.sha256}"


def _copy(source: BinaryIO, sink: BinaryIO, *, weights: PublishedWeights, progress: bool) -> None:
    with tqdm(
        total=weights.bytes, desc=weights.filename, unit="B", unit_scale=True, disable=not progress
    ) as bar:
        while chunk := source.read(CHUNK_BYTES):
            sink.write(chunk)
            bar.update(len(chunk))
