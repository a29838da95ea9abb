"""The origin of points for a promptable model: a file, a folder of masks, or the reference masks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

PromptKind = Literal["points", "masks", "reference masks"]
ORACLE = "oracle: centroids of the reference masks"


@dataclass(frozen=True, kw_only=True)
class PromptSource:
    """Where points come from, in a form that is stored and compared.

    Args:
        kind: "points" (a file), "masks" (centroids of another model's masks) or "reference masks" (centroids
            of the masks that predictions are scored against: oracle prompts).
        path: the file or folder, absolute.
        digest: SHA-256 of the file's content or of the folder's listing; it changes when the points do.
    """

    kind: PromptKind
    path: str
    digest: str = ""

    @property
    def is_oracle(self) -> bool:
        """Are the points taken from the reference masks?"""
        return self.kind == "reference masks"

    @property
    def sentence(self) -> str:
        """The source in words."""
        if self.is_oracle:
            return ORACLE
        return f"points in {self.path}" if self.kind == "points" else f"centroids of the masks in {self.path}"

    def scored_against(self, references: Path) -> PromptSource:
        """The same source, marked as "reference masks" if ``references`` is its folder of masks."""
        is_reference = self.kind == "masks" and Path(self.path) == references.resolve()
        return replace(self, kind="reference masks") if is_reference else self
