"""READ FIRST of this room: a study from its first model to its last figure."""

from __future__ import annotations

import time
from collections.abc import Mapping

from cervseg.core.errors import CervsegError, PlanError, one_line
from cervseg.core.jsonio import write_json
from cervseg.core.log import Log
from cervseg.core.paths import Workspace
from cervseg.core.study import Study, StudyModel, StudyModelResult, read_study
from cervseg.core.types import Plan
from cervseg.pipeline.plan import plan_and_preprocess
from cervseg.planning.planfile import read_plan
from cervseg.preprocessing.store import CaseStore
from cervseg.study.job import StudyJob, StudyOptions
from cervseg.study.results import write_results
from cervseg.study.study_model import result_of, score_model, train_model


def prepare_study(
    dataset: str | int,
    *,
    workspace: Workspace,
    options: StudyOptions,
    log: Log,
    dry_run: bool = False,
    progress: bool = True,
) -> StudyJob:
    """Plan and preprocess the variants of a study that are not prepared yet.

    Args:
        dataset: 1, "001" or "Dataset001_Name".
        workspace: the four data folders.
        options: the models and how to train them.
        log: called with each message.
        dry_run: prepare nothing; log the variants that are missing.
        progress: show progress bars.

    Returns:
        The study, ready to run.

    Raises:
        DatasetError: the dataset is missing or invalid.
        PlanError: the dataset is planned with another preset, or has no plan in a dry run.
    """
    name = workspace.dataset_name(dataset)
    plan = _read_plan(workspace, name, preset=options.preset)
    missing = [variant for variant in options.variants if not _is_prepared(workspace, name, variant)]
    if dry_run and plan is None:
        raise PlanError("no plan yet", where=name, hint="run cervseg_plan_and_preprocess first")
    if dry_run and missing:
        log(f"warning: not preprocessed yet: {', '.join(missing)}")
    elif plan is None or missing:
        prepared = [] if plan is None else [v for v in plan.variants if v not in missing]
        plan = plan_and_preprocess(
            name,
            workspace=workspace,
            preset=options.preset or (plan.preset if plan else "default"),
            variants=[*prepared, *(missing or options.variants)],
            progress=progress,
            log=log,
        )
    assert plan is not None
    return StudyJob.make(name, workspace=workspace, plan=plan, options=options)


def conduct_study(job: StudyJob, *, log: Log) -> Study:
    """Run every model, then write tables, statistics, figures and report.html beside study.json.

    Args:
        job: the study.
        log: called with each message.

    Returns:
        The study as study.json has it.
    """
    study = run_models(job, log=log)
    if study.models:
        write_results(job, study, log=log)
    return study


def run_models(job: StudyJob, *, log: Log) -> Study:
    """Train and score every model. A model that fails is recorded, and the others still run.

    Finished models are skipped, so an interrupted study is resumed by running it again.

    Args:
        job: the study.
        log: called with each message.

    Returns:
        The study as study.json has it.
    """
    finished, missing = _finished_before(job), dict[str, str]()
    budget = _TimeBudget(job)
    for model in job.models:
        is_done = not job.untrained(model) and job.is_scored(model)
        if is_done and model in finished:
            continue
        if not is_done:
            finished.pop(model, None)
            log(f"== {model}")
        try:
            if job.untrained(model):
                train_model(job, model, max_time_s=budget.next_share_s(), log=log)
            score_model(job, model, log=log)
            finished[model] = result_of(job, model)
        except CervsegError as problem:
            missing[str(model)] = one_line(problem)
            log(f"left out: {one_line(problem)}")
        write_json(job.folder.record, _study(job, finished, missing))
    study = _study(job, finished, missing)
    write_json(job.folder.record, study)
    return study


class _TimeBudget:
    """Share the remaining time equally among the models that are not trained yet."""

    def __init__(self, job: StudyJob) -> None:
        self.num_untrained = sum(bool(job.untrained(model)) for model in job.models)
        limit_s = job.options.max_time_s
        self.deadline = None if limit_s is None else time.monotonic() + limit_s

    def next_share_s(self) -> float | None:
        """Return the time for the next model in seconds; None is no limit."""
        share_s = None
        if self.deadline is not None:
            left_s = self.deadline - time.monotonic()
            if left_s <= 0:
                raise CervsegError("no time was left to train it")
            share_s = left_s / self.num_untrained
        self.num_untrained -= 1
        return share_s


def _study(
    job: StudyJob, finished: Mapping[StudyModel, StudyModelResult], missing: Mapping[str, str]
) -> Study:
    return Study(
        dataset=job.name,
        scored_on=job.scored_on,
        images=job.images,
        references=job.references,
        labels=job.plan.dataset.foreground,
        models=tuple(finished[model] for model in job.models if model in finished),
        missing=dict(missing),
        notes=_notes(job),
    )


def _notes(job: StudyJob) -> tuple[str, ...]:
    notes = []
    if job.has_phantoms:
        notes.append("The images are phantoms (synthetic): these scores say nothing about patients.")
    if job.scored_on == "test":
        notes.append("Test images were held out: they were not used for training or to choose a checkpoint.")
    else:
        notes.append(
            "Cross-validation: the images that are scored also chose the checkpoint, so expect optimism."
        )
    return tuple(notes)


def _finished_before(job: StudyJob) -> dict[StudyModel, StudyModelResult]:
    """Results in study.json that are still up to date; a study.json of another version is ignored."""
    try:
        before = read_study(job.folder)
    except CervsegError:
        return {}
    if (before.dataset, before.scored_on) != (job.name, job.scored_on):
        return {}
    wanted = set(job.models)
    return {
        result.model: result
        for result in before.models
        if result.model in wanted and result.folds == job.folds and job.is_scored(result.model)
    }


def _read_plan(workspace: Workspace, name: str, *, preset: str) -> Plan | None:
    path = workspace.plan_file(name)
    plan = read_plan(path) if path.is_file() else None
    if plan is not None and preset not in ("", plan.preset):
        raise PlanError(
            f'planned with the preset "{plan.preset}", but the study requests "{preset}"',
            where=name,
            hint=f"omit --preset, or run cervseg_plan_and_preprocess --preset {preset} first",
        )
    return plan


def _is_prepared(workspace: Workspace, name: str, variant: str) -> bool:
    try:
        CaseStore(folder=workspace.preprocessed(name) / variant).cases()
    except CervsegError:
        return False
    return True
