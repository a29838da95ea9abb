"""Every folder and file name of a workspace; files that are written completely or not at all."""

from __future__ import annotations

import logging
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cervseg.core.errors import DatasetError

_logger = logging.getLogger(__name__)
_DATASET_FOLDER = re.compile(r"^Dataset(\d{3,})_([A-Za-z0-9][A-Za-z0-9_.-]*)$")


@dataclass(frozen=True)
class FoldFolder:
    """One fold of a model: ``results/Dataset.../Trainer__plans__variant/fold_0``."""

    path: Path

    @staticmethod
    def is_fold(path: Path) -> bool:
        """Is this folder named like a fold?"""
        return path.name.startswith("fold_")

    @property
    def name(self) -> str:
        """The folder's name, "fold_0"."""
        return self.path.name

    @property
    def fold(self) -> str:
        """The fold's number as text, or "all"."""
        return self.path.name.removeprefix("fold_")

    @property
    def best(self) -> Path:
        """The checkpoint for prediction."""
        return self.path / "checkpoint_best.pt"

    @property
    def latest(self) -> Path:
        """The checkpoint that an interrupted training resumes from."""
        return self.path / "checkpoint_latest.pt"

    @property
    def log(self) -> Path:
        """One line per epoch."""
        return self.path / "log.jsonl"

    @property
    def progress_figure(self) -> Path:
        """Curves of loss, Dice and learning rate."""
        return self.path / "progress.png"

    @property
    def validation(self) -> PredictionFolder:
        """The masks of the validation cases."""
        return PredictionFolder(self.path / "validation")

    @property
    def summary(self) -> Path:
        """The scores of the validation cases."""
        return self.path / "summary.json"

    @property
    def finished(self) -> Path:
        """Written last: how the training of this fold ended."""
        return self.path / "finished.json"

    @property
    def model(self) -> ModelFolder:
        """The model that the fold belongs to."""
        return ModelFolder(self.path.parent)


@dataclass(frozen=True)
class ModelFolder:
    """One model, all of its folds: ``results/Dataset.../Trainer__plans__variant``."""

    path: Path

    @property
    def name(self) -> str:
        """The folder's name, "Trainer__plans__variant"."""
        return self.path.name

    @property
    def dataset_name(self) -> str:
        """The dataset that it was trained on, "Dataset001_Name"."""
        return self.path.parent.name

    @property
    def record(self) -> Path:
        """What was trained: the trainer's name and its configuration."""
        return self.path / "trainer.json"

    @property
    def plan(self) -> Path:
        """The plan as the trainer saw it."""
        return self.path / "plans.json"

    @property
    def dataset(self) -> Path:
        """The description of the training dataset."""
        return self.path / "dataset.json"

    @property
    def crossval_summary(self) -> Path:
        """The scores of all folds, pooled."""
        return self.path / "crossval_summary.json"

    def fold(self, fold: str | int) -> FoldFolder:
        """A fold by its number or "all", whether it exists or not."""
        return FoldFolder(self.path / f"fold_{fold}")

    def folds(self) -> list[FoldFolder]:
        """The folds that exist, sorted by name."""
        return [FoldFolder(path) for path in sorted(self.path.glob("fold_*"))]

    def trained_folds(self) -> list[FoldFolder]:
        """The folds that have a checkpoint for prediction.

        A network that has seen every case is a model of its own: "all" is left out where another fold is
        there.
        """
        found = [fold for fold in self.folds() if fold.best.is_file()]
        return [fold for fold in found if fold.fold != "all"] or found


@dataclass(frozen=True)
class PredictionFolder:
    """A folder of predicted masks."""

    path: Path

    @property
    def record(self) -> Path:
        """Which model and options made the masks, and whether the run ended."""
        return self.path / "prediction.json"

    @property
    def dataset(self) -> Path:
        """The names of the labels."""
        return self.path / "dataset.json"

    @property
    def summary(self) -> Path:
        """The scores of the masks, where they were evaluated."""
        return self.path / "summary.json"

    @property
    def overlays(self) -> Path:
        """Pictures of the masks over their images."""
        return self.path / "overlays"

    def mask(self, case: str) -> Path:
        """The mask of a case of a dataset."""
        return self.path / f"{case}.png"


