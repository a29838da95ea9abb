import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from cervseg.cli import agreement, compare
from cervseg.core.scores import CaseScore
from cervseg.evaluation.summary import summarize, write_summary


def ours(path: Path, *, offset: float, prompts: str = "") -> Path:
    """Twenty cases of one label."""
    rng = np.random.default_rng(0)
    base = 0.7 + 0.2 * rng.random(20)
    scores = [
        CaseScore(
            case=f"c{k}",
            metrics={"bone": {"Dice": float(v) + offset * (1 + 0.1 * k), "IoU": float(v) - 0.1}},
        )
        for k, v in enumerate(base)
    ]
    write_summary(path, summarize(scores, labels={"bone": 1}, prompts=prompts, oracle_prompts=bool(prompts)))
    return path


def nnunets(path: Path) -> Path:
    """A summary in nnU-Net's format: no names, NaN, paths instead of cases."""
    cases = [
        {
            "metrics": {"1": {"Dice": 0.5 + 0.01 * k if k else float("nan"), "IoU": 0.3}},
            "prediction_file": f"/out/c{k}.png",
            "reference_file": f"/ref/c{k}.png",
        }
        for k in range(20)
    ]
    path.write_text(json.dumps({"metric_per_case": cases, "mean": {}, "foreground_mean": {}}))
    return path


def test_three_systems(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two summaries of cervseg and one of nnU-Net: one table, the undefined case left out and counted."""
    a = ours(tmp_path / "a.json", offset=0.0)
    b = ours(tmp_path / "b.json", offset=0.02, prompts="oracle: centroids of the reference masks")
    c = nnunets(tmp_path / "c.json")
    out = tmp_path / "out"
    assert compare.main([f"A={a}", f"B={b}", f"nnU-Net={c}", "--metrics", "Dice", "-o", str(out)]) == 0
    said = " ".join(capsys.readouterr().out.split())  # notes are wrapped
    assert "B (oracle points)" in said
    assert "19 (1 left out)" in said
    assert "B was prompted with points: oracle" in said
    assert "20 cases are in all summaries" in said
    found = json.loads((out / "comparisons.json").read_text())
    assert found[0]["num_cases"] == 19
    assert found[0]["pairs"][0]["p_bonferroni"] < 0.001
    assert found[0]["pairs"][0]["effect"] == -1
    names = {path.name for path in out.iterdir()}
    assert {"tables.md", "tables.json", "table_pairs.tex", "table_friedman.csv"} <= names


def test_a_folder_names_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a name the model's folder is the name; a missing metric is an error."""
    for name, offset in (("UNetTrainer__plans__original", 0.0), ("Other", 0.1)):
        (tmp_path / name / "fold_0").mkdir(parents=True)
        ours(tmp_path / name / "fold_0" / "summary.json", offset=offset)
    folders = [str(path / "fold_0") for path in sorted(tmp_path.iterdir())]
    assert compare.main(folders) == 0
    assert "Other - UNetTrainer" in capsys.readouterr().out
    assert compare.main([*folders, "--metrics", "HD95"]) == 2
    assert "no HD95 in this summary" in capsys.readouterr().err
    assert compare.main(folders[:1]) == 2
    assert "two summaries" in capsys.readouterr().err


@pytest.mark.parametrize("names", [("nowhere", "a"), ("X=nowhere", "Y=a")])
def test_a_missing_file_is_named(
    names: tuple[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The error names the file, although two files of one folder would also share a name."""
    monkeypatch.chdir(tmp_path)
    assert compare.main(list(names)) == 2
    assert capsys.readouterr().err.startswith("error: file not found: nowhere\nhint: ")


def test_agreement(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two raters and a model; an image that one of them lacks is named, with exit code 1."""
    for shift, name in enumerate(("anna", "ben", "net")):
        (tmp_path / name).mkdir()
        for image in ("x", "y"):
            mask = np.zeros((40, 40), np.uint8)
            mask[10:30, 10 + shift : 30 + shift] = 1
            cv2.imwrite(str(tmp_path / name / f"{image}.png"), mask)
    given = ["--raters", str(tmp_path / "anna"), f"B={tmp_path / 'ben'}", "--model", str(tmp_path / "net")]
    assert agreement.main([*given, "-o", str(tmp_path / "out"), "--workers", "1"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "anna - B" in said
    assert "net with raters" in said
    assert "net minus raters" in said
    assert "over 2 image(s) that all have" in said
    rows = json.loads((tmp_path / "out" / "tables.json").read_text())[0]["rows"]
    assert [row[1] for row in rows[:3]] == ["0.9500", "0.9000", "0.9500"]
    (tmp_path / "net" / "y.png").unlink()
    assert agreement.main([*given, "--workers", "1"]) == 1
    assert "left out: y: no mask by net" in capsys.readouterr().err
    assert agreement.main(["--raters", "A=nowhere", "B=nowhere2"]) == 2
