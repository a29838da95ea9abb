import os
from pathlib import Path

from cervseg.inference.run_record import RunRecord, finished_run


def record(tmp_path: Path, *, tta: bool = False) -> RunRecord:
    checkpoint = tmp_path / "model" / "fold_0" / "checkpoint_best.pt"
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    if not checkpoint.exists():
        checkpoint.write_bytes(b"weights")
    return RunRecord.make([checkpoint], tta=tta, precision="float32", device="cpu", save_probabilities=False)


def test_an_interrupted_run_is_resumed_and_a_finished_one_restarted(tmp_path: Path) -> None:
    """Masks of the same unfinished run are kept; those of a finished run are predicted again."""
    output = tmp_path / "out"
    run = record(tmp_path)
    assert run.finished_masks(output, any_run=False) == set()
    run.begin(output)
    (output / "a.png").write_bytes(b"")
    (output / ".b.0123.tmp.png").write_bytes(b"")
    assert output / "a.png" in run.finished_masks(output, any_run=False)
    assert output / ".b.0123.tmp.png" not in run.finished_masks(output, any_run=False)
    assert finished_run(output, [tmp_path / "model" / "fold_0" / "checkpoint_best.pt"]) is None
    run.end(output, failed=[], image_s=0.5)
    assert run.finished_masks(output, any_run=False) == set()
    assert output / "a.png" in run.finished_masks(output, any_run=True)


def test_another_model_or_option_is_another_run(tmp_path: Path) -> None:
    """Masks of a retrained checkpoint or of other options are never mixed."""
    output = tmp_path / "out"
    record(tmp_path).begin(output)
    (output / "a.png").write_bytes(b"")
    assert record(tmp_path, tta=True).finished_masks(output, any_run=False) == set()
    os.utime(tmp_path / "model" / "fold_0" / "checkpoint_best.pt", (1, 1))
    assert record(tmp_path).finished_masks(output, any_run=False) == set()


def test_a_finished_run_is_identified_by_its_checkpoints(tmp_path: Path) -> None:
    """A run with weights that have changed since does not count."""
    output, checkpoint = tmp_path / "out", tmp_path / "model" / "fold_0" / "checkpoint_best.pt"
    run = record(tmp_path)
    run.begin(output)
    run.end(output, failed=["b: no image"], image_s=None)
    found = finished_run(output, [checkpoint])
    assert found is not None
    assert (found.failed, found.image_s, found.device) == (["b: no image"], None, "cpu")
    os.utime(checkpoint, (1, 1))
    assert finished_run(output, [checkpoint]) is None
