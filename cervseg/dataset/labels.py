"""What the labels of a dataset must be."""

from __future__ import annotations

from collections.abc import Mapping

from cervseg.core.errors import DatasetError

# Masks are stored in 8 bits on their way to the network.
MAX_LABEL = 255


def check_labels(labels: Mapping[str, int], *, where: object) -> None:
    """Check label names and numbers.

    Args:
        labels: name -> number.
        where: the dataset's folder, file or option, for messages.

    Raises:
        DatasetError: not background = 0 and then 1, 2, ..., no label beside it, more than 255, an empty name.
    """
    values = sorted(labels.values())
    if labels.get("background") != 0:
        raise DatasetError(
            '"labels" must hold "background": 0', where=where, hint='Write {"background": 0, "bone": 1}.'
        )
    if values != list(range(len(values))):
        raise DatasetError(
            f"labels must be numbered 0, 1, 2, ... without gaps, they are {', '.join(map(str, values))}",
            where=where,
            hint="Renumber them in dataset.json and in the masks.",
        )
    if not 2 <= len(values) <= MAX_LABEL + 1:
        raise DatasetError(f"there must be 1 to {MAX_LABEL} labels beside the background", where=where)
    if not all(name.strip() for name in labels):
        raise DatasetError("a label has no name", where=where)
