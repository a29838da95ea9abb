"""prediction.json: the model and options behind a folder of masks, and whether the run is finished."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from cervseg.core.atomic import remove_leftovers
from cervseg.core.errors import CervsegError
from cervseg.core.folders import PredictionFolder
from cervseg.core.jsonio import from_json, read_json, write_json
from cervseg.core.notice import NOTICE
from cervseg.inference.prompt_source import PromptSource


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """Checkpoints and options of a prediction run, and its outcome.

    Args:
        model: name of the model folder.
        checkpoints: fold, size and modification time of each checkpoint.
        tta: was test-time augmentation used?
        precision: "float32", "bfloat16" or "float16".
        save_probabilities: were probabilities written beside the masks?
        prompts: source of the points in words; empty for a model that takes none.
        prompt_source: the same for programs.
        device: the device of the networks.
        levels: do the masks name the levels of a structure?
        finished: did the run reach its end?
        failed: one entry per failed image, with the reason.
        image_s: seconds per image, from its file to its mask's file; None if no mask was written.
        notice: a notice for readers of the file.
    """

    model: str
    checkpoints: list[str]
    tta: bool
    precision: str
    save_probabilities: bool
    prompts: str = ""
    prompt_source: PromptSource | None = None
    device: str = ""
    levels: bool = False
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
        prompts: PromptSource | None = None,
        levels: bool = False,
    ) -> RunRecord:
        """Describe a run that has not started; two runs are the same if their descriptions are equal.

        Args:
            files: the checkpoints.
            tta: use test-time augmentation.
            precision: "float32", "bfloat16" or "float16".
            device: the device of the networks.
            save_probabilities: write probabilities beside the masks.
            prompts: source of the points, for a model that takes points.
            levels: name the levels of a structure.
        """
        return cls(
            model=files[0].parent.parent.name,
            checkpoints=_identities(files),
            tta=tta,
            precision=precision,
            device=device,
            save_probabilities=save_probabilities,
            prompts="" if prompts is None else prompts.sentence,
            prompt_source=prompts,
            levels=levels,
        )

    def finished_masks(self, output: Path, *, any_run: bool) -> set[Path]:
        """List files in ``output`` that this run keeps.

        Args:
            output: the folder of masks.
            any_run: keep every file; by default only files of the same run, if it was interrupted.
        """
        if not output.is_dir():
            return set()
        there = {path for path in output.iterdir() if path.is_file() and not path.name.startswith(".")}
        if any_run:
            return there
        before = read_run_record(output)
        if before is None or before.finished:
            return set()
        return there if replace(before, failed=[], image_s=None) == self else set()

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


def read_run_record(folder: Path) -> RunRecord | None:
    """Read the record of a folder of masks; None if there is none, or it is invalid."""
    try:
        content = read_json(PredictionFolder(folder).record)
        if isinstance(content, dict) and "prompts_digest" in content:
            content = _from_version_0_1(content)
        return from_json(RunRecord, content)
    except CervsegError:
        return None


def finished_run(folder: Path, files: Sequence[Path]) -> RunRecord | None:
    """Return the record of a folder of masks if the run is finished and its checkpoints are ``files``."""
    record = read_run_record(folder)
    return record if record and record.finished and record.checkpoints == _identities(files) else None


def prompts_of(predictions: Path, *, references: Path) -> PromptSource | None:
    """Return the source of the points behind a folder of masks; None if there were none.

    Args:
        predictions: the folder of masks.
        references: the masks that they are scored against; points from these are oracle prompts.
    """
    record = read_run_record(predictions)
    if record is None or record.prompt_source is None:
        return None
    return record.prompt_source.scored_against(references)


def _identities(files: Sequence[Path]) -> list[str]:
    return [f"{path.parent.name}, {path.stat().st_size} bytes, {path.stat().st_mtime_ns}" for path in files]


def _from_version_0_1(content: dict[str, object]) -> dict[str, object]:
    """Give a record of version 0.1 its typed source: these records have a sentence and a digest."""
    content = dict(content)
    digest, sentence = content.pop("prompts_digest"), str(content.get("prompts", ""))
    for kind, start in (("points", "points in "), ("masks", "centroids of the masks in ")):
        if sentence.startswith(start):
            path = sentence.removeprefix(start)
            content["prompt_source"] = {"kind": kind, "path": path, "digest": digest}
    return content
