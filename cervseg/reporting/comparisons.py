"""Comparisons and agreement as tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from cervseg.core.study import LOWER_IS_BETTER, MEASURES, Comparison, Estimate, PairTest, Table

LEVEL = 0.05
_DECIMALS = {"HD95": 2, "HD95_max_directed": 2, "HD95_missed_as_diagonal": 2, "HD95_mm": 2}
_MEAN = "Mean [95 % bootstrap interval over cases]; u: cases in which a measure is undefined, left out."
FEWEST_CASES = 10  # below, see evaluation.statistics.bootstrap_mean
_FRIEDMAN = (
    "Over the cases in which every system has a value; the others are left out and counted. "
    "W: Kendall's, 0 (no common order) to 1 (the same order in every case)."
)
_PAIRS = (
    "Wilcoxon's signed-rank test, two-sided, cases without a difference (ties) left out; corrected for all "
    "pairs of one measure. Differences are first minus second. Effect: matched-pairs rank-biserial "
    f"correlation, -1 to 1. * below {LEVEL}; better: by ranks, where Bonferroni's p is below {LEVEL}. "
    "HD95, MAE: less is better."
)
_FEW = f" An interval from fewer than {FEWEST_CASES} cases is too narrow: with 3 take it for a range."


def number(value: float | None, measure: str = "") -> str:
    """A score with as many decimals as its measure has; "undefined" for None."""
    return "undefined" if value is None else f"{value:.{_DECIMALS.get(measure, 4)}f}"


def p_value(p: float | None) -> str:
    """A p-value as papers print it."""
    if p is None:
        return "-"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def estimate_text(estimate: Estimate, measure: str) -> str:
    """Mean, spread over seeds, interval, and in how many cases it is undefined."""
    text = number(estimate.mean, measure)
    if estimate.seed_std is not None:
        text += f" ± {number(estimate.seed_std, measure)}"
    if estimate.low is not None:
        text += f" [{number(estimate.low, measure)}, {number(estimate.high, measure)}]"
    return f"{text} ({estimate.num_undefined} u)" if estimate.num_undefined else text


def score_rows(
    systems: Mapping[str, Mapping[str, Estimate]], *, measures: Sequence[str], notes: Sequence[str] = ()
) -> Table:
    """Systems down, measures across; ``notes`` below."""
    rows = [
        (name, *(estimate_text(found[m], m) if m in found else "not there" for m in measures))
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
        columns=("System", *measures),
        rows=tuple(rows),
    )


def overall_table(comparisons: Sequence[Comparison]) -> Table:
    """A line a measure: Friedman's test and the mean ranks."""
    systems = list(dict.fromkeys(name for found in comparisons for name in found.systems))
    has_variants = any(found.variant for found in comparisons)
    rows = [
        (
            *([found.variant] if has_variants else []),
            found.measure,
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
            "Measure",
            "Cases",
            "Chi-squared",
            "p",
            "W",
            *systems,
        ),
        rows=tuple(rows),
    )


def pair_table(comparisons: Sequence[Comparison]) -> Table:
    """A line a pair and measure."""
    has_variants = any(found.variant for found in comparisons)
    rows = [
        (
            *([found.variant] if has_variants else []),
            found.measure,
            f"{pair.first} - {pair.second}",
            "-" if pair.median_difference is None else number(pair.median_difference, found.measure),
            p_value(pair.p),
            _marked(pair.p_bonferroni),
            _marked(pair.p_holm),
            "-" if pair.effect is None else f"{pair.effect:.2f}",
            _better(pair, found.measure),
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
            "Measure",
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


def _better(pair: PairTest, measure: str) -> str:
    """The system that the ranks favour, where Bonferroni's p shows a difference."""
    if pair.p_bonferroni is None or pair.p_bonferroni >= LEVEL or not pair.effect:
        return ""
    return pair.first if (pair.effect > 0) != (measure in LOWER_IS_BETTER) else pair.second


def _warning(rows: Iterable[Mapping[str, Estimate]]) -> str:
    counts = [estimate.num_cases for found in rows for estimate in found.values() if estimate.low is not None]
    return _FEW if counts and min(counts) < FEWEST_CASES else ""


def agreement_table(rows: Mapping[str, Mapping[str, Estimate]], *, num_films: int) -> Table:
    """Pairs, and what follows from them, down; measures across.

    Args:
        rows: what is compared -> measure -> estimate.
        num_films: how many films all have.
    """
    return Table(
        name="table_agreement",
        title="Agreement",
        note=f"Mean [95 % bootstrap interval over films] over the {num_films} film(s) that all have. HD95 in "
        "px, both directed sets of distances pooled. Every measure is symmetric: nobody is the reference. "
        "u: films in which a measure is undefined, as nobody or only one of two has marked anything. "
        f"Minus raters: the model's mean with the raters less the raters' with each other, film by film."
        f"{_warning(rows.values())}",
        columns=("Pair", *MEASURES),
        rows=tuple(
            (name, *(estimate_text(found[measure], measure) for measure in MEASURES))
            for name, found in rows.items()
        ),
    )
