"""What a study was asked for, and where each of its models lies and stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cervseg.core.errors import DatasetError
from cervseg.core.jsonio import read_dataclass
from cervseg.core.paths import FoldFolder, ModelFolder, PredictionFolder, StudyFolder, Workspace
from cervseg.core.registry import NETWORKS, TRAINERS, load
from cervseg.core.study import FOLDS, TEST, Cell
from cervseg.core.types import Plan
from cervseg.dataset.splits import read_folds
from cervseg.inference.run_record import RunRecord, finished_run
from cervseg.study.paper import ABLATIONS
from cervseg.trainers.catalogue import set_up
from cervseg.training.engine import FitResult


@dataclass(frozen=True, kw_only=True)
class StudyOptions:
    """What a user may ask of a study.

    Args:
        trainers: names, in the order of the tables' rows.
        variants: of the dataset.
        seeds: each trains every trainer on every variant once more.
        images: "test", "folds", or None: test images where there are any with masks.
        folds: to train; None is fold 0 for test images and every fold for folds.
        max_time_s: bounds the whole study; models that are not trained yet share it.
        preset: of the plan, where there is none yet; empty is the plan's own.
        settings: overrule the plan, for every model.
        device: to compute on; None is the best there is.
        from_scratch: start from random weights, whatever is at hand.
        manual_times: CSV of annotation times, for the figure that compares them with the models'.
    """

    trainers: Sequence[str]
    variants: Sequence[str] = ("original",)
    seeds: Sequence[int] = (0,)
    scored_on: str | None = None
    folds: Sequence[str] | None = None
    max_time_s: float | None = None
    preset: str = ""
    settings: dict[str, str] = field(default_factory=dict)
    device: str | None = None
    from_scratch: bool = False
    manual_times: Path | None = None


@dataclass(frozen=True, kw_only=True)
class StudyJob:
    """A study of one dataset: its cells, their images and their folders."""

    workspace: Workspace
    name: str
    plan: Plan
    options: StudyOptions

    @property
    def folder(self) -> StudyFolder:
        """Where the study's tables and figures go."""
        return self.workspace.study(self.name)

    @property
    def scored_on(self) -> str:
        """The images to score on.

        Raises:
            DatasetError: test images are asked for and there are none with masks.
        """
        raw = self.workspace.raw(self.name)
        has_test = all(
            (raw / part).is_dir() and any((raw / part).iterdir()) for part in ("imagesTs", "labelsTs")
        )
        if self.options.scored_on == TEST and not has_test:
            raise DatasetError(
                "there are no held-out images with masks",
                where=raw,
                hint="Put them into imagesTs and labelsTs, or study the folds with --score-on folds.",
            )
        return self.options.scored_on or (TEST if has_test else FOLDS)

    @property
    def has_phantoms(self) -> bool:
        """Are the images synthetic?"""
        return (self.workspace.raw(self.name) / "phantoms").is_dir()

    @property
    def images(self) -> str:
        """The folder of the images, below the raw dataset."""
        return "imagesTs" if self.scored_on == TEST else "imagesTr"

    @property
    def references(self) -> str:
        """The folder of their masks, below the raw dataset."""
        return "labelsTs" if self.scored_on == TEST else "labelsTr"

    @property
    def cells(self) -> list[Cell]:
        """Every model of the study, variant by variant; ablations learn on the first variant only."""
        first = self.options.variants[0]
        return [
            Cell(trainer=trainer, variant=variant, seed=seed)
            for variant in self.options.variants
            for trainer in self.options.trainers
            for seed in self.options.seeds
            if variant == first or trainer not in ABLATIONS
        ]

    @property
    def folds(self) -> tuple[str, ...]:
        """The folds that each model trains."""
        if self.options.folds is not None:
            return tuple(str(fold) for fold in self.options.folds)
        if self.scored_on == TEST:
            return ("0",)
        splits = read_folds(self.workspace.splits_file(self.name))
        return tuple(str(number) for number in range(len(splits)))

    def model(self, cell: Cell) -> ModelFolder:
        """The model's folder."""
        return self.workspace.model(self.name, cell.trainer, cell.variant, seed=cell.seed)

    def checkpoints(self, cell: Cell) -> list[Path]:
        """The files whose networks are averaged, or whose validations are pooled."""
        return [fold.best for fold in self.fold_folders(cell)]

    def fold_folders(self, cell: Cell) -> list[FoldFolder]:
        """The folders of the folds that each model trains."""
        return [self.model(cell).fold(fold) for fold in self.folds]

    def untrained(self, cell: Cell) -> list[str]:
        """The folds that are not trained and validated to the end yet."""
        return [fold.fold for fold in self.fold_folders(cell) if not fold.finished.is_file()]

    def train_s(self, cell: Cell) -> float:
        """Seconds that training the folds took."""
        return sum(read_dataclass(FitResult, fold.finished).elapsed_s for fold in self.fold_folders(cell))

    def masks(self, cell: Cell) -> list[PredictionFolder]:
        """Folders that hold, or will hold, the model's masks of the study's images."""
        if self.scored_on == TEST:
            return [self.folder.predictions(self.model(cell))]
        return [fold.validation for fold in self.fold_folders(cell)]

    def summary(self, cell: Cell) -> Path:
        """Where the scores on the study's images are, or will be."""
        return self.folder.predictions(self.model(cell)).summary

    def predictions(self, cell: Cell) -> list[RunRecord]:
        """The records of the masks, one a folder; empty unless the model as it is now made all of them."""
        files = self.checkpoints(cell)
        if not all(path.is_file() for path in files):
            return []
        groups = [files] if self.scored_on == TEST else [[path] for path in files]
        records = [
            finished_run(folder.path, group) for folder, group in zip(self.masks(cell), groups, strict=True)
        ]
        found = [record for record in records if record is not None and not record.failed]
        return found if len(found) == len(records) else []

    def is_scored(self, cell: Cell) -> bool:
        """Are there scores, and are they newer than the masks and the references?"""
        summary = self.summary(cell)
        if not self.predictions(cell) or not summary.is_file():
            return False
        references = self.workspace.raw(self.name) / self.references
        made = [*references.iterdir(), *(masks.record for masks in self.masks(cell))]
        return summary.stat().st_mtime_ns >= max(path.stat().st_mtime_ns for path in made)

    def takes_points(self, cell: Cell) -> bool:
        """Does its network segment what points mark?"""
        trainer, plan = set_up(cell.trainer, self.plan, settings=self.settings(cell))
        return bool(getattr(load(NETWORKS, trainer.network_spec(plan).name), "takes_points", False))

    def settings(self, cell: Cell) -> dict[str, str]:
        """What overrules the plan for this cell; what is meant for another family of networks is left out."""
        own = load(TRAINERS, cell.trainer).configuration
        others = self.plan.configurations.keys() - {own}
        wanted = {k: v for k, v in self.options.settings.items() if k.partition(".")[0] not in others}
        return {**wanted, "seed": str(cell.seed)}
