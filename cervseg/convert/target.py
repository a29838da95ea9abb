"""The dataset that a conversion writes: it appears as a whole or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cervseg.core.errors import DatasetError
from cervseg.core.paths import Workspace
from cervseg.dataset.writer import DatasetWriter


@dataclass(frozen=True, kw_only=True)
class DatasetTarget:
    """The folder that a conversion writes.

    Args:
        folder: the dataset's folder, .../raw_data/Dataset101_Name.
        channel_name: name of the image's channel in dataset.json.
        overwrite: replace ``folder`` if it exists.
    """

    folder: Path
    channel_name: str = "xray"
    overwrite: bool = False

    @classmethod
    def in_workspace(
        cls, workspace: Workspace, number: str | int, name: str, *, overwrite: bool = False
    ) -> DatasetTarget:
        """Choose the folder for a new dataset in a workspace.

        Args:
            workspace: where raw_data is.
            number: number of the dataset, such as 101.
            name: its name, without the number.
            overwrite: replace a dataset of this number and name.

        Raises:
            DatasetError: number and name are invalid, or another dataset has this number.
        """
        return cls(folder=workspace.raw(workspace.new_dataset_name(number, name)), overwrite=overwrite)

    def check(self) -> None:
        """Refuse to replace a dataset without ``overwrite``; call it before any work.

        Raises:
            DatasetError: ``folder`` exists and ``overwrite`` is false.
        """
        if self.folder.exists() and not self.overwrite:
            raise DatasetError(
                "dataset exists already",
                where=self.folder,
                hint="Choose another number, or replace it with --overwrite",
            )

    @contextmanager
    def open(self) -> Iterator[DatasetWriter]:
        """Yield a writer into a hidden folder, which is renamed to ``folder`` when the block ends well.

        A killed run leaves no partial dataset; an earlier dataset stays until the new one is complete.
        """
        hidden = self.folder.with_name(f".{self.folder.name}.converting")
        shutil.rmtree(hidden, ignore_errors=True)  # left by a killed run
        try:
            yield DatasetWriter(folder=hidden, name=self.folder.name)
            self._replace_by(hidden)
        finally:
            shutil.rmtree(hidden, ignore_errors=True)

    def _replace_by(self, complete: Path) -> None:
        old = self.folder.with_name(f".{self.folder.name}.replaced")
        shutil.rmtree(old, ignore_errors=True)
        if self.folder.exists():
            self.folder.rename(old)
        complete.rename(self.folder)
        shutil.rmtree(old, ignore_errors=True)
