"""From masks to scores."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cervseg.core.machine import num_cores
from cervseg.evaluation.evaluate import Evaluation, evaluate_folders
from cervseg.evaluation.summary import write_summary
from cervseg.inference.run_record import prompts_of


def evaluate(
    predictions: str | Path,
    references: str | Path,
    *,
    output: str | Path | None = None,
    labels: Mapping[str, int] | None = None,
    workers: int | None = None,
    progress: bool = True,
) -> Evaluation:
    """Score a folder of masks against reference masks.

    Args:
        predictions: folder of predicted masks.
        references: folder of reference masks of the same names.
        output: summary.json to write; by default nothing is written.
        labels: foreground names -> values; by default those of a dataset.json, else the values in the masks.
        workers: number of processes; by default one per core.
        progress: show a progress bar.

    Raises:
        DatasetError: a folder is missing, or no prediction has a reference.
    """
    predictions, references = Path(predictions), Path(references)
    prompts = prompts_of(predictions, references=references)
    evaluation = evaluate_folders(
        predictions=predictions,
        references=references,
        labels=labels,
        workers=workers if workers is not None else num_cores(),
        probabilities=predictions,
        spacing_mm=None,
        prompts="" if prompts is None else prompts.sentence,
        oracle_prompts=prompts is not None and prompts.is_oracle,
        progress=progress,
    )
    if output is not None:
        write_summary(Path(output), evaluation.summary)
    return evaluation
