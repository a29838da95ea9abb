"""Provenance of a result: versions, commit, device and date."""

from __future__ import annotations

import datetime
import platform
import subprocess
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from cervseg import __version__
from cervseg.core.types import RunInfo

PACKAGES = ("torch", "torchvision", "monai", "segment-anything", "numpy", "opencv-python-headless")


def run_info(*, trainer: str, seed: int, device: str, started_from: Mapping[str, str | None]) -> RunInfo:
    """Collect the versions, commit, device and date of this run.

    Args:
        trainer: package of the trainer, with its version.
        seed: seed of the training.
        device: device of the training.
        started_from: part of the network -> source of its initial weights; None for random weights.
    """
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "not installed"
    commit = ""
    try:
        found = subprocess.run(
            ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"],
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        )
        commit = found.stdout.strip()
    except (OSError, subprocess.SubprocessError):
        pass
    return RunInfo(
        versions={
            "cervseg": __version__,
            "trainer": trainer,
            "python": platform.python_version(),
            **versions,
        },
        seed=seed,
        commit=commit,
        device=device,
        date=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        started_from=dict(started_from),
    )
