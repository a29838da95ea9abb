"""cervseg_download_weights: download SAM's published ViT-B weights."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from cervseg.cli.command_parser import CommandParser
from cervseg.cli.run import run


def build_parser() -> CommandParser:
    """Define the command's options."""
    parser = CommandParser(
        description="Download the published SAM ViT-B weights (375 MB) and verify their SHA-256.",
        example="cervseg_download_weights --to ~/.cache/cervseg",
        notes="exit code: 0 done; 2 error",
    )
    parser.add_argument("--to", metavar="DIR", help="folder for the file (default: ~/.cache/cervseg)")
    return parser


def act(options: argparse.Namespace) -> int:
    """Download and verify the file."""
    from cervseg.networks.published import SAM_VIT_B, default_folder, download

    folder = Path(options.to).expanduser() if options.to else default_folder()
    print(f"SAM ViT-B: {download(SAM_VIT_B, folder)}")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; ``argv`` without the program's name."""
    return run(build_parser(), act, argv)
