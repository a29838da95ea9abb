"""How long a study will take, before it is begun."""

from __future__ import annotations

from dataclasses import dataclass

from cervseg.core.errors import CervsegError, one_line
from cervseg.core.study import Cell
from cervseg.dataset.splits import read_folds
from cervseg.planning.cost import pass_seconds
from cervseg.preprocessing.variants import AUGMENTED
from cervseg.study.job import StudyJob
from cervseg.trainers.catalogue import set_up

VALIDATION_S_A_IMAGE = 0.3


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What is left to do for a cell: folds to train and about how many seconds, validation included.

    ``source`` says what the seconds come from: "another seed", "the plan" (good to a factor of two), or "" if
    there is nothing to train. On an accelerator they are None until another seed has been trained; they are
    None too where the cell cannot be trained, and ``source`` says why.
    """

    cell: Cell
    folds: tuple[str, ...]
    seconds: float | None
    source: str


def forecast(job: StudyJob) -> list[Forecast]:
    """One entry a cell, in their order."""
    return [_of_cell(job, cell) for cell in job.cells]


def _of_cell(job: StudyJob, cell: Cell) -> Forecast:
    folds = tuple(job.untrained(cell))
    if not folds:
        return Forecast(cell=cell, folds=(), seconds=0.0, source="")
    twins = [
        Cell(trainer=cell.trainer, variant=cell.variant, seed=seed)
        for seed in job.options.seeds
        if seed != cell.seed
    ]
    done = [job.train_s(twin) for twin in twins if not job.untrained(twin)]
    if done:
        seconds = sum(done) / len(done) * len(folds) / len(job.folds)
        return Forecast(cell=cell, folds=folds, seconds=seconds, source="another seed")
    if job.plan.hardware.accelerator != "cpu":
        return Forecast(cell=cell, folds=folds, seconds=None, source="")
    try:
        seconds = sum(_planned_s(job, cell, fold) for fold in folds)
    except CervsegError as problem:
        return Forecast(
            cell=cell, folds=folds, seconds=None, source=f"cannot be trained: {one_line(problem)}"
        )
    return Forecast(cell=cell, folds=folds, seconds=seconds, source="the plan")


def _planned_s(job: StudyJob, cell: Cell, fold: str) -> float:
    trainer, plan = set_up(cell.trainer, job.plan, settings=job.settings(cell))
    configuration = trainer.configured(plan)
    hyper = configuration.hyperparameters
    num_train, num_val = plan.dataset.num_training, 0
    if fold != "all":
        split = read_folds(job.workspace.preprocessed(job.name) / "splits_final.json")[int(fold)]
        num_train, num_val = len(split.train), len(split.val)
    if cell.variant == AUGMENTED:
        num_train *= 2
    image_s = pass_seconds(
        family=configuration.name,
        network=configuration.network,
        input_size=configuration.input_size,
        cores=plan.hardware.num_cores,
        precision=hyper.precision,
    )
    return hyper.epochs * (num_train * image_s + num_val * image_s / 3) + num_val * VALIDATION_S_A_IMAGE
