"""dataset.json and the cases it describes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cervseg.core.errors import DatasetError
from cervseg.core.jsonio import from_json, read_json
from cervseg.core.types import Case, DatasetDescription
from cervseg.dataset.contents import scan
from cervseg.dataset.labels import check_labels
from cervseg.imageio import SUFFIXES
from cervseg.imageio import stem_of as stem_of  # a case is called like its mask without the suffix


def read_description(folder: Path) -> DatasetDescription:
    """Read ``folder``/dataset.json; nnU-Net v2's files are taken as they are, fields that we do not know too.

    A dataset without ``file_ending`` gets ".png"; images of any known format are found whatever it says.

    Raises:
        DatasetError: the folder or the file is missing, a field is missing or wrong, or the dataset uses
            label regions or an ignore label, which are not supported yet.
    """
    path = Path(folder) / "dataset.json"
    if not path.parent.is_dir():
        raise DatasetError("no such dataset folder", where=folder, hint="cervseg_convert makes one.")
    if not path.exists():
        raise DatasetError(
            "has no dataset.json: it is unfinished or no dataset",
            where=folder,
            hint="Make it again with cervseg_convert, or write dataset.json as nnU-Net v2 has it.",
        )
    content = read_json(path, error=DatasetError)
    if not isinstance(content, dict):
        raise DatasetError("must be an object", where=path)
    labels = _labels(content, path)
    check_labels(labels, where=path)
    num_training = from_json(
        int, _field(content, "numTraining", path), where=f"{path}.numTraining", error=DatasetError
    )
    return DatasetDescription(
        name=_optional(str, content, "name", path.parent.name, path) or path.parent.name,
        channel_names=_channel_names(content, path),
        labels=labels,
        num_training=num_training,
        file_ending=_file_ending(content, path),
        groups=_optional(dict[str, str], content, "groups", {}, path),
        spacing_mm=_spacing_mm(content, path),
    )


def list_cases(folder: Path, description: DatasetDescription, *, split: str = "Tr") -> list[Case]:
    """The cases of imagesTr ("Tr") or imagesTs ("Ts"), sorted by id.

    Files may have any known ending, also mixed. A case's mask is None where there is none; what is wrong with
    the dataset is found by :func:`cervseg.dataset.verify.verify_dataset`, not here.

    Raises:
        DatasetError: the dataset's folder is missing.
    """
    found = scan(folder, split=split)
    cases = []
    for case, files in sorted(found.images.items()):
        masks = found.masks.get(case, ())
        cases.append(
            Case(
                id=case,
                images=tuple(paths[0] for _, paths in sorted(files.items())),
                mask=masks[0] if masks else None,
                group=description.groups.get(case, case),
            )
        )
    return cases


def _field(content: Mapping[str, Any], name: str, path: Path) -> Any:
    if name not in content:
        raise DatasetError(f"field {name!r} is missing", where=path, hint="See nnU-Net v2's dataset.json.")
    return content[name]


def _optional(kind: Any, content: Mapping[str, Any], name: str, default: Any, path: Path) -> Any:
    value = content.get(name)
    return default if value is None else from_json(kind, value, where=f"{path}.{name}", error=DatasetError)


def _labels(content: Mapping[str, Any], path: Path) -> dict[str, int]:
    given = _field(content, "labels", path)
    if not isinstance(given, dict):
        raise DatasetError("'labels' must be an object of names and numbers", where=path)
    if any(
        name.isdigit() and isinstance(value, str) and not value.isdigit() for name, value in given.items()
    ):
        raise DatasetError(
            "labels are written as number: name, as in nnU-Net v1",
            where=path,
            hint='Turn them around: {"background": 0, "bone": 1}.',
        )
    labels = {}
    for name, value in given.items():
        if isinstance(value, (list, tuple)):
            raise DatasetError(
                f"label {name!r} is a region (several numbers), which is not supported yet",
                where=path,
                hint="Give each label one number.",
            )
        number = int(value) if isinstance(value, str) and value.isdigit() else value
        labels[name] = from_json(int, number, where=f"{path}.labels.{name}", error=DatasetError)
    if "ignore" in labels:
        raise DatasetError(
            "an ignore label is not supported yet",
            where=path,
            hint="Annotate these pixels or remove the images.",
        )
    return labels


def _channel_names(content: Mapping[str, Any], path: Path) -> tuple[str, ...]:
    if "channel_names" not in content and "modality" in content:
        raise DatasetError(
            "is of nnU-Net v1",
            where=path,
            hint='Rename "modality" to "channel_names" and see nnU-Net v2\'s format.',
        )
    given = _field(content, "channel_names", path)
    if isinstance(given, list):
        given = {str(number): name for number, name in enumerate(given)}
    names = from_json(dict[str, str], given, where=f"{path}.channel_names", error=DatasetError)
    if not names or sorted(names, key=lambda key: (len(key), key)) != [str(n) for n in range(len(names))]:
        raise DatasetError(
            f"channel_names must be numbered 0, 1, ..., they are {', '.join(names) or 'empty'}",
            where=path,
            hint='Write {"0": "xray"}.',
        )
    return tuple(names[str(number)] for number in range(len(names)))


def _file_ending(content: Mapping[str, Any], path: Path) -> str:
    ending = str(_optional(str, content, "file_ending", ".png", path))
    if ending.lower() not in SUFFIXES:
        raise DatasetError(
            f"file_ending {ending!r} is not supported", where=path, hint=f"Supported: {' '.join(SUFFIXES)}."
        )
    return ending


def _spacing_mm(content: Mapping[str, Any], path: Path) -> dict[str, tuple[float, float]]:
    spacing: dict[str, tuple[float, float]] = _optional(
        dict[str, tuple[float, float]], content, "spacing_mm", {}, path
    )
    for case, sides in spacing.items():
        if not all(0 < side < float("inf") for side in sides):
            raise DatasetError(
                f"spacing of {case!r} must be positive, is {sides}", where=f"{path}.spacing_mm"
            )
    return spacing
