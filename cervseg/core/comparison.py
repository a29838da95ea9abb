"""Results of a comparison of systems on the same cases: estimates, tests and pairs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A mean over cases with its 95 % bootstrap interval.

    Args:
        mean: over the cases with a defined value; None where there is none.
        low, high: bounds of the interval; None for fewer than three cases.
        seed_std: sample standard deviation of the seeds' means; None for fewer than two seeds.
        num_cases: cases with a defined value.
        num_undefined: cases (of all seeds) in which the metric is undefined.
    """

    mean: float | None
    low: float | None
    high: float | None
    seed_std: float | None
    num_cases: int
    num_undefined: int


@dataclass(frozen=True, kw_only=True)
class PairTest:
    """Wilcoxon's signed-rank test (two-sided) of two systems on the same cases.

    Args:
        first, second: names of the systems.
        median_difference: median over the cases of first minus second.
        num_cases, num_ties: cases that both have, and those in which they are equal.
        statistic, p: of the test; None where the test is impossible (``note`` says why).
        p_bonferroni, p_holm: corrected for all pairs that were tested together.
        effect: matched-pairs rank-biserial correlation in [-1, 1]; positive where first is larger.
        note: why there is no test, or why its p cannot be small.
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
    """Comparison of several systems on the same cases, by one metric.

    Args:
        metric: name in ``METRICS``.
        variant: of the dataset; "" where there is none.
        systems: names, in their given order.
        num_cases: cases in which every system has a value; only these are compared.
        num_left_out: cases in which some system has none.
        mean_rank: system -> mean rank, 1 = best.
        statistic, p: Friedman's chi-squared and its p; None with fewer than three systems or too few cases.
        kendalls_w: effect size of Friedman's test, in [0, 1].
        pairs: every pair of systems.
        note: why there is no test, or why its p is approximate.
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
