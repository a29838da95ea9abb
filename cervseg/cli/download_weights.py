"""cervseg_download_weights: fetch SAM's published ViT-B weights."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from cervseg.cli.run import parser, run


def build_parser() -> argparse.ArgumentParser:
    """The options of this command."""
    made = parser(
        "Download the published SAM ViT-B weights (375 MB) and verify their SHA-256.",
        example="cervseg_download_weights --to ~/.cache/cervseg",
    )
    made.add_argument("--to", metavar="DIR", help="folder for the file (default: ~/.cache/cervseg)")
    return made


def action(options: argparse.Namespace) -> int:
    """Download, verify, say where the file is."""
    from cervseg.networks.published import SAM_VIT_B, default_folder, download

    folder = Path(options.to).expanduser() if options.to else default_folder()
    print(f"SAM ViT-B: {download(SAM_VIT_B, folder)}")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of ``cervseg_download_weights``; returns the exit code."""
    return run(build_parser(), action, argv)
