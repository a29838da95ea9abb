"""From masks of several raters and models to their agreement."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cervseg.core.jsonio import write_json
from cervseg.core.machine import num_cores
from cervseg.evaluation import agreement
from cervseg.tables.comparisons import agreement_table
from cervseg.tables.formats import write_tables
from cervseg.tables.table import Table


def agree(
    raters: Mapping[str, Path],
    models: Mapping[str, Path],
    *,
    output: Path | None = None,
    labels: Mapping[str, int] | None = None,
    workers: int | None = None,
    progress: bool = True,
) -> tuple[Table, list[str]]:
    """Score every pair of raters, and every model against every rater.

    Args:
        raters: name -> folder of masks.
        models: name -> folder of masks.
        output: folder for the table and agreement.json.
        labels: foreground names -> values; by default as :func:`cervseg.evaluate` finds them.
        workers: number of processes; by default one per core.
        progress: show progress bars.

    Returns:
        The table, and the images that were left out, each with the reason.

    Raises:
        DatasetError: see :func:`cervseg.evaluation.agreement.agree`.
    """
    found = agreement.agree(
        raters,
        models,
        labels=labels,
        workers=workers if workers is not None else num_cores(),
        progress=progress,
    )
    rows = {f"{pair.first} - {pair.second}": pair.estimates for pair in found.pairs}
    table = agreement_table({**rows, **found.groups}, num_images=len(found.images))
    left_out = [f"{image}: {why}" for image, why in found.left_out.items()]
    if output is not None:
        write_tables([table], output)
        write_json(output / "agreement.json", found)
    return table, left_out
