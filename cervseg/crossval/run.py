"""The cross-validation of one model: what its folds share, and where they are kept."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cervseg.core.errors import DatasetError
from cervseg.core.folders import FoldFolder, ModelFolder
from cervseg.core.jsonio import write_json
from cervseg.core.paths import Workspace
from cervseg.core.types import Case, Configuration, Plan
from cervseg.crossval.status import FoldStatus, fold_status
from cervseg.dataset.description import list_cases
from cervseg.dataset.splits import Fold, check_folds, read_folds
from cervseg.networks.published import default_folder
from cervseg.planning.planfile import read_plan, write_plan
from cervseg.preprocessing.store import CaseStore
from cervseg.trainers.catalogue import set_up
from cervseg.training.trainer import Trainer


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """The options of a training; see :func:`cervseg.pipeline.train.train`."""

    variant: str = "original"
    settings: Mapping[str, str] = field(default_factory=dict)
    device: str | None = None
    weights: Path | None = None
    from_scratch: bool = False
    teacher: Path | None = None
    restart: bool = False


@dataclass(frozen=True, kw_only=True)
class CrossValidation:
    """What the folds of one model share."""

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
        """Read the plan, the cases and the splits, and apply the trainer's and the user's settings.

        Args:
            name: of the dataset, "Dataset001_Name".
            trainer_name: a registered name.
            workspace: where everything is kept.
            options: of the training.

        Raises:
            CervsegError: the plan, the cache, the splits or a setting is missing or invalid.
        """
        plan = read_plan(workspace.plan_file(name))
        trainer, plan = set_up(trainer_name, plan, settings=options.settings)
        store = CaseStore(folder=workspace.preprocessed(name) / options.variant)
        known = set(store.cases())
        cases = list_cases(workspace.raw(name), plan.dataset, split="Tr")
        folds = read_folds(workspace.splits_file(name))
        check_folds(folds, [case for case in cases if case.id in known])
        return cls(
            workspace=workspace,
            name=name,
            trainer_name=trainer_name,
            trainer=trainer,
            plan=plan,
            configuration=trainer.configured(plan),
            cases={case.id: case for case in cases if case.id in known},
            folds=folds,
            options=options,
        )

    @property
    def model(self) -> ModelFolder:
        """The model's folder."""
        seed = self.configuration.hyperparameters.seed
        return self.workspace.model(self.name, self.trainer_name, self.options.variant, seed=seed)

    @property
    def store(self) -> CaseStore:
        """The preprocessed cases of the variant that is trained on."""
        return CaseStore(folder=self.workspace.preprocessed(self.name) / self.options.variant)

    def folder(self, fold: str) -> FoldFolder:
        """The folder of one fold."""
        return self.model.fold(fold)

    @property
    def frame(self) -> str:
        """The network frame as text: height x width in px."""
        height, width = self.configuration.input_size
        return f"{height} x {width}"

    def share_of_memory(self, share: float) -> int:
        """Return ``share`` of the memory that the plan was made for, in bytes."""
        return int(share * self.plan.hardware.ram_gib * 2**30)

    def status(self, fold: str) -> FoldStatus:
        """Return the state of a fold."""
        return fold_status(self.folder(fold), max_epochs=self.configuration.hyperparameters.epochs)

    def initial_weights(self) -> Path | None:
        """Find the file of initial weights: the named one, else the trainer's published one if downloaded."""
        if self.options.weights is not None or self.options.from_scratch:
            return self.options.weights
        published = self.trainer.pretrained(self.plan)
        downloaded = None if published is None else default_folder() / published.filename
        return downloaded if downloaded is not None and downloaded.is_file() else None

    def wanted_folds(self, asked: Sequence[str | int] | None) -> list[str]:
        """Return the names of the folds to train.

        Args:
            asked: numbers or "all"; None for every fold of the splits.

        Raises:
            DatasetError: a fold is not in the splits.
        """
        every = [str(number) for number in range(len(self.folds))]
        wanted = every if asked is None else [str(fold) for fold in asked]
        unknown = [fold for fold in wanted if fold not in every and fold != "all"]
        if unknown:
            raise DatasetError(f"no fold {unknown[0]!r}", hint=f"There are {', '.join(every)} and all")
        return wanted

    def split(self, fold: str) -> tuple[list[str], list[str]]:
        """Return the ids of the training cases and of the validation cases.

        "all" trains on every case and validates on none. Augmented copies train where their sources train;
        they are in no validation set.
        """
        if fold == "all":
            return self._with_copies(self.cases), []
        return self._with_copies(self.folds[int(fold)].train), sorted(self.folds[int(fold)].val)

    def _with_copies(self, cases: Collection[str]) -> list[str]:
        copies = [copy for copy, source in self.store.copies().items() if source in cases]
        return sorted([*cases, *copies])

    def describe(self) -> None:
        """Write the trainer's name, the configuration, the dataset and the plan into the model's folder."""
        write_json(self.model.record, {"trainer": self.trainer_name, "configuration": self.configuration})
        write_json(self.model.dataset, self.plan.dataset)
        write_plan(self.model.plan, self.plan)
