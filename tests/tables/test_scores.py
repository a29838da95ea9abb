from dataclasses import replace

from cervseg.core.types import CaseScore
from cervseg.evaluation.summary import combine_folds, summarize
from cervseg.tables.scores import score_table


def summary_of(labels, *, num_cases=2, prefix="c"):
    """Every label scores 0.5, 0.6, ...; the last case's HD95 is undefined."""
    scores = []
    for index in range(num_cases):
        metrics = {"Dice": 0.5 + 0.1 * index, "HD95": None if index == num_cases - 1 else 2.0, "n_pred": 1}
        scores.append(CaseScore(case=f"{prefix}{index}", metrics={name: dict(metrics) for name in labels}))
    return summarize(scores, labels=labels)


def test_table_by_hand():
    """Mean ± SD, undefined cases in brackets, which HD95 it is."""
    lines = score_table(summary_of({"process": 1})).splitlines()
    assert lines[0].strip() == "process (1)"
    assert lines[1].split() == ["cases", "2"]
    assert lines[2].split() == ["Dice", "0.5500", "±", "0.0707"]
    assert lines[3].split() == ["HD95", "2.00", "(1)"]
    assert any("pooled" in line for line in lines)
    assert all(len(line) <= 110 for line in lines)


def test_many_labels_are_broken_into_blocks():
    """Nine labels, four a block, each named once, no line wider than a terminal."""
    text = score_table(summary_of({f"tooth_{i}": i for i in range(1, 10)}))
    assert [text.count(f"tooth_{i} ({i})") for i in range(1, 10)] == [1] * 9
    assert "mean over labels: Dice 0.5500, IoU undefined" in text
    assert max(map(len, text.splitlines())) <= 110


def test_what_was_not_scored_is_named():
    """Findings are listed, long lists are cut with their count."""
    summary = replace(
        summary_of({"process": 1}),
        failed={"bad": "is no picture"},
        without_prediction=tuple(f"case_{i}" for i in range(13)),
    )
    text = score_table(summary)
    assert "bad (is no picture)" in text
    assert "13 case(s) with a reference but without a prediction:" in text
    assert "... and 3 more" in text


def test_no_case_at_all():
    """Nothing scored still prints."""
    assert "cases" in score_table(summarize([], labels={"process": 1}))


def test_folds_are_shown():
    """A cross-validation shows each fold's means."""
    text = score_table(combine_folds([summary_of({"x": 1}), summary_of({"x": 1}, num_cases=3, prefix="d")]))
    assert "fold 0 (2 cases): Dice 0.5500" in text
    assert "fold 1 (3 cases): Dice 0.6000" in text


def test_scores_with_prompts_say_so():
    """A table of a network that was shown points names their source; others have no such line."""
    summary = summary_of({"process": 1})
    assert "prompts:" not in score_table(summary)
    text = score_table(replace(summary, prompts="oracle: centroids of the reference masks"))
    assert "prompts: oracle: centroids of the reference masks" in text.splitlines()
