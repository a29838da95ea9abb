import numpy as np
import pytest
from scipy import stats

from cervseg.core.errors import DatasetError
from cervseg.core.scores import CaseScore
from cervseg.evaluation.statistics import bootstrap_mean, case_values, compare_systems, estimate, holm
from cervseg.evaluation.summary import summarize


def named(values: list[float | None]) -> dict[str, float | None]:
    return {f"c{index:02d}": value for index, value in enumerate(values)}


def test_friedman_by_hand() -> None:
    """Four cases, three systems, always ranked 1, 2, 3: rank sums 4, 8, 12.

    chi2 = 12 / (n k (k + 1)) sum R^2 - 3 n (k + 1) = 12 / 48 * (16 + 64 + 144) - 48 = 56 - 48 = 8; it has
    k - 1 = 2 degrees of freedom, so p = exp(-8 / 2) = 0.018316. W = 8 / (4 * 2) = 1: all cases agree.
    """
    systems = {
        "best": named([0.9, 0.8, 0.7, 0.95]),
        "middle": named([0.8, 0.7, 0.6, 0.9]),
        "worst": named([0.1, 0.2, 0.3, 0.4]),
    }
    found = compare_systems(systems, metric="Dice")
    assert found.statistic == pytest.approx(8)
    assert found.p == pytest.approx(np.exp(-4))
    assert found.kendalls_w == pytest.approx(1)
    assert found.mean_rank == {"best": 1, "middle": 2, "worst": 3}
    # Smaller distances are better: the ranks are reversed, the test is the same.
    reversed_ = compare_systems(systems, metric="HD95")
    assert reversed_.mean_rank == {"best": 3, "middle": 2, "worst": 1}
    assert reversed_.statistic == pytest.approx(8)


def test_wilcoxon_by_hand() -> None:
    """Differences 1, 2, 3, 4, 5, 6, -7 have ranks 1 to 7: W- = 7, W+ = 21, the statistic is 7.

    Of the 2^7 = 128 ways to sign seven ranks, those with W- <= 7 are the sets of distinct ranks with a sum
    of at most 7: 1 + 1 + 1 + 2 + 2 + 3 + 4 + 5 = 19 (sums 0 to 7). Two-sided p = 2 * 19 / 128 = 0.296875.
    Rank-biserial correlation: (21 - 7) / 28 = 0.5.
    """
    second = [10.0] * 7
    first = [10.0 + d for d in (1, 2, 3, 4, 5, 6, -7)]
    pair = compare_systems({"a": named(first), "b": named(second)}, metric="HD95").pairs[0]
    assert pair.statistic == 7
    assert pair.p == pytest.approx(2 * 19 / 128)
    assert pair.p_bonferroni == pair.p_holm == pair.p
    assert pair.effect == pytest.approx(0.5)
    assert pair.median_difference == 3
    assert (pair.num_cases, pair.num_ties, pair.note) == (7, 0, "")


def test_corrections_by_hand() -> None:
    """Of .01, .04, .03: Bonferroni times 3; Holm 3 * .01, then 2 * .03, then max(.06, .04)."""
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_equal_to_scipy_on_random_numbers_with_ties() -> None:
    """Five systems on 40 cases, rounded so that ties occur."""
    rng = np.random.default_rng(3)
    table = np.round(0.8 + 0.1 * rng.standard_normal((40, 5)) + np.arange(5) * 0.02, 2)
    systems = {str(k): named(list(table[:, k])) for k in range(5)}
    found = compare_systems(systems, metric="Dice")
    expected = stats.friedmanchisquare(*table.T)
    assert (found.statistic, found.p) == pytest.approx((expected.statistic, expected.pvalue))
    assert len(found.pairs) == 10
    assert any(pair.num_ties for pair in found.pairs)
    raw = []
    for pair in found.pairs:
        a, b = table[:, int(pair.first)], table[:, int(pair.second)]
        # As scipy advises: 0.84 - 0.82 and 0.82 - 0.80 differ in their last bit, and would not be ties.
        scipys = stats.wilcoxon(np.round(a - b, 12), zero_method="wilcox")
        assert (pair.statistic, pair.p) == pytest.approx((scipys.statistic, scipys.pvalue))
        raw.append(scipys.pvalue)
    assert [pair.p_bonferroni for pair in found.pairs] == pytest.approx([min(1, 10 * p) for p in raw])


def test_equal_sums_are_ties() -> None:
    """0.1 + 0.2 and 0.3 differ by rounding alone: no difference, and no rank of its own."""
    first, second = [0.1 + 0.2, 0.9, 0.8], [0.3, 0.9, 0.8]
    pair = compare_systems({"a": named(first), "b": named(second)}, metric="Dice").pairs[0]
    assert (pair.num_ties, pair.p, pair.note) == (3, None, "equal in every case")


def test_equal_systems_do_not_ease_the_correction() -> None:
    """a = b, c below both in all 8 cases: p = 2 / 2^8 twice, times 3 pairs though one had no test."""
    high, low = [0.9 + 0.001 * k for k in range(8)], [0.5 + 0.002 * k for k in range(8)]
    systems = {"a": named(high), "b": named(high), "c": named(low)}
    found = {(p.first, p.second): p for p in compare_systems(systems, metric="Dice").pairs}
    assert found["a", "b"].p_bonferroni is None
    assert found["a", "c"].p == pytest.approx(2 / 256)
    assert found["a", "c"].p_bonferroni == pytest.approx(6 / 256)
    assert (found["a", "c"].p_holm, found["b", "c"].p_holm) == pytest.approx((6 / 256, 6 / 256))