@dataclass(frozen=True)
class StudyFolder:
    """A study of one dataset: ``results/Dataset.../study``."""

    path: Path

    @property
    def record(self) -> Path:
        """Every finished model, and what is missing."""
        return self.path / "study.json"

    @property
    def figures(self) -> Path:
        """Figures as PNG and SVG."""
        return self.path / "figures"

    @property
    def captions(self) -> Path:
        """The captions of the figures, and the figures that could not be drawn."""
        return self.figures / "captions.json"

    @property
    def tables(self) -> Path:
        """All tables."""
        return self.path / "tables.json"

    def predictions(self, model: ModelFolder) -> PredictionFolder:
        """The masks of the study's images that a model made."""
        return PredictionFolder(self.path / "predictions" / model.path.name)


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """The four data folders under one root: raw_data, plans, preprocessed, results."""

    root: Path

    @classmethod
    def find(cls, root: str | Path | None = None) -> Workspace:
        """The workspace at ``root``, else at $CERVSEG_ROOT, else in the current folder."""
        return cls(root=Path(root or os.environ.get("CERVSEG_ROOT") or ".").expanduser().resolve())

    @property
    def raw_data(self) -> Path:
        """Where all raw datasets lie."""
        return self.root / "raw_data"

    def raw(self, dataset: str) -> Path:
        """The raw images and masks of one dataset."""
        return self.raw_data / dataset

    def plans(self, dataset: str) -> Path:
        """Its fingerprint and plan."""
        return self.root / "plans" / dataset

    def preprocessed(self, dataset: str) -> Path:
        """Its caches, one folder a variant, and its splits."""
        return self.root / "preprocessed" / dataset

    @property
    def results(self) -> Path:
        """Where all models lie."""
        return self.root / "results"

    def plan_file(self, dataset: str) -> Path:
        """The plan of one dataset."""
        return self.plans(dataset) / "plans.json"

    def fingerprint_file(self, dataset: str) -> Path:
        """The fingerprint of one dataset."""
        return self.plans(dataset) / "dataset_fingerprint.json"

    def splits_file(self, dataset: str) -> Path:
        """The folds of one dataset."""
        return self.preprocessed(dataset) / "splits_final.json"

    def model(self, dataset: str, trainer: str, variant: str, *, seed: int = 0) -> ModelFolder:
        """The folder of one model: its folds, its plan and what it was trained with; seeds never mix."""
        name = f"{trainer}__plans__{variant}" + (f"__seed{seed}" if seed else "")
        return ModelFolder(self.results / dataset / name)

    def study(self, dataset: str) -> StudyFolder:
        """Tables, statistics and figures over the models of a dataset."""
        return StudyFolder(self.results / dataset / "study")

    @property
    def last_model_file(self) -> Path:
        """A small file that remembers which model was trained last, relative to ``results``."""
        return self.results / "last_model.json"

    @property
    def default_model_file(self) -> Path:
        """The same for the model that the user declared to be the one to predict with."""
        return self.results / "default_model.json"

    def datasets(self) -> list[str]:
        """Names of all datasets that any of the folders knows, sorted."""
        parents = (self.raw_data, self.root / "plans", self.root / "preprocessed", self.results)
        names = {p.name for parent in parents if parent.is_dir() for p in parent.iterdir() if p.is_dir()}
        return sorted(name for name in names if _DATASET_FOLDER.match(name))

    def dataset_name(self, given: str | int) -> str:
        """The dataset that ``1``, ``001`` or ``Dataset001_Phantom`` means.

        Raises:
            DatasetError: no dataset fits, or more than one does.
        """
        text, known = str(given).strip(), self.datasets()
        if text in known:
            return text
        match = re.fullmatch(r"(?:Dataset)?(\d+)", text)
        if match:
            number = int(match.group(1))
            found = [name for name in known if dataset_number(name) == number]
            if len(found) == 1:
                return found[0]
            if found:
                raise DatasetError(
                    f"several datasets have the number {number}",
                    where=self.raw_data,
                    hint=f"Use a full name: {', '.join(found)}.",
                )
        have = (
            f"There are: {', '.join(known)}."
            if known
            else "There is no dataset yet; cervseg_convert makes one."
        )
        raise DatasetError(f"no dataset {text!r}", where=self.root, hint=have)

    def new_dataset_name(self, number: str | int, name: str) -> str:
        """Return the folder name for a dataset to make, or to replace.

        Raises:
            DatasetError: number and name are invalid, or a dataset of another name has this number.
        """
        wanted = dataset_folder_name(number, name)
        numbers = {known: dataset_number(known) for known in self.datasets()}
        taken = [known for known, found in numbers.items() if found == int(number) and known != wanted]
        if taken:
            free = next(n for n in range(int(number) + 1, 10**6) if n not in numbers.values())
            raise DatasetError(
                f"dataset number {int(number)} is taken by {taken[0]}",
                where=self.root,
                hint=f"Choose a free number, such as {free:03d}",
            )
        return wanted


def dataset_folder_name(number: str | int, name: str) -> str:
    """``Dataset001_Name`` for (1, "Name").

    Raises:
        DatasetError: the number is not a positive integer or the name is not letters, digits, _ . -
    """
    text = f"Dataset{int(number):03d}_{name}" if str(number).isdigit() else ""
    if not _DATASET_FOLDER.match(text):
        raise DatasetError(
            f"invalid dataset number {number!r} or name {name!r}",
            hint="Use a whole number, and letters, digits, dot, dash and underscore in the name.",
        )
    return text


def dataset_number(folder_name: str) -> int:
    """The number in ``Dataset001_Name``."""
    match = _DATASET_FOLDER.match(folder_name)
    if not match:
        raise DatasetError(
            f"{folder_name!r} is not a dataset folder name", hint="It must look like Dataset001_Name."
        )
    return int(match.group(1))


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; rename it onto ``path`` when the block ends well.

    The temporary name keeps the suffix (image writers choose their format by it) and starts with a dot.
    The data are flushed to disk before the rename, so that neither a kill nor a power cut leaves half a file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{secrets.token_hex(4)}.tmp{path.suffix}")
    try:
        yield temporary
        with open(temporary, "rb") as stream:
            os.fsync(stream.fileno())
        os.replace(temporary, path)
        _logger.info("wrote %s", path)
    finally:
        temporary.unlink(missing_ok=True)


def remove_leftovers(folder: Path) -> None:
    """Delete temporary files that a killed run left in ``folder``."""
    for path in folder.glob(".*.tmp*"):
        path.unlink(missing_ok=True)
