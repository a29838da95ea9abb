import json
from pathlib import Path

from cervseg.training.logbook import Logbook


def test_rows_come_back_and_a_cut_line_is_left_out(tmp_path: Path) -> None:
    """What was appended is read; half a line at the end, left by a kill, is not."""
    log = Logbook(path=tmp_path / "log.jsonl")
    assert log.rows() == []
    for epoch in range(3):
        log.append({"epoch": epoch, "loss": float("nan") if epoch == 1 else 0.5})
    with open(log.path, "a") as stream:
        stream.write('{"epoch": 3, "lo')
    assert [row["epoch"] for row in log.rows()] == [0, 1, 2]
    assert log.rows()[1]["loss"] is None


def test_rows_after_the_checkpoint_are_dropped(tmp_path: Path) -> None:
    """Training resumes at an epoch: later rows are dropped, so that they are not logged twice."""
    log = Logbook(path=tmp_path / "log.jsonl")
    for epoch in range(5):
        log.append({"epoch": epoch})
    log.keep_before(2)
    assert [json.loads(line)["epoch"] for line in log.path.read_text().splitlines()] == [0, 1]
