"""Comparisons and agreement as tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from cervseg.core.comparison import Comparison, Estimate, PairTest
from cervseg.metrics.table import METRICS, PAPER_METRICS
from cervseg.tables.table import Table

LEVEL = 0.05
_MEAN = "Mean [95 % bootstrap interval over cases]; u: cases in which a metric is undefined, left out."
FEWEST_CASES = 10  # below, see evaluation.statistics.bootstrap_mean
_FRIEDMAN = (
    "Over the cases in which every system has a value; the others are left out and counted. "
    "W: Kendall's, 0 (no common order) to 1 (the same order in every case)."
)
_PAIRS = (
    "Wilcoxon's signed-rank test, two-sided, cases without a difference (ties) left out; corrected for all "
    "pairs of one metric. Differences are first minus second. Effect: matched-pairs rank-biserial "
    f"correlation, -1 to 1. * below {LEVEL}; better: by ranks, where Bonferroni's p is below {LEVEL}."
)
_FEW = f" An interval from fewer than {FEWEST_CASES} cases is too narrow: with 3 take it for a range."


def p_value(p: float | None) -> str:
    """A p-value as papers print it."""
    if p is None:
        return "-"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def estimate_text(estimate: Estimate, metric: str) -> str:
    """Mean, spread over seeds, interval, and in how many cases it is undefined."""
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
    """Systems down, metrics across; ``notes`` below."""
    rows = [
        (name, *(estimate_text(found[m], m) if m in found else "not there" for m in metrics))
        for name, found in systems.items()
    ]
    return Table(
        name="table_scores",
        title="Scores",
        note=" ".join(
            [
                f"{_MEAN}{_warning(systems.values())}",
                *notes,
            ]
        ),
        columns=("System", *metrics),
        rows=tuple(rows),
    )


def overall_table(comparisons: Sequence[Comparison]) -> Table:
    """A line a metric: Friedman's test and the mean ranks."""
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
        name="table_friedman",
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
    )


def pair_table(comparisons: Sequence[Comparison]) -> Table:
    """A line a pair and metric."""
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
        name="table_pairs",
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
    )


def _marked(p: float | None) -> str:
    return p_value(p) + (" *" if p is not None and p < LEVEL else "")


def _better(pair: PairTest, metric: str) -> str:
    """The system that the ranks favour, where Bonferroni's p shows a difference."""
    if pair.p_bonferroni is None or pair.p_bonferroni >= LEVEL or not pair.effect:
        return ""
    return pair.first if (pair.effect > 0) != bool(METRICS[metric].lower_is_better) else pair.second


def _warning(rows: Iterable[Mapping[str, Estimate]]) -> str:
    counts = [estimate.num_cases for found in rows for estimate in found.values() if estimate.low is not None]
    return _FEW if counts and min(counts) < FEWEST_CASES else ""


def agreement_table(rows: Mapping[str, Mapping[str, Estimate]], *, num_images: int) -> Table:
    """Pairs, and what follows from them, down; metrics across.

    Args:
        rows: what is compared -> metric -> estimate.
        num_images: how many images all have.
    """
    return Table(
        name="table_agreement",
        title="Agreement",
        note=f"Mean [95 % bootstrap interval over images] over the {num_images} image(s) that all have. "
        "Every metric is symmetric: nobody is the reference. "
        "u: images in which a metric is undefined, as nobody or only one of two has marked anything. "
        f"Minus raters: the model's mean with the raters less the raters' with each other, image by image."
        f"{_warning(rows.values())}",
        columns=("Pair", *PAPER_METRICS),
        rows=tuple(
            (name, *(estimate_text(found[metric], metric) for metric in PAPER_METRICS))
            for name, found in rows.items()
        ),
    )
