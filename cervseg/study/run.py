"""READ FIRST of this room: a study from its first model to its last figure."""

from __future__ import annotations

import time
from collections.abc import Mapping

from cervseg.core.errors import CervsegError, PlanError
from cervseg.core.jsonio import read_dataclass, write_json
from cervseg.core.log import Log
from cervseg.core.paths import Workspace
from cervseg.core.study import TEST, Cell, CellResult, Study
from cervseg.core.types import Plan
from cervseg.pipeline.plan import plan_and_preprocess
from cervseg.planning.planfile import read_plan
from cervseg.preprocessing.store import CaseStore
from cervseg.study.job import StudyJob, StudyOptions
from cervseg.study.results import write_results
from cervseg.study.study_model import result_of, score_cell, train_cell

NO_TIME = "no time was left to train it"


def prepare_study(
    dataset: str | int,
    *,
    workspace: Workspace,
    options: StudyOptions,
    log: Log,
    dry_run: bool = False,
    progress: bool = True,
) -> StudyJob:
    """Plan and preprocess what the study wants and is not there yet.

    Args:
        only_look: prepare nothing, say what is missing.

    Raises:
        DatasetError: there is no such dataset, or something is wrong with it.
        PlanError: the dataset is planned with another preset; or there is no plan to look at.
    """
    name = workspace.dataset_name(dataset)
    plan = _plan_of(workspace, name)
    if plan is not None and options.preset not in ("", plan.preset):
        raise PlanError(
            f'is planned with the preset "{plan.preset}", the study asks for "{options.preset}"',
            where=name,
            hint=f"Leave --preset out, or run cervseg_plan_and_preprocess --preset {options.preset} first.",
        )
    missing = [variant for variant in options.variants if not _is_prepared(workspace, name, variant)]
    if dry_run and plan is None:
        raise PlanError("has no plan yet", where=name, hint="Run cervseg_plan_and_preprocess first.")
    if dry_run and missing:
        log(f"note: not prepared yet: {', '.join(missing)}")
    elif plan is None or missing:
        known = [] if plan is None else [v for v in plan.variants if v not in missing]
        plan = plan_and_preprocess(
            name,
            workspace=workspace,
            preset=options.preset or (plan.preset if plan else "default"),
            variants=[*known, *(missing or options.variants)],
            progress=progress,
            log=log,
        )
    assert plan is not None
    return StudyJob(workspace=workspace, name=name, plan=plan, options=options)


def conduct_study(job: StudyJob, *, log: Log) -> Study:
    """Run every cell, then write tables, statistics, figures and report.html beside study.json."""
    study = run_cells(job, log=log)
    if study.cells:
        write_results(job, study, log=log)
    return study


def run_cells(job: StudyJob, *, log: Log) -> Study:
    """Train and score every cell; one that fails is named, the others go on. Resumable after each step.

    What time there is goes to the models that are not trained yet, in equal shares of what is left.
    """
    kept, missing = _kept(job), dict[str, str]()
    untrained = sum(bool(job.untrained(cell)) for cell in job.cells)
    deadline = None if job.options.max_time_s is None else time.monotonic() + job.options.max_time_s
    study = _study(job, kept, missing)
    for cell in job.cells:
        is_done = not job.untrained(cell) and job.is_scored(cell)
        if is_done and cell in kept:
            continue
        if not is_done:
            kept.pop(cell, None)
            log(f"== {name_of(cell)}")
        try:
            if job.untrained(cell):
                left_s = None if deadline is None else deadline - time.monotonic()
                if left_s is not None and left_s <= 0:
                    raise CervsegError(NO_TIME)
                share_s = None if left_s is None else left_s / untrained
                untrained -= 1
                train_cell(job, cell, max_time_s=share_s, log=log)
            score_cell(job, cell, log=log)
            kept[cell] = result_of(job, cell)
        except CervsegError as problem:
            missing[name_of(cell)] = str(problem)
            log(f"left out: {problem}")
        study = _study(job, kept, missing)
        write_json(job.folder.record, study)
    write_json(job.folder.record, study)
    return study


def name_of(cell: Cell) -> str:
    """A cell in words."""
    return f"{cell.trainer}, {cell.variant}, seed {cell.seed}"


def _study(job: StudyJob, kept: Mapping[Cell, CellResult], missing: Mapping[str, str]) -> Study:
    return Study(
        dataset=job.name,
        scored_on=job.scored_on,
        images=job.images,
        references=job.references,
        labels=job.plan.dataset.foreground,
        cells=tuple(kept[cell] for cell in job.cells if cell in kept),
        missing=dict(missing),
        notes=_notes(job),
    )


def _notes(job: StudyJob) -> tuple[str, ...]:
    found = []
    if job.has_phantoms:
        found.append("The images are phantoms (synthetic): these scores say nothing about patients.")
    if job.scored_on == TEST:
        found.append("Test images were held out: nothing was trained on them, no checkpoint chosen by them.")
    else:
        found.append("Each image was scored by the fold that held it out and chose its checkpoint by it.")
    return tuple(found)


def _kept(job: StudyJob) -> dict[Cell, CellResult]:
    """What the last run of the study knew of cells that are as they were."""
    try:
        before = read_dataclass(Study, job.folder.record)
    except CervsegError:
        return {}
    if (before.dataset, before.scored_on) != (job.name, job.scored_on):
        return {}
    wanted = set(job.cells)
    return {
        result.cell: result
        for result in before.cells
        if result.cell in wanted and result.folds == job.folds and job.is_scored(result.cell)
    }


def _plan_of(workspace: Workspace, name: str) -> Plan | None:
    path = workspace.plan_file(name)
    return read_plan(path) if path.is_file() else None


def _is_prepared(workspace: Workspace, name: str, variant: str) -> bool:
    try:
        CaseStore(folder=workspace.preprocessed(name) / variant).cases()
    except CervsegError:
        return False
    return True
