"""The check of a dataset: all of its problems in one run, before anything is computed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from cervseg.core.errors import DatasetError, ImageError, one_line
from cervseg.core.types import DatasetDescription
from cervseg.core.workers import map_cases
from cervseg.dataset.contents import Contents, scan
from cervseg.imageio import read_image, read_mask, stem_of

MAX_FINDINGS = 20


@dataclass(frozen=True, kw_only=True)
class _Files:
    """The files of one case that exist; ``mask`` is None if it is missing."""

    id: str
    images: tuple[Path, ...]
    mask: Path | None


@dataclass(frozen=True, kw_only=True)
class _Look:
    """The result of opening one case: findings, and the values in its mask."""

    findings: tuple[str, ...]
    values: tuple[int, ...] | None


def verify_dataset(
    folder: Path, description: DatasetDescription, *, workers: int, progress: bool = True
) -> tuple[str, ...]:
    """Check every training image and mask of a dataset.

    Args:
        folder: the dataset's folder.
        description: its dataset.json.
        workers: processes; fewer than 2 check in this one.
        progress: show a progress bar.

    Returns:
        Remarks that are not errors, such as the number of empty masks.

    Raises:
        DatasetError: all findings in one error, one per line (at most 20, then their number): unreadable
            files, missing or duplicate images and masks, missing channels, different sizes, unknown label
            values, a wrong numTraining, no cases, or only empty masks.
    """
    contents = scan(folder, split="Tr")
    cases = [_files(contents, case) for case in sorted(contents.images)]
    looks = []
    work = partial(_look, num_labels=len(description.labels))
    for outcome in map_cases(work, cases, workers=workers, label="verify", progress=progress):
        if outcome.result is not None:
            looks.append(outcome.result)
        elif outcome.error is not None:
            looks.append(_Look(findings=(f"{outcome.item.id}: {one_line(outcome.error)}",), values=None))
    findings = [
        *_of_names(contents, description),
        *(line for look in looks for line in look.findings),
        *_of_whole(cases, looks, description),
    ]
    if findings:
        raise DatasetError(_message(findings), where=folder)
    known = contents.images.keys() | scan(folder, split="Ts").images.keys()
    return (*_remarks(cases, looks, description), *_of_unknown_names(description, known))


def _message(findings: Sequence[str]) -> str:
    lines = [
        f"the dataset has {len(findings)} problem(s):",
        *(f"  {line}" for line in findings[:MAX_FINDINGS]),
    ]
    if len(findings) > MAX_FINDINGS:
        lines.append(f"  ... and {len(findings) - MAX_FINDINGS} more")
    return "\n".join(lines)


def _files(contents: Contents, case: str) -> _Files:
    channels, masks = contents.images[case], contents.masks.get(case, ())
    return _Files(
        id=case,
        images=tuple(paths[0] for _, paths in sorted(channels.items())),
        mask=masks[0] if masks else None,
    )


def _of_names(contents: Contents, description: DatasetDescription) -> list[str]:
    """Findings from the file names alone."""
    wanted = set(range(len(description.channel_names)))
    found = [
        f"{path.name}: no channel number in the name; rename it to {_with_channel(path)}"
        for path in contents.strays
    ]
    for case, channels in sorted(contents.images.items()):
        doubled = [path for paths in channels.values() if len(paths) > 1 for path in paths]
        if doubled:
            found.append(f"{case}: duplicate images {_and(doubled)}; remove one of them")
        if missing := sorted(wanted - channels.keys()):
            found.append(
                f"{case}: channel {_numbers(missing)} is missing; dataset.json lists {len(wanted)} channel(s)"
            )
        if unknown := sorted(channels.keys() - wanted):
            found.append(
                f"{case}: channel {_numbers(unknown)} is not in dataset.json; "
                "add it to channel_names or remove the file"
            )
        if case not in contents.masks:
            found.append(f"{case}: no mask in labelsTr; add it or move the image to imagesTs")
    for case, masks in sorted(contents.masks.items()):
        if len(masks) > 1:
            found.append(f"{case}: duplicate masks {_and(masks)}; remove one of them")
        if case not in contents.images:
            found.append(f"{masks[0].name}: no image in imagesTr; add it or remove the mask")
    return found


def _with_channel(path: Path) -> str:
    stem = stem_of(path)
    return f"{stem}_0000{path.name.removeprefix(stem)}"


def _and(paths: Sequence[Path]) -> str:
    return " and ".join(path.name for path in paths)


def _numbers(channels: Sequence[int]) -> str:
    return ", ".join(f"_{channel:04d}" for channel in channels)


def _look(case: _Files, *, num_labels: int) -> _Look:
    """Open the files of one case (in a worker process)."""
    findings, sizes, values = [], {}, None
    for path in case.images:
        try:
            sizes[path.name] = read_image(path).pixels.shape[1:]
        except ImageError as problem:
            findings.append(one_line(problem))
    if case.mask is not None:
        try:
            mask = read_mask(case.mask)
        except ImageError as problem:
            findings.append(one_line(problem))
        else:
            sizes[f"mask {case.mask.name}"] = mask.shape
            values = tuple(int(value) for value in np.flatnonzero(np.bincount(mask.ravel())))
            findings += _of_values(case.mask, values, num_labels)
    if len(set(sizes.values())) > 1:
        listed = ", ".join(f"{name} {width} x {height}" for name, (height, width) in sizes.items())
        findings.append(f"{case.id}: different sizes: {listed}; export all files of a case at one size")
    return _Look(findings=tuple(findings), values=values)


def _of_values(mask: Path, values: Sequence[int], num_labels: int) -> list[str]:
    unknown = [value for value in values if value >= num_labels]
    if not unknown:
        return []
    shown = ", ".join(map(str, unknown[:8])) + (", ..." if len(unknown) > 8 else "")
    is_binary = unknown == [255] or len(unknown) > 8
    hint = (
        "convert masks of 0 and 255 with cervseg_convert paired"
        if is_binary
        else "correct the mask or add the labels to dataset.json"
    )
    return [f"{mask.name}: unknown label value {shown}; {hint}"]


def _of_whole(cases: Sequence[_Files], looks: Sequence[_Look], description: DatasetDescription) -> list[str]:
    if not cases:
        return ["imagesTr has no images"]
    found = []
    if description.num_training != len(cases):
        found.append(
            f"dataset.json: numTraining is {description.num_training}, but imagesTr has {len(cases)} case(s)"
        )
    masks = [look.values for look in looks if look.values is not None]
    if masks and all(not any(values) for values in masks):
        found.append(f"all {len(masks)} masks are empty; there is nothing to train on")
    return found


def _remarks(cases: Sequence[_Files], looks: Sequence[_Look], description: DatasetDescription) -> list[str]:
    remarks = []
    empty = [case.id for case, look in zip(cases, looks) if look.values is not None and not any(look.values)]
    if empty:
        remarks.append(f"{len(empty)} of {len(cases)} masks are empty ({_some(empty)})")
    seen = {value for look in looks for value in look.values or ()}
    if unused := [name for name, value in description.trained.items() if value not in seen]:
        remarks.append(f"no mask has the label {_some(unused)}")
    return remarks


def _of_unknown_names(description: DatasetDescription, known: Collection[str]) -> list[str]:
    remarks = []
    for field, ids in (("groups", description.groups), ("spacing_mm", description.spacing_mm)):
        if unknown := sorted(set(ids).difference(known)):
            remarks.append(
                f'"{field}" in dataset.json lists {len(unknown)} unknown case(s) ({_some(unknown)})'
            )
    return remarks


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
