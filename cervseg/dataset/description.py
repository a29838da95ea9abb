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
from cervseg.imageio import stem_of as stem_of  # a case has the name of its mask without the suffix

_EXAMPLES = {
    "labels": 'Write, for instance, "labels": {"background": 0, "bone": 1}',
    "channel_names": 'Write, for instance, "channel_names": {"0": "xray"}',
    "numTraining": 'Write "numTraining" with the number of training images',
}


def read_description(folder: Path) -> DatasetDescription:
    """Read ``folder``/dataset.json. nnU-Net v2's files are accepted; unknown fields are ignored.

    Without ``file_ending`` it is ".png"; images of all known formats are found in any case.

    Raises:
        DatasetError: the folder or file is missing, a field is missing or invalid, or the dataset uses label
            regions or an ignore label, which are not supported yet; an auxiliary label is unknown or not
            among the highest numbers.
    """
    path = Path(folder) / "dataset.json"
    if not path.parent.is_dir():
        raise DatasetError("no such dataset folder", where=folder, hint="Make it with cervseg_convert")
    if not path.exists():
        raise DatasetError(
            "no dataset.json in this folder: an unfinished dataset or another folder",
            where=folder,
            hint="Convert it again with cervseg_convert, or write dataset.json as for nnU-Net v2",
        )
    content = _content(path)
    labels, auxiliary = _checked_labels(content, path)
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
        auxiliary=auxiliary,
        synthetic=_optional(bool, content, "synthetic", False, path),
        levels_of=_optional(str, content, "levels_of", "", path),
    )


def find_labels(masks: Path) -> dict[str, int] | None:
    """Find the labels of a folder of masks in a dataset.json: a dataset's, or one beside predicted masks.

    Args:
        masks: the folder; the file is in it, or in one of the two folders above it.

    Returns:
        Foreground name -> value in the masks, in the order of the values; None if there is no dataset.json.
        A dataset's auxiliary labels are among them; beside predicted masks there are none.

    Raises:
        DatasetError: the labels in the file are invalid.
    """
    parent = masks.resolve().parent
    for folder in (masks, parent, parent.parent):
        path = folder / "dataset.json"
        if path.is_file():
            labels, _ = _checked_labels(_content(path), path)
            return {name: value for name, value in sorted(labels.items(), key=lambda item: item[1]) if value}
    return None


def list_cases(folder: Path, description: DatasetDescription, *, split: str = "Tr") -> list[Case]:
    """List the cases of a dataset, sorted by id.

    Files may have any known format, also mixed. The mask of a case is None if it is missing; this function
    checks nothing, see :func:`cervseg.dataset.verify.verify_dataset`.

    Args:
        folder: the dataset's folder.
        description: its dataset.json.
        split: "Tr" for imagesTr and labelsTr, "Ts" for imagesTs and labelsTs.

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


def _content(path: Path) -> dict[str, Any]:
    content = read_json(path, error=DatasetError)
    if not isinstance(content, dict):
        raise DatasetError("not a JSON object", where=path)
    return content


def _field(content: Mapping[str, Any], name: str, path: Path) -> Any:
    if name not in content:
        raise DatasetError(f"field {name!r} is missing", where=path, hint=_EXAMPLES[name])
    return content[name]


def _optional(kind: Any, content: Mapping[str, Any], name: str, default: Any, path: Path) -> Any:
    value = content.get(name)
    return default if value is None else from_json(kind, value, where=f"{path}.{name}", error=DatasetError)


def _checked_labels(content: Mapping[str, Any], path: Path) -> tuple[dict[str, int], tuple[str, ...]]:
    """Read and check name -> number of all labels, and the names of the auxiliary ones."""
    labels = _labels(content, path)
    auxiliary: tuple[str, ...] = _optional(tuple[str, ...], content, "auxiliary", (), path)
    check_labels(labels, where=path, auxiliary=auxiliary)
    return labels, auxiliary


def _labels(content: Mapping[str, Any], path: Path) -> dict[str, int]:
    given = _field(content, "labels", path)
    if not isinstance(given, dict):
        raise DatasetError(
            "labels must be an object of names and numbers", where=path, hint=_EXAMPLES["labels"]
        )
    if any(
        name.isdigit() and isinstance(value, str) and not value.isdigit() for name, value in given.items()
    ):
        raise DatasetError(
            "labels are written as number: name, as for nnU-Net v1",
            where=path,
            hint='Write the name first: "labels": {"background": 0, "bone": 1}',
        )
    labels = {}
    for name, value in given.items():
        if isinstance(value, (list, tuple)):
            raise DatasetError(
                f"label {name!r} is a region (several numbers), which is not supported yet",
                where=path,
                hint="Give each label one number",
            )
        number = int(value) if isinstance(value, str) and value.isdigit() else value
        labels[name] = from_json(int, number, where=f"{path}.labels.{name}", error=DatasetError)
    if "ignore" in labels:
        raise DatasetError(
            "an ignore label is not supported yet",
            where=path,
            hint="Annotate these pixels or remove the images",
        )
    return labels


def _channel_names(content: Mapping[str, Any], path: Path) -> tuple[str, ...]:
    if "channel_names" not in content and "modality" in content:
        raise DatasetError(
            "dataset.json in the format of nnU-Net v1",
            where=path,
            hint='Rename "modality" to "channel_names", and write labels as {"background": 0, "bone": 1}',
        )
    given = _field(content, "channel_names", path)
    if isinstance(given, list):
        given = {str(number): name for number, name in enumerate(given)}
    names = from_json(dict[str, str], given, where=f"{path}.channel_names", error=DatasetError)
    if not names or sorted(names, key=lambda key: (len(key), key)) != [str(n) for n in range(len(names))]:
        raise DatasetError(
            f"channel_names must be numbered 0, 1, ..., not {', '.join(names) or 'empty'}",
            where=path,
            hint=_EXAMPLES["channel_names"],
        )
    return tuple(names[str(number)] for number in range(len(names)))


def _file_ending(content: Mapping[str, Any], path: Path) -> str:
    ending = str(_optional(str, content, "file_ending", ".png", path))
    if ending.lower() not in SUFFIXES:
        raise DatasetError(
            f"file_ending {ending!r} is not supported", where=path, hint=f"Supported: {' '.join(SUFFIXES)}"
        )
    return ending


def _spacing_mm(content: Mapping[str, Any], path: Path) -> dict[str, tuple[float, float]]:
    spacing: dict[str, tuple[float, float]] = _optional(
        dict[str, tuple[float, float]], content, "spacing_mm", {}, path
    )
    for case, sides in spacing.items():
        if not all(0 < side < float("inf") for side in sides):
            raise DatasetError(
                f"the spacing of {case!r} must be positive, not {sides}", where=f"{path}.spacing_mm"
            )
    return spacing
