import json
from pathlib import Path

import pytest

from cervseg.core.errors import DatasetError
from cervseg.core.types import Case
from cervseg.dataset.splits import Fold, check_folds, make_folds, read_folds, write_folds

# What scikit-learn 1.7's KFold(5, shuffle=True, random_state=12345) gave for sorted ids case_00, case_01, ...
SKLEARN_VAL = {
    12: [[0, 3, 8], [7, 10, 11], [6, 9], [1, 4], [2, 5]],
    7: [[3, 6], [0, 4], [1], [5], [2]],
}


def cases(num: int, *, groups: dict[int, str] | None = None) -> list[Case]:
    """Cases case_00, case_01, ...; those not in ``groups`` are their own group."""
    ids = [f"case_{number:02d}" for number in range(num)]
    named = groups or {}
    return [
        Case(id=case, images=(), mask=None, group=named.get(number, case)) for number, case in enumerate(ids)
    ]


@pytest.mark.parametrize("num", [12, 7])
def test_folds_are_nnunets(num: int) -> None:
    """Equal to scikit-learn's KFold over sorted ids, for any order of the cases."""
    folds = make_folds(cases(num)[::-1])
    assert [list(fold.val) for fold in folds] == [
        [f"case_{i:02d}" for i in part] for part in SKLEARN_VAL[num]
    ]
    every = [case.id for case in cases(num)]
    assert all(sorted(fold.train + fold.val) == every for fold in folds)
    assert all(list(fold.train) == sorted(fold.train) for fold in folds)


def test_a_group_stays_together() -> None:
    """Three images of each of eight patients: no patient in both sets, every image validated once."""
    made = cases(24, groups={number: f"patient {number % 8}" for number in range(24)})
    group = {case.id: case.group for case in made}
    folds = make_folds(made)
    for fold in folds:
        assert not {group[c] for c in fold.train} & {group[c] for c in fold.val}
    assert sorted(case for fold in folds for case in fold.val) == sorted(group)
    assert sorted(len(fold.val) for fold in folds) == [3, 3, 6, 6, 6]
    check_folds(folds, made)


def test_few_groups_make_few_folds() -> None:
    """Three groups give three folds, one is an error."""
    assert len(make_folds(cases(3))) == 3
    with pytest.raises(DatasetError, match="At least 2 patients"):
        make_folds(cases(4, groups=dict.fromkeys(range(4), "one")))


def test_folds_survive_the_way_to_the_disk(tmp_path: Path) -> None:
    """The file has nnU-Net's format and is read back."""
    folds = make_folds(cases(6), num_folds=2)
    write_folds(tmp_path / "splits_final.json", folds)
    written = json.loads((tmp_path / "splits_final.json").read_text())
    assert written == [{"train": list(fold.train), "val": list(fold.val)} for fold in folds]
    assert read_folds(tmp_path / "splits_final.json") == folds


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "no folds in this file"),
        ('{"train": []}', "expected a list, got"),
        ('[{"train": []}]', "'val' is missing"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, text: str, message: str) -> None:
    """The message names the file."""
    (tmp_path / "splits_final.json").write_text(text)
    with pytest.raises(DatasetError, match=message) as caught:
        read_folds(tmp_path / "splits_final.json")
    assert "splits_final.json" in str(caught.value)


def test_all_findings_at_once() -> None:
    """Unknown ids, a case in both sets, a split patient, an empty set."""
    made = cases(5, groups={1: "p", 2: "p"})
    folds = [
        Fold(train=("case_00", "case_01", "ghost"), val=("case_00", "case_02")),
        Fold(train=("case_03", "case_03"), val=()),
    ]
    with pytest.raises(DatasetError) as caught:
        check_folds(folds, made)
    assert str(caught.value).splitlines()[1:] == [
        "  fold 0: unknown case 'ghost'",
        "  fold 0: case 'case_00' is in both train and val",
        "  fold 0: group 'p' is in both train and val",
        "  fold 1: val is empty",
        "  fold 1: case 'case_03' is repeated in train",
    ]
