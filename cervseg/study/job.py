"""The options of a study, and the folders and state of its models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from cervseg.core.errors import DatasetError
from cervseg.core.folders import FoldFolder, ModelFolder, PredictionFolder, StudyFolder
from cervseg.core.jsonio import read_dataclass
from cervseg.core.paths import Workspace
from cervseg.core.registry import NETWORKS, TRAINERS, load
from cervseg.core.study import ScoredOn, StudyModel
from cervseg.core.types import Case, Plan
from cervseg.dataset.description import list_cases
from cervseg.dataset.splits import read_folds
from cervseg.inference.run_record import RunRecord, finished_run
from cervseg.study.paper import ABLATIONS
from cervseg.trainers.catalogue import set_up
from cervseg.training.engine import FitResult


@dataclass(frozen=True, kw_only=True)
class StudyOptions:
    """The models of a study and how to train them.

    Args:
        trainers: names, in the order of the tables' rows.
        variants: variants of the dataset.
        seeds: every trainer trains every variant once per seed.
        scored_on: "test" or "folds"; by default test images if the dataset has any with masks.
        folds: folds to train; by default fold 0 for test images and every fold for folds.
        max_time_s: time limit of all training together; models that are not trained yet share it.
        preset: preset of the plan if the dataset has no plan yet; empty for the existing plan's.
        settings: replace settings of the plan, for every model.
        device: "cpu", "cuda", "cuda:1", "mps"; by default the best available.
        from_scratch: use random initialization even if pretrained weights are available.
        manual_times: CSV of annotation times, for the figure that compares them with the models' times.
    """

    trainers: Sequence[str]
    variants: Sequence[str] = ("original",)
    seeds: Sequence[int] = (0,)
    scored_on: ScoredOn | None = None
    folds: Sequence[str] | None = None
    max_time_s: float | None = None
    preset: str = ""
    settings: dict[str, str] = field(default_factory=dict)
    device: str | None = None
    from_scratch: bool = False
    manual_times: Path | None = None


@dataclass(frozen=True, kw_only=True)
class StudyJob:
    """A study of one dataset: its models, their images and folders.

    Args:
        workspace: of the dataset and its models.
        name: of the dataset.
        plan: of the dataset.
        options: of the user.
        scored_on: the images to score on.
        folds: that each model trains.
    """

    workspace: Workspace
    name: str
    plan: Plan
    options: StudyOptions
    scored_on: ScoredOn
    folds: tuple[str, ...]

    @classmethod
    def make(cls, name: str, *, workspace: Workspace, plan: Plan, options: StudyOptions) -> StudyJob:
        """Find out what the options leave open: the images to score on, and the folds.

        Raises:
            DatasetError: test images are requested and there are none with masks.
        """
        scored_on = _scored_on(workspace.raw(name), options.scored_on)
        if options.folds is not None:
            folds = tuple(str(fold) for fold in options.folds)
        elif scored_on == "test":
            folds = ("0",)
        else:
            folds = tuple(map(str, range(len(read_folds(workspace.splits_file(name))))))
        return cls(
            workspace=workspace, name=name, plan=plan, options=options, scored_on=scored_on, folds=folds
        )

    @property
    def folder(self) -> StudyFolder:
        """The folder of tables and figures."""
        return self.workspace.study(self.name)

    @property
    def results(self) -> Path:
        """The folder of the dataset's models."""
        return self.folder.path.parent

    @property
    def raw(self) -> Path:
        """The raw dataset."""
        return self.workspace.raw(self.name)

    @property
    def has_phantoms(self) -> bool:
        """Whether the images are synthetic."""
        return self.plan.dataset.synthetic or (self.raw / "phantoms").is_dir()

    @property
    def split(self) -> Literal["Tr", "Ts"]:
        """The half of the raw dataset that holds the images: training or test."""
        return "Ts" if self.scored_on == "test" else "Tr"

    @property
    def images(self) -> str:
        """The folder of the images, relative to the raw dataset."""
        return f"images{self.split}"

    @property
    def references(self) -> str:
        """The folder of their masks, relative to the raw dataset."""
        return f"labels{self.split}"

    def cases(self) -> list[Case]:
        """The cases to score on, sorted by id."""
        return list_cases(self.raw, self.plan.dataset, split=self.split)

    @property
    def models(self) -> list[StudyModel]:
        """Every model of the study, variant by variant; ablations are trained on the first variant only."""
        first = self.options.variants[0]
        return [
            StudyModel(trainer=trainer, variant=variant, seed=seed)
            for variant in self.options.variants
            for trainer in self.options.trainers
            for seed in self.options.seeds
            if variant == first or trainer not in ABLATIONS
        ]

    def model_folder(self, model: StudyModel) -> ModelFolder:
        """The model's folder."""
        return self.workspace.model(self.name, model.trainer, model.variant, seed=model.seed)

    def checkpoints(self, model: StudyModel) -> list[Path]:
        """The checkpoints whose networks are averaged, or whose validations are pooled."""
        return [fold.best for fold in self.fold_folders(model)]

    def fold_folders(self, model: StudyModel) -> list[FoldFolder]:
        """The folders of the folds that each model trains."""
        return [self.model_folder(model).fold(fold) for fold in self.folds]

    def untrained(self, model: StudyModel) -> list[str]:
        """The folds whose training or validation is not finished."""
        return [fold.fold for fold in self.fold_folders(model) if not fold.finished.is_file()]

    def train_s(self, model: StudyModel) -> float:
        """Training time of the folds in seconds."""
        return sum(read_dataclass(FitResult, fold.finished).elapsed_s for fold in self.fold_folders(model))

    def masks(self, model: StudyModel) -> list[PredictionFolder]:
        """The folders for the model's masks of the study's images, whether they exist or not."""
        if self.scored_on == "test":
            return [self.folder.predictions(self.model_folder(model))]
        return [fold.validation for fold in self.fold_folders(model)]

    def summary(self, model: StudyModel) -> Path:
        """The file for the scores on the study's images, whether it exists or not."""
        return self.folder.predictions(self.model_folder(model)).summary

    def predictions(self, model: StudyModel) -> list[RunRecord]:
        """The records of the masks, one per folder; empty unless the current checkpoints made all masks."""
        files = self.checkpoints(model)
        if not all(path.is_file() for path in files):
            return []
        groups = [files] if self.scored_on == "test" else [[path] for path in files]
        records = [
            finished_run(folder.path, group) for folder, group in zip(self.masks(model), groups, strict=True)
        ]
        found = [record for record in records if record is not None and not record.failed]
        return found if len(found) == len(records) else []

    def is_scored(self, model: StudyModel) -> bool:
        """Whether there are scores that are newer than the masks and the references."""
        summary = self.summary(model)
        if not self.predictions(model) or not summary.is_file():
            return False
        references = self.raw / self.references
        made = [*references.iterdir(), *(masks.record for masks in self.masks(model))]
        return summary.stat().st_mtime_ns >= max(path.stat().st_mtime_ns for path in made)

    def takes_points(self, model: StudyModel) -> bool:
        """Whether its network takes points as prompts."""
        trainer, plan = set_up(model.trainer, self.plan, settings=self.settings(model))
        return bool(getattr(load(NETWORKS, trainer.network_spec(plan).name), "takes_points", False))

    def settings(self, model: StudyModel) -> dict[str, str]:
        """The settings that replace the plan's for this model; those of other configurations are left out."""
        own = load(TRAINERS, model.trainer).configuration
        others = self.plan.configurations.keys() - {own}
        wanted = {k: v for k, v in self.options.settings.items() if k.partition(".")[0] not in others}
        return {**wanted, "seed": str(model.seed)}


def _scored_on(raw: Path, wanted: ScoredOn | None) -> ScoredOn:
    """The images to score on: by default the held-out ones, where there are any with masks."""
    has_test = all((raw / part).is_dir() and any((raw / part).iterdir()) for part in ("imagesTs", "labelsTs"))
    if wanted == "test" and not has_test:
        raise DatasetError(
            "no held-out images with masks",
            where=raw,
            hint="put them into imagesTs and labelsTs, or use --score-on folds",
        )
    return wanted or ("test" if has_test else "folds")
