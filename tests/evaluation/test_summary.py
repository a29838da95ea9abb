import json
import statistics

import pytest

from cervseg.core.errors import DatasetError
from cervseg.core.scores import CaseScore
from cervseg.evaluation.summary import combine_folds, read_summary, summarize, write_summary


def case(name, *, label="process", **metrics):
    """A score of one label."""
    return CaseScore(case=name, metrics={label: metrics}, prediction_file=f"p/{name}.png", reference_file="r")


def four_cases():
    """Two good cases, a missed one and an empty one."""
    return [
        case("a", Dice=0.9, HD95=2.0, HD95_missed_as_diagonal=2.0, n_pred=9, n_ref=10),
        case("b", Dice=0.7, HD95=4.0, HD95_missed_as_diagonal=4.0, n_pred=9, n_ref=10),
        case("missed", Dice=0.0, HD95=None, HD95_missed_as_diagonal=90.0, n_pred=0, n_ref=10),
        case("empty", Dice=None, HD95=None, HD95_missed_as_diagonal=None, n_pred=0, n_ref=0),
    ]


def strict_json(path):
    """The file's content; NaN and Infinity, which are not JSON, are refused."""

    def refuse(word):
        raise AssertionError(f"{word} is not JSON")

    return json.loads(path.read_text(), parse_constant=refuse)


def test_means_by_hand():
    """Means over defined values, what is undefined counted, a miss never hidden."""
    found = summarize(four_cases(), labels={"process": 1})
    assert found.mean["process"]["Dice"] == pytest.approx(1.6 / 3)
    assert found.mean["process"]["HD95"] == 3.0
    assert found.mean["process"]["HD95_missed_as_diagonal"] == 32.0
    assert found.std["process"]["Dice"] == pytest.approx(statistics.stdev([0.9, 0.7, 0.0]))
    assert found.undefined["process"] == {
        "Dice": 1,
        "HD95": 2,
        "HD95_missed_as_diagonal": 1,
        "n_pred": 0,
        "n_ref": 0,
    }
    assert (found.missed, found.invented) == ({"process": 1}, {"process": 0})
    assert found.foreground_mean == found.mean["process"]


def test_missing_a_structure_never_improves_the_diagonal_mean():
    """Turning cases into misses lets HD95's mean alone and worsens HD95_missed_as_diagonal."""
    good = [case(str(i), HD95=4.0, HD95_missed_as_diagonal=4.0, n_pred=1, n_ref=1) for i in range(100)]
    means = []
    for num_missed in (0, 10, 50):
        bad = [
            case(str(i), HD95=None, HD95_missed_as_diagonal=1414.0, n_pred=0, n_ref=1)
            for i in range(num_missed)
        ]
        found = summarize(bad + good[num_missed:], labels={"process": 1})
        assert found.mean["process"]["HD95"] == 4.0
        assert found.undefined["process"]["HD95"] == num_missed
        assert found.missed["process"] == num_missed
        means.append(found.mean["process"]["HD95_missed_as_diagonal"])
    assert means == sorted(means)
    assert len(set(means)) == 3


def test_absent_metrics_count_as_undefined():
    """One of two cases has a pixel size: its millimetres are the mean, the other is counted."""
    found = summarize([case("a", HD95_mm=0.5), case("b", HD95=2.0)], labels={"process": 1})
    assert found.mean["process"] == {"HD95_mm": 0.5, "HD95": 2.0}
    assert found.undefined["process"] == {"HD95_mm": 1, "HD95": 1}
    assert found.std["process"] == {"HD95_mm": None, "HD95": None}


def test_no_case_and_nothing_defined():
    """Nothing to average: null, not NaN and not an error."""
    assert summarize([], labels={"process": 1}).mean == {"process": {}}
    found = summarize([case("a", Dice=None)], labels={"process": 1})
    assert found.mean["process"] == {"Dice": None}
    assert found.foreground_mean == {"Dice": None}


def test_foreground_mean_is_over_labels():
    """nnU-Net's foreground_mean: the mean of the labels' means."""
    scores = [
        CaseScore(case="a", metrics={"x": {"Dice": 0.8}, "y": {"Dice": None}}),
        CaseScore(case="b", metrics={"x": {"Dice": 0.6}, "y": {"Dice": 0.1}}),
    ]
    found = summarize(scores, labels={"y": 2, "x": 1})
    assert list(found.labels) == ["x", "y"]
    assert found.foreground_mean["Dice"] == pytest.approx((0.7 + 0.1) / 2)


