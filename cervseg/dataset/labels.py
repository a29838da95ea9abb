"""The rules for the labels of a dataset."""

from __future__ import annotations

from collections.abc import Mapping

from cervseg.core.errors import DatasetError

# Masks are stored in 8 bits.
MAX_LABEL = 255


def check_labels(labels: Mapping[str, int], *, where: object) -> None:
    """Check label names and numbers.

    Args:
        labels: name -> number.
        where: the dataset's folder, file or option, for messages.

    Raises:
        DatasetError: the numbers are not background = 0, then 1, 2, ..., there are no labels or more than
            255, or a name is empty.
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
