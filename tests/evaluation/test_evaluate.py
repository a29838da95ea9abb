import json

import cv2
import numpy as np
import pytest

from cervseg.cli.evaluate import main
from cervseg.core.errors import DatasetError
from cervseg.evaluation.evaluate import evaluate_folders
from cervseg.evaluation.summary import read_summary


def square(left, *, value=1, size=(24, 32)):
    """A mask of one 6 x 6 square."""
    mask = np.zeros(size, np.uint8)
    mask[8:14, left : left + 6] = value
    return mask


def fill(folder, masks):
    """Write masks as <case>.png; bytes are written as they are."""
    folder.mkdir(parents=True, exist_ok=True)
    for case, mask in masks.items():
        if isinstance(mask, bytes):
            (folder / f"{case}.png").write_bytes(mask)
        else:
            cv2.imwrite(str(folder / f"{case}.png"), mask)
    return folder


def evaluate(tmp_path, predictions, references, **options):
    """Write both folders and evaluate them, quietly and in this process."""
    return evaluate_folders(
        predictions=fill(tmp_path / "p", predictions),
        references=fill(tmp_path / "r", references),
        **{"progress": False, **options},
    )


def dices(evaluation, label="1"):
    """Case -> Dice."""
    return {score.case: score.metrics[label]["Dice"] for score in evaluation.summary.scores}


def test_pairs_and_findings(tmp_path):
    """Scored by name; what lacks its other half and what cannot be read is named, and the rest goes on."""
    found = evaluate(
        tmp_path,
        {
            "a": square(4),
            "b": square(7),
            "alone": square(4),
            "broken": b"no picture",
            "small": square(2, size=(20, 20)),
        },
        {"a": square(4), "b": square(4), "missing": square(4), "broken": square(4), "small": square(2)},
    )
    assert dices(found) == {"a": 1.0, "b": 0.5}
    assert found.summary.without_prediction == ("missing",)
    assert found.summary.without_reference == ("alone",)
    assert set(found.summary.failed) == {"broken", "small"}
    assert "broken" in found.summary.failed["broken"]
    assert "20 x 20" in found.summary.failed["small"]
    assert not found.is_complete
    assert found.summary.scores[0].prediction_file == str(tmp_path / "p" / "a.png")


def test_prediction_without_reference_is_no_failure(tmp_path):
    """Extra predictions are listed, but every reference was scored."""
    found = evaluate(tmp_path, {"a": square(4), "b": square(4)}, {"a": square(4)})
    assert found.summary.without_reference == ("b",)
    assert found.is_complete


@pytest.mark.parametrize(("predicted", "expected"), [(255, 255), (1, 255), (255, 1), (1, 1)])
def test_white_masks_are_binary(tmp_path, predicted, expected):
    """Masks of 0 and 255 are the one label there is, on either side, named or not."""
    for labels in (None, {"1": 1}):
        predictions = {"a": square(4, value=predicted), "empty": square(0, value=0)}
        references = {"a": square(4, value=expected), "empty": square(0, value=0)}
        assert dices(evaluate(tmp_path, predictions, references, labels=labels)) == {"a": 1.0, "empty": None}


def test_white_masks_with_several_labels(tmp_path):
    """Which of two labels 255 would be cannot be told."""
    found = evaluate(tmp_path, {"a": square(4, value=255)}, {"a": square(4)}, labels={"x": 1, "y": 2})
    assert "there are 2 labels" in found.summary.failed["a"]


def test_labels_found_in_the_masks(tmp_path):
    """Without dataset.json every value is a label, an invented one too."""
    reference = np.maximum(square(4), square(20, value=3))
    found = evaluate(tmp_path, {"a": np.maximum(square(4), square(12, value=2))}, {"a": reference})
    assert found.summary.labels == {"1": 1, "2": 2, "3": 3}
    assert found.summary.missed == {"1": 0, "2": 0, "3": 1}
    assert found.summary.invented == {"1": 0, "2": 1, "3": 0}


def test_labels_and_spacing_of_the_dataset(tmp_path):
    """dataset.json above the references names labels; another value is an error, unless labels are given."""
    description = {
        "channel_names": {"0": "X-ray"},
        "labels": {"background": 0, "process": 1},
        "numTraining": 2,
        "file_ending": ".png",
    }
    (tmp_path / "dataset.json").write_text(json.dumps(description))
    masks = {"a": square(4), "b": square(4, value=7)}
    found = evaluate(tmp_path, masks, masks)
    assert dices(found, "process") == {"a": 1.0}
    assert "unknown label value 7" in found.summary.failed["b"]
    found = evaluate(tmp_path, masks, masks, labels={"seven": 7})
    assert dices(found, "seven") == {"a": None, "b": 1.0}


def test_spacing_and_only(tmp_path):
    """Millimetres for the cases whose spacing is given; other cases than those asked for are left alone."""
    masks = {"a": square(4), "b": square(6), "c": square(4)}
    options = {"spacing_mm": {"a": (0.5, 0.5)}, "only": {"a", "b"}}
    found = evaluate(tmp_path, masks, {**masks, "d": square(4)}, **options)
    assert set(dices(found)) == {"a", "b"}
    assert found.summary.scores[0].metrics["1"]["HD95_mm"] == 0.0
    assert found.summary.undefined["1"]["HD95_mm"] == 1
    assert found.is_complete


