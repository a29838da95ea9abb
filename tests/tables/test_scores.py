from dataclasses import replace

import pytest

from cervseg.core.scores import CaseScore
from cervseg.evaluation.summary import combine_folds, summarize
from cervseg.metrics.table import METRICS
from cervseg.tables.scores import score_table


def summary_of(labels, *, num_cases=2, prefix="c"):
    """Every label scores 0.5, 0.6, ...; the last case's HD95 is undefined."""
    scores = []
    for index in range(num_cases):
        metrics = {"Dice": 0.5 + 0.1 * index, "HD95": None if index == num_cases - 1 else 2.0, "n_pred": 1}
        scores.append(CaseScore(case=f"{prefix}{index}", metrics={name: dict(metrics) for name in labels}))
    return summarize(scores, labels=labels)


def test_table_by_hand():
    """Mean ± SD, undefined cases in brackets, the unit beside the metric."""
    lines = score_table(summary_of({"process": 1})).splitlines()
    assert lines[0].strip() == "process"
    assert lines[1].split() == ["cases", "2"]
    assert lines[2].split() == ["Dice", "0.5500", "±", "0.0707"]
    assert lines[3].split() == ["HD95", "(px)", "2.00", "(1)"]


def test_a_label_without_a_name_is_called_by_its_value():
    """Values found in masks have no names."""
    assert score_table(summary_of({"7": 7})).splitlines()[0].strip() == "label 7"


def test_many_labels_are_broken_into_blocks():
    """Nine labels and their mean: each label is named once, and every block repeats the metrics."""
    text = score_table(summary_of({f"tooth_{i}": i for i in range(1, 10)}))
    assert [text.split().count(f"tooth_{i}") for i in range(1, 10)] == [1] * 9
    means = [line.split()[-1] for line in text.splitlines() if line.startswith("Dice")]
    assert len(means) > 1
    assert means[-1] == "0.5500"


@pytest.mark.parametrize("name", ["process", "spinous process of the seventh cervical vertebra", "x" * 130])
def test_no_line_is_wider_than_100_characters(name):
    """One to ten labels, large distances, folds, prompts and long reasons."""
    for num_labels in range(1, 11):
        labels = {f"{name}{i}": i for i in range(1, num_labels + 1)}
        scores = [
            CaseScore(
                case=f"c{index}",
                metrics={
                    label: {
                        **dict.fromkeys(METRICS, 123.456 * index),
                        "Dice": None if index == 1 else 0.9,
                        "HD95_mm": None if index == 2 else 1.0,
                    }
                    for label in labels
                },
            )
            for index in range(4)
        ]
        folds = [
            summarize([score], labels=labels, failed={score.case: "cannot be read " * 20}) for score in scores
        ]
        text = score_table(replace(combine_folds(folds), prompts="points of " + "a file " * 30))
        assert max(map(len, text.splitlines())) <= 100


def test_what_was_not_scored_is_named():
    """Cases are listed; long lists are cut with their count."""
    summary = replace(
        summary_of({"process": 1}),
        failed={"bad": "is not an image"},
        without_prediction=tuple(f"case_{i}" for i in range(13)),
    )
    text = score_table(summary)
    assert "bad: is not an image" in text
    assert "13 case(s) with a reference but without a prediction:" in text
    assert "... and 3 more" in text


def test_no_case_at_all():
    """A summary without a case is printed too."""
    assert "cases" in score_table(summarize([], labels={"process": 1}))


def test_folds_are_shown():
    """A cross-validation shows each fold's means."""
    text = score_table(combine_folds([summary_of({"x": 1}), summary_of({"x": 1}, num_cases=3, prefix="d")]))
    lines = text[text.index("means of the folds") :].splitlines()
    assert [line.split() for line in lines[2:5]] == [
        ["fold", "0", "fold", "1"],
        ["cases", "2", "3"],
        ["Dice", "0.5500", "0.6000"],
    ]


def test_scores_with_prompts_say_so():
    """The table of a network that was prompted with points names their source; others have no such line."""
    summary = summary_of({"process": 1})
    assert "prompts:" not in score_table(summary)
    text = score_table(replace(summary, prompts="oracle: centroids of the reference masks"))
    assert "prompts: oracle: centroids of the reference masks" in text.splitlines()
