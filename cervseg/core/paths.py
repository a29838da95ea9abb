"""The workspace: its four data folders, and the names of datasets in them."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from cervseg.core.errors import DatasetError
from cervseg.core.folders import ModelFolder, StudyFolder

_DATASET_FOLDER = re.compile(r"^Dataset(\d{3,})_([A-Za-z0-9][A-Za-z0-9_.-]*)$")


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
