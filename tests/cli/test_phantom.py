from pathlib import Path

import pytest

from cervseg.cli import phantom


def test_a_taken_number_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A second dataset of one number is an error with a free number as a hint; --overwrite does not help."""
    (tmp_path / "raw_data" / "Dataset001_Neck").mkdir(parents=True)
    arguments = ["001", "-n", "1", "--long-side", "64", "--root", str(tmp_path)]
    for more in ([], ["--overwrite"]):
        assert phantom.main([*arguments, *more]) == 2
        said = capsys.readouterr().err
        assert "dataset number 1 is taken by Dataset001_Neck" in said
        assert "such as 002" in said
    assert [path.name for path in (tmp_path / "raw_data").iterdir()] == ["Dataset001_Neck"]
