"""log.jsonl: one line per epoch, appended during training."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cervseg.core.atomic import atomic_path
from cervseg.core.jsonio import to_json


@dataclass(frozen=True, kw_only=True)
class Logbook:
    """The log of one fold. Keys of a row: epoch, loss, terms, val_dice, learning_rate, seconds, elapsed_s."""

    path: Path

    def append(self, row: dict[str, Any]) -> None:
        """Add one row."""
        with open(self.path, "a", encoding="utf-8") as stream:
            stream.write(json.dumps(to_json(row), allow_nan=False) + "\n")

    def rows(self) -> list[dict[str, Any]]:
        """Return all rows; an incomplete last line of a killed run is left out."""
        if not self.path.is_file():
            return []
        rows = []
        for line in self.path.read_text(encoding="utf-8").splitlines():
            try:
                rows.append(json.loads(line))
            except json.JSONDecodeError:
                break
        return rows

    def keep_before(self, epoch: int) -> None:
        """Drop the rows of ``epoch`` and later: training resumes there."""
        kept = [row for row in self.rows() if row["epoch"] < epoch]
        with atomic_path(self.path) as temporary:
            temporary.write_text("".join(json.dumps(row) + "\n" for row in kept), encoding="utf-8")
