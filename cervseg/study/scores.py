"""Estimates and comparisons from the per-case scores of a study's models."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cervseg.core.comparison import Comparison, Estimate
from cervseg.core.scores import Summary
from cervseg.core.study import Study, StudyModelResult
from cervseg.evaluation.statistics import case_values, compare_systems, estimate
from cervseg.evaluation.summary import read_summary
from cervseg.metrics.table import COMPARED_METRICS

Values = Mapping[str, float | None]  # case -> value


@dataclass(frozen=True, kw_only=True)
class Scores:
    """The summaries of a study, one per model."""

    study: Study
    summaries: Mapping[str, Summary]  # by StudyModelResult.summary

    @classmethod
    def read(cls, study: Study, folder: Path) -> Scores:
        """Read the summaries.

        Args:
            study: the finished models.
            folder: the folder of the dataset's results.
        """
        return cls(
            study=study,
            summaries={result.summary: read_summary(folder / result.summary) for result in study.models},
        )

    @property
    def metrics(self) -> tuple[str, ...]:
        """The compared metrics that every summary has; a summary of an older version may lack one."""
        found = [{name for means in s.mean.values() for name in means} for s in self.summaries.values()]
        return tuple(name for name in COMPARED_METRICS if all(name in names for names in found))

    def by_seed(self, trainer: str, variant: str, metric: str) -> list[Values]:
        """Return case -> value, one mapping per seed; several labels are averaged."""
        return [case_values(self.summaries[result.summary], metric) for result in self._of(trainer, variant)]

    def over_seeds(self, trainer: str, variant: str, metric: str) -> dict[str, float | None]:
        """Return case -> mean over the seeds in which the metric is defined; None if there is none."""
        seeds = self.by_seed(trainer, variant, metric)
        found: dict[str, float | None] = {}
        for case in seeds[0]:
            values = [value for seed in seeds if (value := seed.get(case)) is not None]
            found[case] = math.fsum(values) / len(values) if values else None
        return found

    def estimates(self) -> dict[tuple[str, str], dict[str, Estimate]]:
        """Return (trainer, variant) -> metric -> mean with its interval."""
        return {
            (trainer, variant): {
                metric: estimate(self.by_seed(trainer, variant, metric)) for metric in self.metrics
            }
            for trainer, variant in self.pairs
        }

    def comparisons(self) -> list[Comparison]:
        """Compare the trainers of each variant by each metric; needs at least two trainers."""
        found = []
        for variant in dict.fromkeys(variant for _, variant in self.pairs):
            names = {self.title(t, v): t for t, v in self.pairs if v == variant}
            if len(names) < 2:
                continue
            for metric in self.metrics:
                systems = {title: self.over_seeds(t, variant, metric) for title, t in names.items()}
                found.append(compare_systems(systems, metric=metric, variant=variant))
        return found

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """(trainer, variant) of every finished model, each once."""
        return list(dict.fromkeys((r.model.trainer, r.model.variant) for r in self.study.models))

    def title(self, trainer: str, variant: str) -> str:
        """Return the name of a trainer in tables and figures."""
        return self._of(trainer, variant)[0].title

    def _of(self, trainer: str, variant: str) -> list[StudyModelResult]:
        return [r for r in self.study.models if (r.model.trainer, r.model.variant) == (trainer, variant)]
