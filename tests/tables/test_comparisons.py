from dataclasses import replace

from cervseg.core.comparison import Comparison, Estimate, PairTest
from cervseg.metrics.table import COMPARED_METRICS, PAPER_METRICS
from cervseg.tables.comparisons import (
    agreement_table,
    estimate_text,
    overall_table,
    p_value,
    pair_table,
    score_rows,
)
from cervseg.tables.formats import as_latex
from cervseg.tables.table import Table
from cervseg.tables.terminal import WIDTH, as_text


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
    """Higher Dice, lower HD95, and none where the corrected p shows no difference."""
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
    """A comparison of summaries has no such column."""
    plain, varied = (
        comparison("Dice", effect=1, p=0.01),
        comparison("Dice", effect=1, p=0.01, variant="clahe"),
    )
    for table in (pair_table, overall_table):
        assert "Variant" not in table([plain]).columns
        assert column(table([plain, varied]), "Variant") == ["", "clahe"]


def test_friedman_without_enough_systems() -> None:
    """Mean ranks, a dash for the test, and the reason in the note."""
    found = overall_table([comparison("Dice", effect=1, p=0.01)])
    assert found.rows == (("Dice", "9 (1 left out)", "-", "-", "-", "1.25", "1.75"),)
    assert "needs three systems." in found.note


def test_numbers_as_text() -> None:
    """p-values as papers print them, undefined ones counted."""
    assert [p_value(p) for p in (None, 0.0004, 0.0306, 1.0)] == ["-", "< 0.001", "0.031", "1.000"]
    assert estimate_text(estimate(40, 2), "Dice") == "0.9123 [0.9000, 0.9200] (2 u)"


def test_warning_for_few_cases() -> None:
    """An interval of nine cases has a warning, one of ten does not."""
    for num_cases, is_few in ((9, True), (10, False)):
        found = score_rows({"A": {"Dice": estimate(num_cases)}}, metrics=["Dice"], notes=["A note."])
        assert ("too narrow" in found.note) == is_few
        assert "A note." in found.note
        agreed = agreement_table(
            {"A - B": dict.fromkeys(PAPER_METRICS, estimate(num_cases))}, num_images=num_cases
        )
        assert ("too narrow" in agreed.note) == is_few
        assert f"over {num_cases} image(s)" in agreed.note


def test_less_than_in_latex() -> None:
    """ "<" is in math mode; in text mode it would be an inverted question mark."""
    assert "$<$ 0.001 *" in as_latex(pair_table([comparison("Dice", effect=1, p=0.0001)]))


def test_every_table_fits_the_terminal() -> None:
    """Six systems with long names, all metrics, with and without variants."""
    names = [
        f"{name} (oracle points)" for name in ("CervSpineNet", "U-Net", "Text-guided SegFormer", "SAM" * 20)
    ]
    one = replace(estimate(8, 2), seed_std=0.0123, mean=1234.5, low=1000.0, high=2000.0)
    shown = [
        score_rows({name: dict.fromkeys(COMPARED_METRICS, one) for name in names}, metrics=COMPARED_METRICS)
    ]
    shown.append(agreement_table({" - ".join(names[:2]): dict.fromkeys(PAPER_METRICS, one)}, num_images=8))
    for variant in ("", "augmented"):
        found = [
            replace(comparison(metric, effect=1, p=0.01, variant=variant), systems=tuple(names))
            for metric in COMPARED_METRICS
        ]
        note = "only 7 differences: Bonferroni's p cannot fall below 0.05"
        pairs = tuple(replace(found[0].pairs[0], first=a, second=b, note=note) for a in names for b in names)
        shown += [overall_table(found), pair_table([replace(one, pairs=pairs) for one in found])]
    for table in shown:
        lines = as_text(table).splitlines()
        assert max(map(len, lines)) <= WIDTH
        assert WIDTH == 100