def test_a_correction_that_nothing_can_pass_is_said() -> None:
    """Seven differences in one direction: p = 2 / 128 = .016, but for three pairs .047 and for six .094."""
    columns = {str(k): named([0.1 * k + 0.01 * k * c for c in range(7)]) for k in range(1, 5)}
    three = compare_systems({name: columns[name] for name in "123"}, metric="Dice")
    assert [pair.note for pair in three.pairs] == [""] * 3
    six = compare_systems(columns, metric="Dice")
    assert {pair.note for pair in six.pairs} == {"only 7 differences: Bonferroni's p cannot fall below 0.05"}


def test_holm_is_statsmodels() -> None:
    """On random p-values; skipped where statsmodels, which the project does not need, is not installed."""
    multitest = pytest.importorskip("statsmodels.stats.multitest", reason="statsmodels is not installed")
    p_values = list(np.random.default_rng(0).uniform(0, 0.2, 12))
    np.testing.assert_allclose(holm(p_values), multitest.multipletests(p_values, method="holm")[1])


def test_undefined_cases_are_left_out_and_counted() -> None:
    """A case that any system misses compares nobody; it is not taken for zero."""
    systems = {
        "a": named([0.9, None, 0.8, 0.7]),
        "b": named([0.8, 0.9, None, 0.6]),
        "c": named([0.7, 0.8, 0.7, 0.5]),
    }
    found = compare_systems(systems, metric="Dice")
    assert (found.num_cases, found.num_left_out) == (2, 2)
    assert found.pairs[0].num_cases == 2
    assert "only 2 difference(s)" in found.pairs[0].note


def test_what_cannot_be_tested_is_said() -> None:
    """Two systems, equal systems, no common case: no p is invented."""
    two = compare_systems({"a": named([0.1] * 8), "b": named([0.1] * 8)}, metric="Dice")
    assert (two.statistic, two.p, two.note) == (None, None, "Friedman's test needs three systems")
    assert (two.pairs[0].p, two.pairs[0].num_ties, two.pairs[0].note) == (None, 8, "equal in every case")
    three = compare_systems({name: named([0.5, 0.6]) for name in "abc"}, metric="Dice")
    assert (three.p, three.note) == (None, "all systems are equal in every case")
    none = compare_systems({"a": {"x": 1.0}, "b": {"y": 1.0}}, metric="Dice")
    assert (none.num_cases, none.num_left_out, none.mean_rank) == (0, 2, {})
    assert none.pairs[0].note == "no case in common"
    with pytest.raises(ValueError, match="two systems"):
        compare_systems({"a": named([1.0])}, metric="Dice")


def test_the_interval_holds_the_mean_of_a_normal_sample() -> None:
    """About mean +- 1.96 s / sqrt(n); the same every time; none for two values."""
    values = list(np.random.default_rng(1).normal(0.9, 0.05, 200))
    mean, low, high = bootstrap_mean(values)
    half = 1.96 * np.std(values, ddof=1) / np.sqrt(200)
    assert mean is not None
    assert (low, high) == pytest.approx((mean - half, mean + half), abs=half / 5)
    assert bootstrap_mean(values) == (mean, low, high)
    assert bootstrap_mean([0.1, 0.3]) == (pytest.approx(0.2), None, None)
    assert bootstrap_mean([]) == (None, None, None)


def test_an_estimate_over_seeds() -> None:
    """Means over seeds first; the spread is that of the seeds' means; what is undefined is counted."""
    found = estimate([named([0.8, 0.9, None]), named([0.6, 0.7, 0.5])])
    assert found.mean == pytest.approx((0.7 + 0.8 + 0.5) / 3)
    assert found.seed_std == pytest.approx(np.std([0.85, 0.6], ddof=1))
    assert (found.num_cases, found.num_undefined) == (3, 1)
    assert estimate([named([0.8, 0.9])]).seed_std is None


def test_values_of_a_summary() -> None:
    """Over labels or of one; None where no label defines it; wrong names are refused."""
    scores = [
        CaseScore(case="x", metrics={"a": {"Dice": 0.5}, "b": {"Dice": 0.7}}),
        CaseScore(case="y", metrics={"a": {"Dice": None}, "b": {"Dice": 0.9}}),
        CaseScore(case="z", metrics={"a": {"Dice": None}, "b": {"Dice": None}}),
    ]
    summary = summarize(scores, labels={"a": 1, "b": 2})
    assert case_values(summary, "Dice") == {"x": pytest.approx(0.6), "y": 0.9, "z": None}
    assert case_values(summary, "Dice", label="a") == {"x": 0.5, "y": None, "z": None}
    with pytest.raises(DatasetError, match="unknown label 'c'"):
        case_values(summary, "Dice", label="c")
    with pytest.raises(DatasetError, match="no metric 'IoU'"):
        case_values(summary, "IoU")
