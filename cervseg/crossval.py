"""The folds of one model: train, predict and score their films, summarize; a join like pipeline.py."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from cervseg.core.errors import DatasetError, PlanError, PluginError
from cervseg.core.jsonio import read_dataclass, write_json
from cervseg.core.options import Say, TrainOptions
from cervseg.core.paths import Workspace, remove_leftovers
from cervseg.core.provenance import run_info
from cervseg.core.registry import TRAINERS, load
from cervseg.core.types import Case, Configuration, Hyperparameters, Plan
from cervseg.dataset.description import list_cases
from cervseg.dataset.splits import Fold, check_folds, read_folds
from cervseg.evaluation.evaluate import evaluate_folders
from cervseg.evaluation.summary import combine_folds, read_summary, write_summary
from cervseg.inference.predictor import Predictor
from cervseg.inference.prompts import ORACLE, MaskFolder, prompts_of
from cervseg.inference.run_record import RunRecord
from cervseg.inference.stream import FilmJob, StreamOptions, predict_stream
from cervseg.networks.base import build_network, num_parameters
from cervseg.networks.device import choose_device, choose_precision
from cervseg.networks.published import default_folder
from cervseg.networks.weights import load_pretrained, read_checkpoint
from cervseg.planning.planfile import read_plan, write_plan
from cervseg.planning.settings import configure
from cervseg.preprocessing.store import CaseStore
from cervseg.reporting.figures import progress_figure
from cervseg.reporting.tables import score_table
from cervseg.training.checkpoint import BEST, LATEST, model_content
from cervseg.training.data import BatchPlan, FrameSource
from cervseg.training.distillation import Teacher
from cervseg.training.engine import FitResult, fit
from cervseg.training.logbook import Logbook
from cervseg.training.precision import autocast
from cervseg.training.trainable import choose_trained, freezes, num_trained
from cervseg.training.trainer import Trainer

FIGURE_EVERY_S = 60.0


@dataclass(frozen=True, kw_only=True)
class CrossValidation:
    """Everything that the folds of one model share."""

    workspace: Workspace
    name: str
    trainer_name: str
    trainer: Trainer
    plan: Plan
    configuration: Configuration
    cases: Mapping[str, Case]
    folds: tuple[Fold, ...]
    options: TrainOptions

    @classmethod
    def make(
        cls, name: str, trainer_name: str, *, workspace: Workspace, options: TrainOptions
    ) -> CrossValidation:
        """Read the plan, the cases and the splits, and apply the trainer's and the user's settings."""
        trainer = load(TRAINERS, trainer_name)()
        if not isinstance(trainer, Trainer):
            raise PluginError(f"{trainer_name} is not a Trainer", mend="It must subclass cervseg's Trainer.")
        plan = read_plan(workspace.plans(name) / "plans.json")
        if trainer.configuration not in plan.configurations:
            raise PlanError(
                f"the plan has no configuration {trainer.configuration!r}, which {trainer_name} wants",
                mend="Run cervseg_plan_and_preprocess --replan.",
            )
        settings = {**trainer.settings, **(options.settings or {})}
        configuration = configure(plan.configurations[trainer.configuration], settings)
        plan = replace(plan, configurations={**plan.configurations, trainer.configuration: configuration})
        store = CaseStore(folder=workspace.preprocessed(name) / options.variant)
        known = set(store.cases())
        cases = list_cases(workspace.raw(name), plan.dataset, split="Tr")
        folds = read_folds(workspace.preprocessed(name) / "splits_final.json")
        check_folds(folds, [case for case in cases if case.id in known])
        return cls(
            workspace=workspace,
            name=name,
            trainer_name=trainer_name,
            trainer=trainer,
            plan=plan,
            configuration=configuration,
            cases={case.id: case for case in cases if case.id in known},
            folds=folds,
            options=options,
        )

    @property
    def model(self) -> Path:
        """The model's folder."""
        return self.workspace.model(self.name, self.trainer_name, self.options.variant)

    @property
    def store(self) -> CaseStore:
        """The cache of the variant that is trained on."""
        return CaseStore(folder=self.workspace.preprocessed(self.name) / self.options.variant)

    def folder(self, fold: str) -> Path:
        """The folder of one fold."""
        return self.model / f"fold_{fold}"

    def is_finished(self, fold: str) -> bool:
        """Has this fold been trained and validated to the end?"""
        return (self.folder(fold) / "finished.json").is_file()

    @property
    def weights(self) -> Path | None:
        """The file that training starts from: the named one, else the trainer's published one if at hand."""
        if self.options.weights is not None or self.options.from_scratch:
            return self.options.weights
        published = self.trainer.pretrained(self.plan)
        at_hand = None if published is None else default_folder() / published.filename
        return at_hand if at_hand is not None and at_hand.is_file() else None

    def wanted_folds(self, asked: Sequence[str] | None) -> list[str]:
        """The folds to train, as names.

        Raises:
            DatasetError: a fold is asked for that the splits do not have.
        """
        every = [str(number) for number in range(len(self.folds))]
        wanted = every if asked is None else [str(fold) for fold in asked]
        unknown = [fold for fold in wanted if fold not in every and fold != "all"]
        if unknown:
            raise DatasetError(f"no fold {unknown[0]!r}", mend=f"There are: {', '.join(every)} and all.")
        return wanted

    def split(self, fold: str) -> tuple[list[str], list[str]]:
        """(training, validation) case ids; "all" trains on everything and validates on nothing."""
        if fold == "all":
            return sorted(self.cases), []
        return sorted(self.folds[int(fold)].train), sorted(self.folds[int(fold)].val)

    def describe(self) -> None:
        """Write what the model is made from, before anything is trained."""
        write_json(
            self.model / "trainer.json", {"trainer": self.trainer_name, "configuration": self.configuration}
        )
        write_json(self.model / "dataset.json", self.plan.dataset)
        write_plan(self.model / "plans.json", self.plan)


