from pathlib import Path

import pytest

from cervseg.core.atomic import atomic_path, remove_leftovers
from cervseg.core.errors import DatasetError
from cervseg.core.paths import Workspace, dataset_folder_name


@pytest.mark.parametrize("given", ["1", "001", 1, "Dataset001", "Dataset001_Phantom"])
def test_a_dataset_is_found_by_number_or_name(tmp_path: Path, given: str | int) -> None:
    """Every spelling of dataset 1 means the same."""
    (tmp_path / "raw_data" / "Dataset001_Phantom").mkdir(parents=True)
    assert Workspace.find(tmp_path).dataset_name(given) == "Dataset001_Phantom"


def test_an_unknown_dataset_lists_what_there_is(tmp_path: Path) -> None:
    """The error names the datasets of the workspace."""
    (tmp_path / "raw_data" / "Dataset001_Phantom").mkdir(parents=True)
    with pytest.raises(DatasetError, match="Dataset001_Phantom"):
        Workspace.find(tmp_path).dataset_name("7")


def test_a_number_taken_twice_is_an_error(tmp_path: Path) -> None:
    """A number that two datasets share is an error."""
    for name in ("Dataset001_A", "Dataset001_B"):
        (tmp_path / "raw_data" / name).mkdir(parents=True)
    with pytest.raises(DatasetError, match="several datasets"):
        Workspace.find(tmp_path).dataset_name("1")


def test_the_environment_names_the_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """CERVSEG_ROOT is used if no root is given; a given root replaces it."""
    monkeypatch.setenv("CERVSEG_ROOT", str(tmp_path / "a"))
    assert Workspace.find().root == tmp_path / "a"
    assert Workspace.find(tmp_path / "b").root == tmp_path / "b"


@pytest.mark.parametrize(("number", "name"), [("x", "A"), (1, "a b"), (1, ""), (-1, "A")])
def test_bad_dataset_names_are_refused(number: str | int, name: str) -> None:
    """Names that nnU-Net cannot read are refused."""
    with pytest.raises(DatasetError):
        dataset_folder_name(number, name)


def test_atomic_path_leaves_nothing_behind_on_failure(tmp_path: Path) -> None:
    """An error within the block keeps the old file and removes the temporary one."""
    target = tmp_path / "a.txt"
    target.write_text("old")

    def write_and_fail() -> None:
        with atomic_path(target) as temporary:
            temporary.write_text("new")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_and_fail()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_leftovers_of_a_killed_run_are_removed(tmp_path: Path) -> None:
    """Only temporary files are removed."""
    (tmp_path / ".a.0123abcd.tmp.png").write_text("")
    (tmp_path / "a.png").write_text("")
    remove_leftovers(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
