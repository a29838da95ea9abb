"""The writer of datasets; nothing else writes one."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cervseg.core.errors import DatasetError
from cervseg.core.jsonio import write_json
from cervseg.core.types import DatasetDescription, SpacingMm
from cervseg.dataset.labels import check_labels
from cervseg.imageio import write_gray, write_mask


@dataclass(frozen=True, kw_only=True)
class DatasetWriter:
    """A writer of nnU-Net v2's raw format; ``dataset.json`` is written last.

    A folder without ``dataset.json`` is unfinished. ``add_case`` may be called in worker processes.

    Args:
        folder: the dataset's folder, .../raw_data/Dataset001_Name; it is created.
        file_ending: ".png" or ".tif".
        name: the dataset's name; by default that of the folder.
    """

    folder: Path
    file_ending: str = ".png"
    name: str = ""

    def add_case(
        self, case_id: str, *, channels: Sequence[np.ndarray], mask: np.ndarray | None, test: bool = False
    ) -> None:
        """Write one case; each file appears as a whole or not at all, the mask last.

        Args:
            case_id: the case, which names its files.
            channels: one H x W uint8 or uint16 array per channel.
            mask: H x W label values; None for test cases only.
            test: write to imagesTs and labelsTs instead of imagesTr and labelsTr.

        Raises:
            DatasetError: the id is not a valid file name, the sizes differ, or a training case has no mask.
            ImageError: an array has another dtype or shape.
        """
        if not case_id or case_id.startswith(".") or any(sign in case_id for sign in '/\\:*?"<>|\0'):
            raise DatasetError(
                f"{case_id!r} is not a valid file name", where=self.folder, hint="Rename the image"
            )
        if mask is None and not test:
            raise DatasetError("a training case needs a mask", where=case_id)
        if not channels:
            raise DatasetError("a case needs at least one channel", where=case_id)
        sizes = {np.shape(plane) for plane in [*channels, *([] if mask is None else [mask])]}
        if len(sizes) != 1:
            raise DatasetError(f"channels and mask have different sizes: {sorted(sizes)}", where=case_id)
        part = "Ts" if test else "Tr"
        for number, plane in enumerate(channels):
            write_gray(self.folder / f"images{part}" / f"{case_id}_{number:04d}{self.file_ending}", plane)
        if mask is not None:
            write_mask(self.folder / f"labels{part}" / f"{case_id}{self.file_ending}", mask)

    def finish(
        self,
        *,
        channel_names: Sequence[str],
        labels: Mapping[str, int],
        groups: Mapping[str, str] | None = None,
        spacing_mm: Mapping[str, SpacingMm] | None = None,
        auxiliary: Collection[str] = (),
        synthetic: bool = False,
        levels_of: str = "",
    ) -> DatasetDescription:
        """Count the training images and write dataset.json, which completes the dataset.

        Args:
            channel_names: one name per channel, such as "xray".
            labels: name -> number, background = 0, then 1, 2, ...
            groups: case id -> patient.
            spacing_mm: case id -> (row, column) in mm.
            auxiliary: names of labels that help to train and are neither shown nor scored; they have the
                highest numbers.
            synthetic: whether the images are phantoms.
            levels_of: the structure whose levels the shown labels are, from top to bottom; empty if they are
                different structures.

        Raises:
            DatasetError: the labels are invalid, or there is no channel name.
        """
        check_labels(labels, where=self.folder, auxiliary=auxiliary)
        if not channel_names:
            raise DatasetError("there must be at least one channel name", where=self.folder)
        description = DatasetDescription(
            name=self.name or self.folder.name,
            channel_names=tuple(channel_names),
            labels=dict(labels),
            num_training=len(list((self.folder / "imagesTr").glob(f"*_0000{self.file_ending}"))),
            file_ending=self.file_ending,
            groups=dict(groups or {}),
            spacing_mm=dict(spacing_mm or {}),
            auxiliary=tuple(
                name for name in sorted(labels, key=lambda name: labels[name]) if name in auxiliary
            ),
            synthetic=synthetic,
            levels_of=levels_of,
        )
        write_description(self.folder / "dataset.json", description)
        return description


def write_description(path: Path, description: DatasetDescription) -> None:
    """Write dataset.json with the fields of nnU-Net v2, and those of our own that differ from the default."""
    content = {
        "name": description.name,
        "channel_names": {str(number): name for number, name in enumerate(description.channel_names)},
        "labels": description.labels,
        "numTraining": description.num_training,
        "file_ending": description.file_ending,
        **({"groups": description.groups} if description.groups else {}),
        **({"spacing_mm": description.spacing_mm} if description.spacing_mm else {}),
        **({"auxiliary": description.auxiliary} if description.auxiliary else {}),
        **({"synthetic": True} if description.synthetic else {}),
        **({"levels_of": description.levels_of} if description.levels_of else {}),
    }
    write_json(path, content)