def train_fold(job: CrossValidation, fold: str, *, max_time_s: float | None, say: Say) -> None:
    """Train one fold inside ``max_time_s``, validation of its films included."""
    started = time.monotonic()
    folder, (train_ids, val_ids) = job.folder(fold), job.split(fold)
    device = choose_device(job.options.device)
    teacher = _teacher(job, fold, device=device, say=say)
    folder.mkdir(parents=True, exist_ok=True)
    hyper = job.configuration.hyperparameters
    if device.type == "cpu" and hyper.precision == "float16":
        hyper = replace(hyper, precision=choose_precision(device))
    spec = job.trainer.network_spec(job.plan)
    torch.manual_seed(hyper.seed)
    network = build_network(spec)
    started_from = _start(job, network, folder, say=say)
    choose_trained(network, hyper)
    if freezes(hyper) and "random weights" in started_from.values():
        say("note: what is frozen of the encoder has random weights; --weights names a file of better ones")
    # Nothing of a former run is deleted before this one is known to be possible.
    if job.options.restart:
        for name in (LATEST, BEST, "log.jsonl", "finished.json", "summary.json"):
            (folder / name).unlink(missing_ok=True)
    remove_leftovers(folder)
    if job.is_finished(fold):  # only --continue trains a finished fold: its time comes on top of what it had
        before = read_dataclass(FitResult, folder / "finished.json")
        max_time_s = None if max_time_s is None else max_time_s + before.elapsed_s
        (folder / "finished.json").unlink()
    network = network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    height, width = job.configuration.input_size
    num_all, num_training = num_parameters(network), num_trained(network)
    trained = f" ({num_training / 1e6:.2f} M train)" if num_training < num_all else ""
    say(
        f"fold {fold}: {spec.name}, {num_all / 1e6:.2f} M parameters{trained}, input "
        f"{height} x {width}, {hyper.precision} on {device}; "
        f"{len(train_ids)} films to train on, {len(val_ids)} to validate"
    )
    if getattr(network, "takes_points", False):
        say(f"prompts: {ORACLE}")
    training = _training_batches(job, train_ids, teacher=teacher)
    validation = replace(training, cases=val_ids, ranges=None, teacher=None) if val_ids else None
    model = model_content(
        trainer=job.trainer_name,
        plan=job.plan,
        configuration=replace(job.configuration, hyperparameters=hyper),
        spec=spec,
        variant=job.options.variant,
        fold=fold,
        run=run_info(seed=hyper.seed, device=str(device), started_from=started_from),
        teacher="" if teacher is None else teacher.name,
    )
    if max_time_s is not None:
        reserve_s = _validation_time_s(
            job.trainer, network, training, num_films=len(val_ids), hyper=hyper, device=device
        )
        max_time_s = max(1.0, max_time_s - (time.monotonic() - started) - reserve_s)
    result = fit(
        job.trainer,
        network=network,
        loss=job.trainer.loss(job.plan).to(device),
        optimizer=job.trainer.optimizer(network, job.plan),
        hyper=hyper,
        training=training,
        validation=validation,
        model=model,
        folder=folder,
        device=device,
        label=f"{job.trainer_name} fold {fold}",
        teacher=teacher,
        feature_bytes=int(0.25 * job.plan.hardware.ram_gib * 2**30),
        max_time_s=max_time_s,
        on_epoch=_Figure(folder / "progress.png"),
        say=say,
    )
    _Figure(folder / "progress.png").draw_now(folder / "log.jsonl")
    if val_ids:
        validate_fold(job, fold, say=say)
    write_json(folder / "finished.json", result)


