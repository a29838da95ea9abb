"""READ FIRST. Every stage of cervseg, one step a line; only this file joins the rooms.

    raw films -> fingerprint -> plan -> cache -> network -> masks -> scores

Each function is what one command does, callable from Python.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cervseg.core.errors import DatasetError
from cervseg.core.jsonio import write_json
from cervseg.core.options import PredictOptions, Say, TrainOptions
from cervseg.core.paths import Workspace
from cervseg.core.types import Case, Plan
from cervseg.core.workers import Outcome

if TYPE_CHECKING:
    from cervseg.catalogue import TrainerCard


def _quiet(_text: str) -> None:
    """Where messages go when nobody listens."""


def plan_and_preprocess(
    dataset: str | int,
    *,
    workspace: Workspace,
    preset: str = "default",
    settings: Mapping[str, str] | None = None,
    variants: Sequence[str] = ("original",),
    workers: int | None = None,
    replan: bool = False,
    verbose: bool = False,
    progress: bool = True,
    say: Say = _quiet,
) -> Plan:
    """Verify a dataset, measure it, plan for it and this machine, and fill the cache.

    A plan that was changed by hand, in its file or by ``settings`` before, is kept, unless ``replan``,
    ``preset`` or ``settings`` ask for a new one.
    An interrupted run goes on where it stopped. ``verbose`` says the reasons of every configuration.

    Raises:
        DatasetError: something is wrong with the films or masks; all findings are in the message.
        PlanError: a setting is unknown or impossible.
    """
    from cervseg.dataset.description import list_cases, read_description
    from cervseg.dataset.splits import make_folds, write_folds
    from cervseg.dataset.verify import verify_dataset
    from cervseg.planning.fingerprint import compute_fingerprint
    from cervseg.planning.hardware import detect_hardware
    from cervseg.planning.planfile import edited, read_plan, settings_by_hand, write_plan
    from cervseg.planning.planner import make_plan
    from cervseg.planning.table import plan_table
    from cervseg.preprocessing.cache import fill_cache
    from cervseg.preprocessing.store import CaseStore

    name = workspace.dataset_name(dataset)
    hardware = detect_hardware()
    workers = workers if workers is not None else hardware.num_cores
    description = read_description(workspace.raw(name))
    cases = list_cases(workspace.raw(name), description, split="Tr")
    for warning in verify_dataset(workspace.raw(name), description, workers=workers, progress=progress):
        say(f"note: {warning}")

    plan_file, fingerprint_file = _plan_files(workspace, name)
    kept = read_plan(plan_file) if plan_file.is_file() and not (replan or settings) else None
    by_hand = kept is not None and (edited(kept) or settings_by_hand(kept))
    if kept is not None and by_hand and preset == kept.preset:
        plan = replace(kept, variants=tuple(variants))
        say(f"{plan_file} was changed by hand and is kept (--replan makes a new one).")
    else:
        fingerprint = compute_fingerprint(
            cases,
            labels=description.foreground,
            workers=workers,
            progress=progress,
            spacing_mm=description.spacing_mm,
        )
        write_json(fingerprint_file, fingerprint)
        plan = make_plan(
            description=description,
            fingerprint=fingerprint,
            hardware=hardware,
            preset=preset,
            variants=tuple(variants),
            sam_checkpoint=_sam_checkpoint() is not None,
            overrides=settings or {},
        )
        write_plan(plan_file, plan)
    say(plan_table(plan, plan.configurations if verbose else None))

    for variant in variants:
        outcomes = fill_cache(
            cases,
            store=CaseStore(folder=workspace.preprocessed(name) / variant),
            variant=variant,
            labels=description.foreground,
            cache_long_side_px=plan.cache_long_side_px,
            spacing_mm=description.spacing_mm,
            workers=workers,
            progress=progress,
        )
        _raise_failures(outcomes)
    splits_file = workspace.preprocessed(name) / "splits_final.json"
    if not splits_file.is_file():
        write_folds(splits_file, make_folds(cases))
    say(f"{len(cases)} cases are ready in {workspace.preprocessed(name)}")
    return plan


def train(
    dataset: str | int, trainer: str, *, workspace: Workspace, options: TrainOptions, say: Say = _quiet
) -> Path:
    """Train a trainer's folds, validate each at the films' own size, and summarize; returns the model folder.

    Finished folds are skipped and unfinished ones go on; ``options.go_on`` trains finished ones further (more
    epochs or time), ``options.restart`` begins anew.
    """
    from cervseg.crossval.fold import train_fold
    from cervseg.crossval.job import CrossValidation
    from cervseg.crossval.validation import summarize_folds
    from cervseg.inference.models import remember_last

    name = workspace.dataset_name(dataset)
    deadline = None if options.max_time_s is None else time.monotonic() + options.max_time_s
    job = CrossValidation.make(name, trainer, workspace=workspace, options=options)
    job.describe()
    todo = []
    for fold in job.wanted_folds(options.folds):
        if job.is_finished(fold) and not (options.go_on or options.restart):
            say(f"fold {fold} is finished; skipped")
        else:
            todo.append(fold)
    for position, fold in enumerate(todo):
        left_s = None if deadline is None else (deadline - time.monotonic()) / (len(todo) - position)
        train_fold(job, fold, max_time_s=left_s, say=say)
    summarize_folds(job, say=say)
    remember_last(workspace, job.model)
    return job.model


def predict(
    images: Path,
    output: Path,
    *,
    model: Path,
    options: PredictOptions,
    progress: bool = True,
    say: Say = _quiet,
) -> Any:
    """Segment a film or a folder of films into ``output``; returns a ``StreamReport``.

    A run that was killed goes on when it is repeated: masks that are there are whole.

    Raises:
        ImageError: there is no film. CheckpointError: the model cannot be loaded. CervsegError: the model
            segments what points mark and there are none, or they cannot be read.
    """
    from cervseg.inference.jobs import list_jobs
    from cervseg.inference.predictor import Predictor, checkpoint_files
    from cervseg.inference.prompts import read_prompts
    from cervseg.inference.run_record import RunRecord
    from cervseg.inference.stream import StreamOptions, predict_stream
    from cervseg.reporting.overlays import write_overlay

    files = checkpoint_files(model, folds=options.folds)
    predictor = Predictor.from_files(files, device=options.device, precision=options.precision)
    jobs = list_jobs(images, output, num_channels=len(predictor.dataset.channel_names))
    prompts = read_prompts(
        points=options.points,
        masks=options.prompts_from,
        labels=predictor.dataset.foreground,
        wanted=predictor.takes_points,
        output=output,
    )
    record = RunRecord.make(
        files,
        tta=options.tta,
        precision=predictor.precision,
        device=str(predictor.device),
        save_probabilities=options.save_probabilities,
        prompts=prompts,
    )
    finished = record.finished_masks(output, any_run=options.go_on)
    finished = {job.mask for job in jobs} & finished
    jobs = [job for job in jobs if job.mask not in finished]
    say(f"{len(files)} network(s), {predictor.precision} on {predictor.device}, {len(jobs)} film(s)")
    if prompts is not None:
        say(f"prompts: {prompts.source}")
    if finished:
        say(f"{len(finished)} film(s) are done already; skipped")

    def draw(pixels: Any, prediction: Any, mask: Path) -> None:
        names = {value: label for label, value in predictor.dataset.foreground.items()}
        write_overlay(output / "overlays" / f"{mask.stem}.png", pixels, prediction.mask, names=names)

    stream = StreamOptions(
        tta=options.tta,
        probabilities=options.save_probabilities,
        draw=draw if options.overlay else None,
        prompts=prompts,
    )
    record.begin(output)
    report = predict_stream(predictor, jobs, options=stream, progress=progress)
    record.end(output, failed=[reason for _, reason in report.failed], film_s=report.film_s)
    return report


def export(model: Path, output: Path, *, folds: Sequence[str] | None = None, say: Say = _quiet) -> Any:
    """Write the networks of a model, averaged, as one ONNX file; returns an ``OnnxExport``.

    Raises:
        CheckpointError: the model has no such fold. CervsegError: it cannot be written in ONNX.
    """
    from cervseg.inference.predictor import checkpoint_files
    from cervseg.sharing.onnx import export_onnx

    files = checkpoint_files(model, folds=folds)
    made = export_onnx(files, output)
    for name, shape in made.inputs.items():
        say(f"input {name}: {' x '.join(map(str, shape))}")
    say(f"{len(files)} network(s); ONNX Runtime answers within {made.difference:.0e} of them")
    say(f"written: {output}")
    return made


def evaluate(
    predictions: Path,
    references: Path,
    *,
    output: Path,
    labels: Mapping[str, int] | None = None,
    workers: int | None = None,
    progress: bool = True,
) -> Any:
    """Score a folder of masks against references and write summary.json; returns an ``Evaluation``."""
    from cervseg.evaluation.evaluate import evaluate_folders
    from cervseg.evaluation.summary import write_summary
    from cervseg.inference.prompts import prompts_of

    evaluation = evaluate_folders(
        predictions=predictions,
        references=references,
        labels=labels,
        workers=workers if workers is not None else (os.cpu_count() or 1),
        probabilities=predictions,
        spacing_mm=None,
        prompts=prompts_of(predictions, references=references),
        progress=progress,
    )
    write_summary(output, evaluation.summary)
    return evaluation


def list_trainers(
    name: str | None = None, *, workspace: Workspace, dataset: str | int | None = None
) -> list[TrainerCard]:
    """Describe one trainer or all, as the plan of a dataset has them; by default at the published sizes.

    Raises:
        PluginError: there is no trainer of that name. PlanError: the dataset has no plan.
    """
    from cervseg.catalogue import describe_trainers, published_plan
    from cervseg.core.registry import TRAINERS, available, find
    from cervseg.planning.planfile import read_plan

    names = [find(TRAINERS, name).name] if name is not None else list(available(TRAINERS))
    if dataset is None:
        return describe_trainers(names, published_plan())
    plan_file, _ = _plan_files(workspace, workspace.dataset_name(dataset))
    return describe_trainers(names, read_plan(plan_file))


def _plan_files(workspace: Workspace, name: str) -> tuple[Path, Path]:
    folder = workspace.plans(name)
    return folder / "plans.json", folder / "dataset_fingerprint.json"


def _sam_checkpoint() -> Path | None:
    from cervseg.networks.published import SAM_VIT_B, default_folder

    path = default_folder() / SAM_VIT_B.filename
    return path if path.is_file() else None


def _raise_failures(outcomes: Sequence[Outcome[Case, bool]]) -> None:
    failed = [outcome for outcome in outcomes if outcome.error is not None]
    if failed:
        lines = "\n".join(f"  {outcome.item.id}: {outcome.error}" for outcome in failed[:20])
        raise DatasetError(f"{len(failed)} case(s) could not be preprocessed:\n{lines}")
