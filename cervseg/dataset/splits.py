"""Folds for cross-validation; all images of a patient are in one fold."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cervseg.core.errors import DatasetError
from cervseg.core.jsonio import from_json, read_json, write_json
from cervseg.core.types import Case

_MAX_FINDINGS = 20


@dataclass(frozen=True)
class Fold:
    """The case ids of the training set and the validation set, each sorted."""

    train: tuple[str, ...]
    val: tuple[str, ...]


def make_folds(cases: Sequence[Case], *, num_folds: int = 5, seed: int = 12345) -> tuple[Fold, ...]:
    """Distribute the groups of ``cases`` over folds.

    If every case is its own group, the folds are nnU-Net's: scikit-learn's
    KFold(num_folds, shuffle=True, random_state=seed) over the sorted ids. Otherwise the sorted names of the
    groups are split in the same way. With fewer groups than folds there are fewer folds.

    Args:
        cases: the training cases.
        num_folds: number of folds, at least 2.
        seed: of the shuffle.

    Raises:
        DatasetError: there are fewer than two groups, or an id is duplicate.
        ValueError: ``num_folds`` is less than 2.
    """
    if num_folds < 2:
        raise ValueError(f"there must be at least 2 folds, got {num_folds}")
    members = defaultdict(list)
    for case in cases:
        members[case.group].append(case.id)
    names = sorted(members)
    ids = [case.id for case in cases]
    if len(set(ids)) != len(ids):
        raise DatasetError(f"duplicate case ids: {', '.join(sorted({i for i in ids if ids.count(i) > 1}))}")
    if len(names) < 2:
        raise DatasetError(
            f"{len(ids)} case(s) of {len(names)} patient(s) cannot be split into training and validation",
            hint='At least 2 patients are needed; check "groups" in dataset.json',
        )
    return tuple(
        Fold(
            train=tuple(sorted(case for name in names if name not in held_out for case in members[name])),
            val=tuple(sorted(case for name in held_out for case in members[name])),
        )
        for held_out in _shuffled_parts(names, num_parts=min(num_folds, len(names)), seed=seed)
    )


def write_folds(path: Path, folds: Sequence[Fold]) -> None:
    """Write nnU-Net's splits_final.json: a list of {"train": [...], "val": [...]}."""
    write_json(path, list(folds))


def read_folds(path: Path) -> tuple[Fold, ...]:
    """Read splits_final.json.

    Raises:
        DatasetError: the file is missing, not valid JSON, not in this format, or empty.
    """
    folds = from_json(list[Fold], read_json(path, error=DatasetError), where=str(path), error=DatasetError)
    if not folds:
        raise DatasetError(
            "no folds in this file", where=path, hint="Delete it; preprocessing writes it again"
        )
    return tuple(folds)


def check_folds(folds: Sequence[Fold], cases: Sequence[Case]) -> None:
    """Check folds, which may have been edited by hand, against the cases of the dataset.

    Args:
        folds: the folds.
        cases: the training cases.

    Raises:
        DatasetError: an id is unknown or duplicate, a case is in both sets of a fold, a group is split, or a
            set is empty; the message lists all findings (at most 20).
    """
    groups = {case.id: case.group for case in cases}
    findings = [
        f"fold {number}: {text}" for number, fold in enumerate(folds) for text in _findings(fold, groups)
    ]
    if findings:
        shown = [f"  {line}" for line in findings[:_MAX_FINDINGS]]
        if len(findings) > _MAX_FINDINGS:
            shown.append(f"  ... and {len(findings) - _MAX_FINDINGS} more")
        raise DatasetError(
            "the folds do not match the dataset:\n" + "\n".join(shown), where="splits_final.json"
        )


def _shuffled_parts(names: Sequence[str], *, num_parts: int, seed: int) -> list[list[str]]:
    """Split names as scikit-learn's KFold with shuffle; the first parts may be larger by one."""
    order = np.arange(len(names))
    np.random.RandomState(seed).shuffle(order)
    return [[names[index] for index in part] for part in np.array_split(order, num_parts)]


def _findings(fold: Fold, groups: dict[str, str]) -> list[str]:
    train, val = set(fold.train), set(fold.val)
    found = [f"{side} is empty" for side, ids in (("train", train), ("val", val)) if not ids]
    found += [f"unknown case {case!r}" for case in sorted((train | val) - groups.keys())]
    for side, ids in (("train", fold.train), ("val", fold.val)):
        found += [f"case {case!r} is repeated in {side}" for case in sorted(set(ids)) if ids.count(case) > 1]
    found += [f"case {case!r} is in both train and val" for case in sorted(train & val)]
    split = {groups[case] for case in train - val if case in groups}
    split &= {groups[case] for case in val - train if case in groups}
    found += [f"group {group!r} is in both train and val" for group in sorted(split)]
    return found