def _training_batches(job: CrossValidation, cases: Sequence[str], *, teacher: Teacher | None) -> BatchPlan:
    """Shuffled, augmented batches of these cases; frames stay in memory up to a quarter of it."""
    hyper = job.configuration.hyperparameters
    source = FrameSource(
        job.store,
        configuration=job.configuration,
        labels=job.plan.dataset.foreground,
        memory_bytes=int(0.25 * job.plan.hardware.ram_gib * 2**30),
    )
    view = None
    if teacher is not None:
        view = FrameSource(
            CaseStore(folder=job.workspace.preprocessed(job.name) / teacher.variant),
            configuration=teacher.configuration,
            labels=job.plan.dataset.foreground,
            memory_bytes=int(0.125 * job.plan.hardware.ram_gib * 2**30),
        )
    return BatchPlan(
        source=source,
        cases=cases,
        batch_size=hyper.batch_size,
        num_workers=hyper.num_workers,
        ranges=job.configuration.augmentation,
        seed=hyper.seed,
        teacher=view,
    )


def _teacher(job: CrossValidation, fold: str, *, device: torch.device, say: Say) -> Teacher | None:
    """Who teaches this fold; None where nobody is asked to."""
    model, (train_ids, val_ids) = job.options.teacher, job.split(fold)
    if model is None:
        return None
    if model.resolve() == job.model.resolve():
        raise PlanError("a model cannot teach itself", where=model, mend="Move the teacher elsewhere first.")
    teacher = Teacher.from_folder(
        model.resolve(),
        dataset=job.plan.dataset,
        fold=fold,
        validated=val_ids,
        weight=job.configuration.hyperparameters.distill_weight,
        device=device,
    )
    prepared = CaseStore(folder=job.workspace.preprocessed(job.name) / teacher.variant).cases()
    if not set(train_ids) <= set(prepared):
        raise DatasetError(f"the teacher's variant {teacher.variant} lacks films", mend="Prepare it again.")
    say(f"teacher: {teacher.name}")
    return teacher


