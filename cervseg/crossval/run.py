"""A model's folds as one job: what they share, and where they are kept."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cervseg.core.errors import DatasetError
from cervseg.core.jsonio import write_json
from cervseg.core.paths import FoldFolder, ModelFolder, Workspace
from cervseg.core.types import Case, Configuration, Plan
from cervseg.dataset.description import list_cases
from cervseg.dataset.splits import Fold, check_folds, read_folds
from cervseg.networks.published import default_folder
from cervseg.planning.planfile import read_plan, write_plan
from cervseg.preprocessing.store import CaseStore
from cervseg.trainers.catalogue import set_up
from cervseg.training.trainer import Trainer


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """What a training run was asked for; see :func:`cervseg.pipeline.train.train`."""

    variant: str = "original"
    settings: Mapping[str, str] = field(default_factory=dict)
    device: str | None = None
    weights: Path | None = None
    from_scratch: bool = False
    teacher: Path | None = None
    restart: bool = False


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
        """The cache of the variant that is trained on."""
        return CaseStore(folder=self.workspace.preprocessed(self.name) / self.options.variant)

    def folder(self, fold: str) -> FoldFolder:
        """The folder of one fold."""
        return self.model.fold(fold)

    @property
    def frame(self) -> str:
        """The network frame in words: height x width in px."""
        height, width = self.configuration.input_size
        return f"{height} x {width}"

    def share_of_memory(self, share: float) -> int:
        """Bytes: ``share`` of the memory that the plan was made for."""
        return int(share * self.plan.hardware.ram_gib * 2**30)

    def is_finished(self, fold: str) -> bool:
        """Has this fold been trained and validated to the end?"""
        return self.folder(fold).finished.is_file()

    @property
    def weights(self) -> Path | None:
        """The file that training starts from: the named one, else the trainer's published one if at hand."""
        if self.options.weights is not None or self.options.from_scratch:
            return self.options.weights
        published = self.trainer.pretrained(self.plan)
        at_hand = None if published is None else default_folder() / published.filename
        return at_hand if at_hand is not None and at_hand.is_file() else None

    def wanted_folds(self, asked: Sequence[str | int] | None) -> list[str]:
        """The folds to train, as names.

        Raises:
            DatasetError: a fold is asked for that the splits do not have.
        """
        every = [str(number) for number in range(len(self.folds))]
        wanted = every if asked is None else [str(fold) for fold in asked]
        unknown = [fold for fold in wanted if fold not in every and fold != "all"]
        if unknown:
            raise DatasetError(f"no fold {unknown[0]!r}", hint=f"There are: {', '.join(every)} and all.")
        return wanted

    def split(self, fold: str) -> tuple[list[str], list[str]]:
        """(training, validation) case ids; "all" trains on everything and validates on nothing.

        The variant's copies train where their sources do and are never validated on.
        """
        if fold == "all":
            return self._with_copies(self.cases), []
        return self._with_copies(self.folds[int(fold)].train), sorted(self.folds[int(fold)].val)

    def _with_copies(self, cases: Collection[str]) -> list[str]:
        copies = [copy for copy, source in self.store.copies().items() if source in cases]
        return sorted([*cases, *copies])

    def describe(self) -> None:
        """Write what the model is made from, before anything is trained."""
        write_json(self.model.record, {"trainer": self.trainer_name, "configuration": self.configuration})
        write_json(self.model.dataset, self.plan.dataset)
        write_plan(self.model.plan, self.plan)
