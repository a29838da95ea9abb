"""From the summaries of several systems to tests of their differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from cervseg.core.errors import DatasetError
from cervseg.core.folders import FoldFolder, PredictionFolder
from cervseg.core.jsonio import write_json
from cervseg.evaluation.comparing import read_systems
from cervseg.tables.comparisons import overall_table, pair_table, score_rows
from cervseg.tables.formats import write_tables
from cervseg.tables.table import Table


def compare(
    summaries: Mapping[str, str | Path],
    *,
    output: str | Path | None = None,
    metrics: Sequence[str] | None = None,
    label: str | None = None,
) -> list[Table]:
    """Test whether systems that were scored on the same cases differ.

    Args:
        summaries: name -> summary.json of cervseg or nnU-Net v2.
        output: folder for the tables (CSV, LaTeX, Markdown, JSON) and comparisons.json.
        metrics: names of metrics; by default ``COMPARED_METRICS``, as far as every summary has them.
        label: label to compare; by default the mean over the labels, per case.

    Returns:
        Scores, Friedman's tests and pairwise tests, as tables.

    Raises:
        DatasetError: see :func:`cervseg.evaluation.comparing.read_systems`.
    """
    systems = read_systems(
        {name: Path(path) for name, path in summaries.items()}, metrics=metrics, label=label
    )
    comparisons = systems.comparisons()
    tables = [
        score_rows(systems.estimates(), metrics=systems.metrics, notes=systems.notes),
        overall_table(comparisons),
        pair_table(comparisons),
    ]
    if output is not None:
        write_tables(tables, Path(output))
        write_json(Path(output) / "comparisons.json", comparisons)
    return tables


def named_summaries(texts: Sequence[str]) -> dict[str, Path]:
    """Parse ``NAME=summary.json``, or a path alone, which is then named after its model's folder.

    Args:
        texts: one per system.

    Raises:
        DatasetError: a file is missing or a name is used twice.
    """
    found: dict[str, Path] = {}
    for text in texts:
        name, equals, path = ("", "", text) if Path(text).exists() else text.partition("=")
        file = Path(path if equals else text)
        file = PredictionFolder(file).summary if file.is_dir() else file
        if not file.is_file():
            raise DatasetError("file not found", where=file, hint="cervseg_evaluate writes a summary.json")
        name = name if equals else _name_of(file)
        if name in found:
            raise DatasetError(f"the name {name!r} is used twice", hint=f"Write {name}2={file}")
        found[name] = file
    return found


def _name_of(file: Path) -> str:
    """The model that a summary belongs to, by the folders that it is in."""
    folder = file.resolve().parent
    while FoldFolder.is_fold(folder) or folder.name == "validation":
        folder = folder.parent
    return folder.name.removesuffix("__plans__original") or file.stem