def test_file_is_a_superset_of_nnunets(tmp_path):
    """Keys that nnU-Net's readers expect, under numbers as texts; our own beside them; always valid JSON."""
    summary = summarize(four_cases(), labels={"process": 1}, without_prediction=["z"], failed={"q": "broken"})
    write_summary(tmp_path / "summary.json", summary)
    found = strict_json(tmp_path / "summary.json")
    assert set(found["mean"]) == {"1"}
    assert found["foreground_mean"]["HD95"] == 3.0
    assert found["metric_per_case"][0]["metrics"]["1"]["Dice"] == 0.9
    assert found["metric_per_case"][0]["prediction_file"] == "p/a.png"
    assert found["metric_per_case"][3]["metrics"]["1"]["Dice"] is None
    assert found["undefined"]["1"]["HD95"] == 2
    assert found["missed"] == {"1": 1}
    assert found["labels"] == {"process": 1}
    assert (found["num_cases"], found["threshold"]) == (4, 0.5)
    assert found["without_prediction"] == ["z"]
    assert found["notice"] == "Research software, not a medical device."
    assert {"Dice", "HD95", "std", "missed"} <= set(found["definitions"])
    assert "pooled" in found["definitions"]["HD95"]


def test_round_trip(tmp_path):
    """What is written is read back equal, folds too."""
    parts = [
        summarize(four_cases()[:2], labels={"process": 3}, without_reference=["x"]),
        summarize(four_cases()[2:], labels={"process": 3}, failed={"y": "why"}),
    ]
    for summary in (parts[0], combine_folds(parts)):
        write_summary(tmp_path / "summary.json", summary)
        assert read_summary(tmp_path / "summary.json") == summary


def test_reads_nnunets_own_file(tmp_path):
    """nnU-Net v2's summary.json, with its bare NaN and without label names."""
    path = tmp_path / "summary.json"
    means = {"1": {"Dice": float("nan"), "n_pred": 0, "n_ref": 0}}
    files = {"prediction_file": "/p/a.nii.gz", "reference_file": "/r/a.nii.gz"}
    content = {"foreground_mean": means["1"], "mean": means, "metric_per_case": [{"metrics": means, **files}]}
    path.write_text(json.dumps(content))
    assert "NaN" in path.read_text()
    found = read_summary(path)
    assert found.labels == {"1": 1}
    assert found.scores[0].case == "a"
    assert found.scores[0].metrics["1"]["Dice"] is None
    assert found.undefined["1"]["Dice"] == 1


@pytest.mark.parametrize("text", ["{}", "[]", "{", '{"metric_per_case": [{"metrics": {"(1, 2)": {}}}]}'])
def test_other_files_are_refused(tmp_path, text):
    """Not a summary: an error that names the file."""
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(DatasetError, match=r"other\.json"):
        read_summary(path)


def test_combine_folds_by_hand():
    """Cases pooled, and mean and deviation over the folds' own means beside them."""
    folds = [
        summarize([case("a", Dice=0.9), case("b", Dice=0.7), case("c", Dice=0.8)], labels={"process": 1}),
        summarize([case("d", Dice=0.4), case("e", Dice=None)], labels={"process": 1}),
    ]
    found = combine_folds(folds)
    assert [score.case for score in found.scores] == ["a", "b", "c", "d", "e"]
    assert found.mean["process"]["Dice"] == pytest.approx(2.8 / 4)
    assert [fold.num_cases for fold in found.folds] == [3, 2]
    assert found.fold_mean["process"]["Dice"] == pytest.approx(0.6)
    assert found.fold_std["process"]["Dice"] == pytest.approx(statistics.stdev([0.8, 0.4]))
    assert found.undefined["process"]["Dice"] == 1


def test_folds_that_cannot_be_combined():
    """No fold, other labels, and a case that was validated twice (a leak)."""
    one = summarize([case("a", Dice=1.0)], labels={"process": 1})
    with pytest.raises(DatasetError, match="no fold"):
        combine_folds([])
    with pytest.raises(DatasetError, match="the case is in the validation sets of two folds: a"):
        combine_folds([one, one])
    with pytest.raises(DatasetError, match="different labels"):
        combine_folds([one, summarize([case("b", label="x", Dice=1.0)], labels={"x": 1})])


def test_prompts_are_kept(tmp_path):
    """Where points came from goes into the file and back, and over the folds; without points: no word."""
    oracle, plain = "oracle: centroids of the reference masks", summarize(four_cases(), labels={"process": 1})
    folds = [
        summarize(four_cases()[:2], labels={"process": 1}, prompts=oracle, oracle_prompts=True),
        summarize(four_cases()[2:], labels={"process": 1}, prompts=oracle, oracle_prompts=True),
    ]
    write_summary(tmp_path / "summary.json", combine_folds(folds))
    assert strict_json(tmp_path / "summary.json")["prompts"] == oracle
    found = read_summary(tmp_path / "summary.json")
    assert (found.prompts, found.oracle_prompts) == (oracle, True)
    content = strict_json(tmp_path / "summary.json")
    del content["oracle_prompts"]  # a summary of version 0.1
    (tmp_path / "summary.json").write_text(json.dumps(content))
    assert read_summary(tmp_path / "summary.json") == found
    mixed = combine_folds([folds[0], summarize([case("z", Dice=1.0)], labels={"process": 1}, prompts="else")])
    assert mixed.prompts == f"{oracle}; else"
    write_summary(tmp_path / "summary.json", plain)
    assert "prompts" not in strict_json(tmp_path / "summary.json")
    assert read_summary(tmp_path / "summary.json") == plain
