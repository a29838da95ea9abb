"""prediction.json: what made the masks of a folder, so that a killed run goes on and nothing is mixed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cervseg.core.errors import CervsegError
from cervseg.core.jsonio import read_dataclass, write_json
from cervseg.core.paths import PredictionFolder, remove_leftovers

if TYPE_CHECKING:
    from cervseg.inference.prompts import Prompts

NOTICE = "Research software, not a medical device."


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """Which checkpoints and options a prediction run uses, and whether it came to its end.

    Of a finished run: ``failed`` images with the reason, and ``image_s``, the seconds an image took from its file
    to its mask's file (None where every mask was there already).
    """

    model: str
    checkpoints: list[str]
    tta: bool
    precision: str
    save_probabilities: bool
    prompts: str = ""
    prompts_digest: str = ""
    device: str = ""
    finished: bool = False
    failed: list[str] = field(default_factory=list)
    image_s: float | None = None
    notice: str = NOTICE

    @classmethod
    def make(
        cls,
        files: Sequence[Path],
        *,
        tta: bool,
        precision: str,
        device: str,
        save_probabilities: bool,
        prompts: Prompts | None = None,
    ) -> RunRecord:
        """The record of a run with these checkpoint files and prompts; if any of them changes, so does it."""
        return cls(
            model=files[0].parent.parent.name,
            checkpoints=_identities(files),
            tta=tta,
            precision=precision,
            device=device,
            save_probabilities=save_probabilities,
            prompts=prompts.source if prompts is not None else "",
            prompts_digest=prompts.digest if prompts is not None else "",
        )

    def finished_masks(self, output: Path, *, any_run: bool) -> set[Path]:
        """Masks in ``output`` that this run need not make again.

        Those are the masks of the same run if it was cut short, or whatever is there with ``any_run``.
        """
        if not output.is_dir():
            return set()
        there = {path for path in output.iterdir() if path.is_file() and not path.name.startswith(".")}
        if any_run:
            return there
        try:
            before = read_dataclass(RunRecord, PredictionFolder(output).record)
        except CervsegError:
            return set()
        same = replace(before, finished=False, failed=[], image_s=None) == self
        return there if same and not before.finished else set()

    def begin(self, output: Path) -> None:
        """Write the record as unfinished, before the first mask."""
        output.mkdir(parents=True, exist_ok=True)
        remove_leftovers(output)
        write_json(PredictionFolder(output).record, self)

    def end(self, output: Path, *, failed: list[str], image_s: float | None) -> None:
        """Write the record as finished, after the last mask."""
        write_json(
            PredictionFolder(output).record, replace(self, finished=True, failed=failed, image_s=image_s)
        )


def finished_run(folder: Path, files: Sequence[Path]) -> RunRecord | None:
    """The record of the masks in ``folder`` if these checkpoint files, as they are now, made them all."""
    try:
        record = read_dataclass(RunRecord, PredictionFolder(folder).record)
    except CervsegError:
        return None
    return record if record.finished and record.checkpoints == _identities(files) else None


def _identities(files: Sequence[Path]) -> list[str]:
    return [f"{path.parent.name}, {path.stat().st_size} bytes, {path.stat().st_mtime_ns}" for path in files]


def recorded_prompts(folder: Path) -> str:
    """Where the masks in ``folder`` had their points from; empty if there were none or it has no record."""
    try:
        return read_dataclass(RunRecord, PredictionFolder(folder).record).prompts
    except CervsegError:
        return ""