def validate_fold(job: CrossValidation, fold: str, *, say: Say) -> None:
    """Predict the validation films of a fold with its best checkpoint and score them at their own size."""
    folder = job.folder(fold)
    cases = [job.cases[case] for case in job.split(fold)[1]]
    predictor = Predictor.from_files([folder / BEST], device=job.options.device)
    references, prompts = job.workspace.raw(job.name) / "labelsTr", None
    if predictor.takes_points:  # it is shown where the structures are, and its scores say so
        prompts = MaskFolder.read(references, labels=job.plan.dataset.foreground)
    films = [FilmJob(images=case.images, mask=folder / "validation" / f"{case.id}.png") for case in cases]
    report = predict_stream(predictor, films, options=StreamOptions(probabilities=False, prompts=prompts))
    if report.failed:
        raise DatasetError(f"{len(report.failed)} validation film(s) failed: {report.failed[0][1]}")
    record = RunRecord.make(
        [folder / BEST], tta=False, precision=predictor.precision, save_probabilities=False, prompts=prompts
    )
    record.end(folder / "validation", failed=[])
    evaluation = evaluate_folders(
        predictions=folder / "validation",
        references=references,
        labels=job.plan.dataset.foreground,
        workers=1,
        probabilities=None,
        spacing_mm={case.id: mm for case in cases if (mm := job.store.record(case.id).spacing_mm)},
        only={case.id for case in cases},
        prompts=prompts_of(folder / "validation", references=references),
        progress=True,
    )
    write_summary(folder / "summary.json", evaluation.summary)
    say(f"fold {fold}, best checkpoint on {len(cases)} validation films, at their own size:")
    say(score_table(evaluation.summary))


def summarize_folds(job: CrossValidation, *, say: Say) -> None:
    """Write crossval_summary.json over the folds that are finished."""
    done = [str(k) for k in range(len(job.folds)) if job.is_finished(str(k))]
    summaries = [read_summary(job.folder(fold) / "summary.json") for fold in done]
    if summaries:
        combined = combine_folds(summaries)
        write_summary(job.model / "crossval_summary.json", combined)
        if len(summaries) > 1:
            say(f"all {len(summaries)} of {len(job.folds)} folds:")
            say(score_table(combined))


class _Figure:
    """Draws progress.png after an epoch, but not more often than it is worth."""

    def __init__(self, path: Path) -> None:
        self._path, self._next = path, time.monotonic() + FIGURE_EVERY_S

    def __call__(self, rows: list[dict[str, Any]]) -> None:
        if time.monotonic() >= self._next:
            progress_figure(rows, self._path)
            self._next = time.monotonic() + FIGURE_EVERY_S

    def draw_now(self, log: Path) -> None:
        progress_figure(Logbook(path=log).rows(), self._path)


def _start(job: CrossValidation, network: torch.nn.Module, folder: Path, *, say: Say) -> dict[str, str]:
    """Give a fresh network its first weights; returns what each part of it started from."""
    if (folder / LATEST).is_file() and not job.options.restart:  # the loop goes on from there
        return dict(read_checkpoint(folder / LATEST)["run"]["started_from"])
    if job.weights is not None:
        report = load_pretrained(network, job.weights)
        say(f"weights: {report}")
        return {"network": str(report)}
    started = dict(job.trainer.start(network, job.plan, pretrained=not job.options.from_scratch))
    for part, source in started.items():
        say(f"{part}: {source}")
    return started or {"network": "random weights"}


@torch.no_grad()
def _validation_time_s(
    trainer: Trainer,
    network: torch.nn.Module,
    training: BatchPlan,
    *,
    num_films: int,
    hyper: Hyperparameters,
    device: torch.device,
) -> float:
    """How long the final validation will take, by a trial: one forward pass and some work on the film."""
    if not num_films:
        return 0.0
    network.eval()  # a trial must not move a norm's statistics
    batch = next(iter(replace(training, batch_size=1, ranges=None, teacher=None).epoch(0))).to(device)
    for _ in range(2):
        started = time.monotonic()
        with autocast(device, hyper.precision):
            trainer.logits(network, batch)
    return 10.0 + 1.3 * num_films * (time.monotonic() - started + 0.15)