def test_probabilities(tmp_path):
    """<case>.npz in our layout and in nnU-Net's (background first, a depth of one); a broken one is named."""
    masks = {"a": square(4), "b": square(4), "c": square(4), "d": square(4)}
    fill(tmp_path / "p", masks)
    plane = square(4).astype(np.float16) * 0.75
    np.savez_compressed(tmp_path / "p" / "a.npz", probabilities=plane[None])
    np.savez_compressed(tmp_path / "p" / "b.npz", probabilities=np.stack([1 - plane, plane])[:, None])
    (tmp_path / "p" / "c.npz").write_bytes(b"PK\x03\x04 half an archive")
    found = evaluate(tmp_path, masks, masks, probabilities=tmp_path / "p")
    metrics = {score.case: score.metrics["1"] for score in found.summary.scores}
    for case in ("a", "b"):
        assert metrics[case]["MAE_foreground"] == pytest.approx(0.25)
        assert metrics[case]["MAE"] == pytest.approx(0.25 * 36 / (24 * 32))
    assert "MAE" not in metrics["d"]
    assert set(found.summary.failed) == {"c"}


def test_pickled_probabilities_are_not_opened(tmp_path):
    """An object array would run code when it is loaded."""
    fill(tmp_path / "p", {"a": square(4)})
    np.savez(tmp_path / "p" / "a.npz", probabilities=np.array([{}], dtype=object))
    found = evaluate(tmp_path, {"a": square(4)}, {"a": square(4)}, probabilities=tmp_path / "p")
    assert "no probabilities in this file" in found.summary.failed["a"]


def test_processes_give_the_same(tmp_path):
    """Two workers or none: equal summaries."""
    rng = np.random.default_rng(0)
    references = {f"c{i}": square(4) for i in range(6)}
    predictions = {case: np.roll(mask, rng.integers(0, 4), 1) for case, mask in references.items()}
    one = evaluate(tmp_path, predictions, references, workers=1)
    assert evaluate(tmp_path, predictions, references, workers=2) == one


def test_folders_that_cannot_be_evaluated(tmp_path):
    """A missing folder, no common name, and two masks for one case."""
    with pytest.raises(DatasetError, match="no such folder"):
        evaluate_folders(predictions=tmp_path / "x", references=tmp_path, labels=None)
    with pytest.raises(DatasetError, match=r"none of 1 prediction\(s\) has a reference"):
        evaluate(tmp_path, {"a": square(4)}, {"b": square(4)})
    cv2.imwrite(str(tmp_path / "p" / "a.tif"), square(4))
    with pytest.raises(DatasetError, match="two masks for the case 'a'"):
        evaluate(tmp_path, {"a": square(4)}, {"a": square(4)})


def test_command(tmp_path, capsys):
    """Exit code 0: all scored; 1: a reference lacks its prediction; 2: an error that the user can fix."""
    predictions = fill(tmp_path / "p", {"a": square(5)})
    references = fill(tmp_path / "r", {"a": square(4)})
    output = tmp_path / "out" / "summary.json"
    arguments = ["-p", str(predictions), "-r", str(references), "-o", str(output), "--workers", "1"]
    assert main([*arguments, "--labels", "canine=1"]) == 0
    printed = capsys.readouterr().out
    assert printed.splitlines()[0].strip() == "canine"
    assert read_summary(output).labels == {"canine": 1}
    fill(references, {"b": square(4)})
    assert main(arguments) == 1
    assert "1 case(s) with a reference but without a prediction" in capsys.readouterr().out
    assert main([*arguments, "--labels", "canine"]) == 2
    assert "'canine' is not NAME=VALUE" in capsys.readouterr().err


def test_auxiliary_labels_are_background(tmp_path):
    """In references, and in masks and probabilities of other programs; the others are scored."""
    description = {
        "channel_names": {"0": "X-ray"},
        "labels": {"background": 0, "process": 1, "rib": 2},
        "auxiliary": ["rib"],
        "numTraining": 2,
        "file_ending": ".png",
    }
    (tmp_path / "dataset.json").write_text(json.dumps(description))
    both = square(4) + square(20, value=2)
    predictions = {"a": square(4), "b": both, "c": square(20, value=7)}
    fill(tmp_path / "p", predictions)
    planes = np.stack([both == value for value in (0, 1, 2)])[:, None]  # nnU-Net's layout
    np.savez(tmp_path / "p" / "b.npz", probabilities=planes.astype(np.float32))
    found = evaluate(tmp_path, predictions, dict.fromkeys("abc", both), probabilities=tmp_path / "p")
    assert dices(found, "process") == {"a": 1.0, "b": 1.0}
    assert found.summary.labels == {"process": 1}
    assert found.summary.scores[1].metrics["process"]["MAE"] == 0
    assert "unknown label value 7" in found.summary.failed["c"]
