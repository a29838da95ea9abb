"""The folders of results: models, their folds, predicted masks and studies, with every file name in them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


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
        """The checkpoint for prediction that training writes."""
        return self.path / "checkpoint_best.pt"

    @property
    def shared(self) -> Path:
        """The same network in float16, for sharing."""
        return self.path / "model.safetensors"

    @property
    def weights(self) -> Path:
        """The file to predict with: the trained checkpoint, else the shared one."""
        return self.best if self.best.is_file() or not self.shared.is_file() else self.shared

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
    def card(self) -> Path:
        """The model card of a shared model: recipe, scores, limits, licences."""
        return self.path / "model_card.md"

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
        """The folds that have weights for prediction.

        A network that has seen every case is a model of its own: "all" is left out where another fold is
        there.
        """
        found = [fold for fold in self.folds() if fold.weights.is_file()]
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
