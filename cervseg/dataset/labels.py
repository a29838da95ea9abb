"""The rules for the labels of a dataset."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import numpy as np

from cervseg.core.errors import DatasetError

# Masks are stored in 8 bits.
MAX_LABEL = 255


def number_labels(names: Iterable[str], *, auxiliary: Collection[str] = ()) -> dict[str, int]:
    """Number labels 1, 2, ... in the given order, the auxiliary ones last.

    Args:
        names: of the labels, without the background; repeated names count once.
        auxiliary: those that are trained but neither shown nor scored.
    """
    ordered = sorted(dict.fromkeys(names), key=lambda name: name in auxiliary)  # sorting keeps the order
    return {name: number for number, name in enumerate(ordered, start=1)}


def check_labels(labels: Mapping[str, int], *, where: object, auxiliary: Collection[str] = ()) -> None:
    """Check label names and numbers, and which labels are auxiliary.

    Args:
        labels: name -> number.
        where: the dataset's folder, file or option, for messages.
        auxiliary: names of labels that are trained but neither shown nor scored.

    Raises:
        DatasetError: the numbers are not background = 0, then 1, 2, ..., there are no labels or more than
            255, or a name is empty; an auxiliary label is unknown or the background, or no other label is
            left, or one of the others has a higher number.
    """
    values = sorted(labels.values())
    if labels.get("background") != 0:
        raise DatasetError(
            'the label "background" with the value 0 is missing',
            where=where,
            hint='Write, for instance, {"background": 0, "bone": 1}',
        )
    if values != list(range(len(values))):
        raise DatasetError(
            f"labels must be numbered 0, 1, 2, ... without gaps, not {', '.join(map(str, values))}",
            where=where,
            hint="Renumber the labels, and the values in the masks",
        )
    if not 2 <= len(values) <= MAX_LABEL + 1:
        raise DatasetError(f"there must be 1 to {MAX_LABEL} labels besides the background", where=where)
    if not all(name.strip() for name in labels):
        raise DatasetError("a label has no name", where=where)
    _check_auxiliary(labels, auxiliary, where=where)


def keep_labels(mask: np.ndarray, labels: Mapping[str, int]) -> np.ndarray:
    """Make all other values of a mask background, such as those of auxiliary labels in a reference.

    Args:
        mask: H x W label values; a mask of 0 and 255 alone, which marks one label, is returned as it is.
        labels: name -> value of the labels to keep.

    Returns:
        H x W, same dtype.
    """
    known = np.isin(mask, list(labels.values()))
    if not known.any() and set(np.unique(mask).tolist()) <= {0, MAX_LABEL}:
        return mask
    return mask * known


def _check_auxiliary(labels: Mapping[str, int], auxiliary: Collection[str], *, where: object) -> None:
    unknown = [name for name in auxiliary if not labels.get(name)]
    if unknown:
        problem = "the background" if unknown[0] in labels else "not a label"
        known = ", ".join(name for name, value in labels.items() if value)
        raise DatasetError(
            f"auxiliary label {unknown[0]!r} is {problem}", where=where, hint=f"The labels are: {known}"
        )
    by_number = [name for name, value in sorted(labels.items(), key=lambda item: item[1]) if value]
    shown = [name for name in by_number if name not in auxiliary]
    if not shown:
        raise DatasetError(
            "all labels are auxiliary, so none is left to show and score",
            where=where,
            hint="Take the label that you want to segment out of the auxiliary labels",
        )
    if by_number[: len(shown)] != shown:
        order = [*shown, *(name for name in by_number if name in auxiliary)]
        numbers = ", ".join(f"{name} = {number}" for number, name in enumerate(order, start=1))
        raise DatasetError(
            "auxiliary labels must have the highest numbers",
            where=where,
            hint=f"Renumber the labels, and the values in the masks: {numbers}",
        )
