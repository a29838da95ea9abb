"""Comparisons and agreement as tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from cervseg.core.comparison import Comparison, Estimate, PairTest
from cervseg.metrics.table import METRICS, PAPER_METRICS
from cervseg.tables.table import Table

LEVEL = 0.05
OVERALL_TABLE, PAIR_TABLE = "table_friedman", "table_pairs"  # names of their files
FEWEST_CASES = 10  # below this, see evaluation.statistics.bootstrap_mean
_MEAN = "Mean [95 % bootstrap interval over cases]. u: cases in which the metric is undefined (left out)."
_FEW = f" An interval of fewer than {FEWEST_CASES} cases is too narrow; with 3 cases it is about the range."
_FRIEDMAN = (
    "Over the cases in which every system has a value; the others are left out and counted. "
    "W: Kendall's W, from 0 (no common order) to 1 (the same order in every case)."
)
_PAIRS = (
    "Wilcoxon's signed-rank test, two-sided; cases without a difference (ties) are left out; p-values are "
    "corrected for all pairs of one metric. Differences are first minus second. Effect: matched-pairs "
    f"rank-biserial correlation, from -1 to 1. *: below {LEVEL}. Better: the system with the better ranks, "
    f"where Bonferroni's p is below {LEVEL}."
)


def p_value(p: float | None) -> str:
    """Format a p-value as papers do: three decimals, or "< 0.001"."""
    if p is None:
        return "-"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def estimate_text(estimate: Estimate, metric: str) -> str:
    """Format the mean, the standard deviation over seeds, the interval and the undefined cases."""
    number = METRICS[metric].text
    text = number(estimate.mean)
    if estimate.seed_std is not None:
        text += f" ± {number(estimate.seed_std)}"
    if estimate.low is not None:
        text += f" [{number(estimate.low)}, {number(estimate.high)}]"
    return f"{text} ({estimate.num_undefined} u)" if estimate.num_undefined else text


def score_rows(
    systems: Mapping[str, Mapping[str, Estimate]], *, metrics: Sequence[str], notes: Sequence[str] = ()
) -> Table:
    """Make a table of means: systems down, metrics across.

    Args:
        systems: name -> metric -> estimate.
        metrics: columns, names in ``METRICS``.
        notes: sentences below the table.
    """
    rows = [
        (name, *(estimate_text(found[m], m) if m in found else "not available" for m in metrics))
        for name, found in systems.items()
    ]
    return Table(
        name="table_scores",
        title="Scores",
        note=" ".join([f"{_MEAN}{_warning(systems.values())}", *notes]),
        columns=("System", *(METRICS[m].title for m in metrics)),
        rows=tuple(rows),
    )


def overall_table(comparisons: Sequence[Comparison]) -> Table:
    """Make a table with one row per metric (and variant): Friedman's test and the mean ranks."""
    systems = list(dict.fromkeys(name for found in comparisons for name in found.systems))
    has_variants = any(found.variant for found in comparisons)
    rows = [
        (
            *([found.variant] if has_variants else []),
            found.metric,
            str(found.num_cases) + (f" ({found.num_left_out} left out)" if found.num_left_out else ""),
            "-" if found.statistic is None else f"{found.statistic:.2f}",
            p_value(found.p),
            "-" if found.kendalls_w is None else f"{found.kendalls_w:.3f}",
            *(f"{found.mean_rank[name]:.2f}" if name in found.mean_rank else "-" for name in systems),
        )
        for found in comparisons
    ]
    notes = list(dict.fromkeys(found.note for found in comparisons if found.note))
    return Table(
        name=OVERALL_TABLE,
        title="Friedman's test and mean ranks (1 is best)",
        note=" ".join([_FRIEDMAN, *(f"{note}." for note in notes)]),
        columns=(
            *(["Variant"] if has_variants else []),
            "Metric",
            "Cases",
            "Chi-squared",
            "p",
            "W",
            *systems,
        ),
        rows=tuple(rows),
        num_keys=2 if has_variants else 1,
    )


def pair_table(comparisons: Sequence[Comparison]) -> Table:
    """Make a table with one row per pair of systems and metric: Wilcoxon's signed-rank tests."""
    has_variants = any(found.variant for found in comparisons)
    rows = [
        (
            *([found.variant] if has_variants else []),
            found.metric,
            f"{pair.first} - {pair.second}",
            "-" if pair.median_difference is None else METRICS[found.metric].text(pair.median_difference),
            p_value(pair.p),
            _marked(pair.p_bonferroni),
            _marked(pair.p_holm),
            "-" if pair.effect is None else f"{pair.effect:.2f}",
            _better(pair, found.metric),
            "; ".join(filter(None, (f"{pair.num_ties} ties" if pair.num_ties else "", pair.note))),
        )
        for found in comparisons
        for pair in found.pairs
    ]
    return Table(
        name=PAIR_TABLE,
        title="Pairs: Wilcoxon's signed-rank tests",
        note=_PAIRS,
        columns=(
            *(["Variant"] if has_variants else []),
            "Metric",
            "Pair",
            "Median difference",
            "p",
            "p Bonferroni",
            "p Holm",
            "Effect",
            "Better",
            "Remarks",
        ),
        rows=tuple(rows),
        num_keys=3 if has_variants else 2,
    )


def _marked(p: float | None) -> str:
    return p_value(p) + (" *" if p is not None and p < LEVEL else "")


def _better(pair: PairTest, metric: str) -> str:
    """Name the system with the better ranks where Bonferroni's p shows a difference; else ""."""
    if pair.p_bonferroni is None or pair.p_bonferroni >= LEVEL or not pair.effect:
        return ""
    return pair.first if (pair.effect > 0) != bool(METRICS[metric].lower_is_better) else pair.second


def _warning(rows: Iterable[Mapping[str, Estimate]]) -> str:
    counts = [estimate.num_cases for found in rows for estimate in found.values() if estimate.low is not None]
    return _FEW if counts and min(counts) < FEWEST_CASES else ""


def agreement_table(rows: Mapping[str, Mapping[str, Estimate]], *, num_images: int) -> Table:
    """Make a table of agreement: pairs and groups of pairs down, metrics across.

    Args:
        rows: name of the pair or group -> metric -> estimate.
        num_images: number of images for which all have a mask.
    """
    return Table(
        name="table_agreement",
        title="Agreement",
        note=f"Mean [95 % bootstrap interval over images] over {num_images} image(s) that all have. Every "
        "metric is symmetric: nobody is the reference. u: images in which the metric is undefined, because "
        "one or both masks are empty. Minus raters: the model's mean with the raters minus the raters' mean "
        f"with each other, per image.{_warning(rows.values())}",
        columns=("Pair", *(METRICS[metric].title for metric in PAPER_METRICS)),
        rows=tuple(
            (name, *(estimate_text(found[metric], metric) for metric in PAPER_METRICS))
            for name, found in rows.items()
        ),
    )
