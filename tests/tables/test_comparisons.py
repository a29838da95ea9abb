from cervseg.core.comparison import Comparison, Estimate, PairTest
from cervseg.metrics.table import PAPER_METRICS
from cervseg.tables.comparisons import (
    agreement_table,
    estimate_text,
    overall_table,
    p_value,
    pair_table,
    score_rows,
)
from cervseg.tables.formats import as_latex, as_text
from cervseg.tables.table import Table


def comparison(metric: str, *, effect: float, p: float | None, variant: str = "") -> Comparison:
    """Two systems on nine cases."""
    pair = PairTest(
        first="A",
        second="B",
        median_difference=0.1,
        num_cases=9,
        num_ties=2,
        statistic=1.0,
        p=p,
        p_bonferroni=p,
        p_holm=p,
        effect=effect,
        note="",
    )
    return Comparison(
        metric=metric,
        variant=variant,
        systems=("A", "B"),
        num_cases=9,
        num_left_out=1,
        mean_rank={"A": 1.25, "B": 1.75},
        statistic=None,
        p=None,
        kendalls_w=None,
        pairs=(pair,),
        note="Friedman's test needs three systems",
    )


def column(table: Table, name: str) -> list[str]:
    return [row[table.columns.index(name)] for row in table.rows]


def estimate(num_cases: int, num_undefined: int = 0) -> Estimate:
    return Estimate(
        mean=0.91234, low=0.9, high=0.92, seed_std=None, num_cases=num_cases, num_undefined=num_undefined
    )


def test_who_is_better() -> None:
    """More Dice, less HD95, and nobody where the corrected p shows nothing."""
    found = pair_table(
        [
            comparison("Dice", effect=0.9, p=0.01),
            comparison("HD95", effect=0.9, p=0.01),
            comparison("IoU", effect=0.9, p=0.2),
            comparison("VS", effect=0.9, p=None),
        ]
    )
    assert column(found, "Better") == ["A", "B", "", ""]
    assert column(found, "p Holm") == ["0.010 *", "0.010 *", "0.200", "-"]
    assert column(found, "Remarks") == ["2 ties"] * 4


def test_variants_have_a_column_where_there_are_any() -> None:
    """A comparison of summaries has none."""
    plain, varied = (
        comparison("Dice", effect=1, p=0.01),
        comparison("Dice", effect=1, p=0.01, variant="clahe"),
    )
    for table in (pair_table, overall_table):
        assert "Variant" not in table([plain]).columns
        assert column(table([plain, varied]), "Variant") == ["", "clahe"]


def test_ranks_and_what_could_not_be_done() -> None:
    """Ranks beside a dash for the test, and the reason in the note."""
    found = overall_table([comparison("Dice", effect=1, p=0.01)])
    assert found.rows == (("Dice", "9 (1 left out)", "-", "-", "-", "1.25", "1.75"),)
    assert "needs three systems." in found.note


def test_numbers_as_text() -> None:
    """p-values as papers print them, undefined ones counted."""
    assert [p_value(p) for p in (None, 0.0004, 0.0306, 1.0)] == ["-", "< 0.001", "0.031", "1.000"]
    assert estimate_text(estimate(40, 2), "Dice") == "0.9123 [0.9000, 0.9200] (2 u)"


def test_few_cases_are_said() -> None:
    """An interval from nine cases carries a warning, one from ten does not."""
    for num_cases, is_few in ((9, True), (10, False)):
        found = score_rows({"A": {"Dice": estimate(num_cases)}}, metrics=["Dice"], notes=["Mind the gap."])
        assert ("too narrow" in found.note) == is_few
        assert "Mind the gap." in found.note
        agreed = agreement_table(
            {"A - B": dict.fromkeys(PAPER_METRICS, estimate(num_cases))}, num_images=num_cases
        )
        assert ("too narrow" in agreed.note) == is_few
        assert f"over the {num_cases} image(s)" in agreed.note


def test_formats() -> None:
    """Notes are wrapped in a terminal; "<" is no inverted question mark in LaTeX."""
    found = pair_table([comparison("Dice", effect=1, p=0.0001)])
    assert max(len(line) for line in as_text(found).splitlines()) <= 110
    assert "$<$ 0.001 *" in as_latex(found)
