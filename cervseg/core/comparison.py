"""The results of comparing systems on the same cases: estimates, tests and their pairs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A mean over cases with its 95 % bootstrap interval; None where nothing is defined.

    ``seed_std`` is the sample standard deviation of the seeds' means; None with fewer than two seeds.
    ``num_undefined`` counts cases (all seeds together) in which the metric has no value.
    """

    mean: float | None
    low: float | None
    high: float | None
    seed_std: float | None
    num_cases: int
    num_undefined: int


@dataclass(frozen=True, kw_only=True)
class PairTest:
    """Two systems on the same cases: Wilcoxon's signed-rank test, two-sided.

    Args:
        first, second: names of the systems.
        median_difference: of first minus second over the cases.
        num_cases, num_ties: cases that both have, and those in which they are equal.
        statistic, p: of the test; None where it cannot be made (``note`` says why).
        p_bonferroni, p_holm: corrected for all pairs that were tested together.
        effect: matched-pairs rank-biserial correlation, -1 to 1; positive: first is larger.
    """

    first: str
    second: str
    median_difference: float | None
    num_cases: int
    num_ties: int
    statistic: float | None
    p: float | None
    p_bonferroni: float | None
    p_holm: float | None
    effect: float | None
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Several systems on the same cases, by one metric.

    Args:
        metric: "Dice" and the like.
        variant: of the dataset; empty where there is none.
        systems: names, in the order they were given.
        num_cases: cases in which every system has a value; only these are compared.
        num_left_out: cases in which some system has none.
        mean_rank: system -> mean rank, 1 = best.
        statistic, p: Friedman's chi-squared and its p; None with fewer than three systems or too few cases.
        kendalls_w: Friedman's effect size, 0 to 1.
        pairs: every pair of systems.
        note: what could not be done and why.
    """

    metric: str
    variant: str
    systems: tuple[str, ...]
    num_cases: int
    num_left_out: int
    mean_rank: dict[str, float]
    statistic: float | None
    p: float | None
    kendalls_w: float | None
    pairs: tuple[PairTest, ...]
    note: str = ""
