import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from cervseg.core.errors import DatasetError
from cervseg.core.scores import CaseScore
from cervseg.evaluation.comparing import read_systems
from cervseg.evaluation.summary import summarize, write_summary


def ours(
    path: Path,
    dices: Mapping[str, float],
    *,
    labels: Mapping[str, int] | None = None,
    n_ref: float = 100.0,
    **summary: object,
) -> Path:
    """A summary: case -> Dice of every label; HD95 is 1."""
    labels = labels or {"bone": 1}
    scores = [
        CaseScore(case=case, metrics={label: {"Dice": dice, "HD95": 1.0, "n_ref": n_ref} for label in labels})
        for case, dice in dices.items()
    ]
    write_summary(path, summarize(scores, labels=labels, **summary))  # type: ignore[arg-type]
    return path


def nnunets(path: Path, dices: Mapping[str, float]) -> Path:
    """nnU-Net's: labels without names, no HD95."""
    cases = [
        {"metrics": {"1": {"Dice": dice}}, "prediction_file": f"/o/{case}.png", "reference_file": "/r"}
        for case, dice in dices.items()
    ]
    path.write_text(json.dumps({"metric_per_case": cases}))
    return path


DICES = {"x": 0.9, "y": 0.8, "z": 0.7}


def test_means_are_over_the_cases_that_all_have(tmp_path: Path) -> None:
    """Of three and two cases two are shared: both means are over these, and it is said."""
    a = ours(tmp_path / "a.json", DICES)
    b = ours(tmp_path / "b.json", {"x": 0.5, "y": 0.4}, without_prediction=["z"])
    found = read_systems({"A": a, "B": b})
    assert found.estimates()["A"]["Dice"].mean == pytest.approx(0.85)
    assert [c.num_cases for c in found.comparisons()] == [2, 2]
    assert "Only the 2 cases that are in all summaries are compared (A 3, B 2)." in found.notes
    assert "B has no score in 1 case(s): z." in found.notes
    with pytest.raises(DatasetError, match="no case in common"):
        read_systems({"A": a, "B": ours(tmp_path / "c.json", {"q": 1.0})})


def test_what_nnunet_lacks_is_said(tmp_path: Path) -> None:
    """Its files have no HD95 and no names: the label is found by its number."""
    given = {"A": ours(tmp_path / "a.json", DICES), "N": nnunets(tmp_path / "n.json", DICES)}
    for label in (None, "bone"):
        found = read_systems(given, label=label)
        assert found.metrics == ("Dice",)
        assert found.values["Dice"]["N"] == DICES
        assert "HD95 is not compared: not in N." in found.notes
    with pytest.raises(DatasetError, match="no HD95 in this summary: N"):
        read_systems(given, metrics=["HD95"])
    with pytest.raises(DatasetError, match="no label 'C9'"):
        read_systems(given, label="C9")


def test_other_images_of_the_same_name_are_refused(tmp_path: Path) -> None:
    """References of other sizes are other references."""
    a, b = ours(tmp_path / "a.json", DICES), ours(tmp_path / "b.json", DICES, n_ref=90.0)
    with pytest.raises(DatasetError, match=r"different references in 3 of 3 case\(s\), the first is x"):
        read_systems({"A": a, "B": b})


def test_other_labels_are_refused(tmp_path: Path) -> None:
    """The mean of two labels is not compared with one; a label that both have can be."""
    a = ours(tmp_path / "a.json", DICES)
    b = ours(tmp_path / "b.json", DICES, labels={"skull": 1, "bone": 2})
    with pytest.raises(DatasetError, match=r"labels \[1\], B has \[1, 2\]"):
        read_systems({"A": a, "B": b})
    found = read_systems({"A": a, "B": b}, label="bone")
    assert found.values["Dice"] == {"A": DICES, "B": DICES}


def test_points_are_said(tmp_path: Path) -> None:
    """Oracle points in the name, where points came from in the notes."""
    oracle = "oracle: centroids of the reference masks"
    a = ours(tmp_path / "a.json", DICES, prompts=oracle, oracle_prompts=True)
    b = ours(tmp_path / "b.json", DICES, prompts="centroids of the masks in out")
    found = read_systems({"A": a, "B": b})
    assert list(found.values["Dice"]) == ["A (oracle points)", "B"]
    assert "B was prompted with points: centroids of the masks in out." in found.notes


def test_counts_have_no_better(tmp_path: Path) -> None:
    """Nobody can say whether more pixels of the reference are better."""
    a = ours(tmp_path / "a.json", DICES)
    with pytest.raises(DatasetError, match="'n_ref' cannot be compared"):
        read_systems({"A": a, "B": a}, metrics=["n_ref"])
