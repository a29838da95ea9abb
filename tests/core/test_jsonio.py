import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from cervseg.core.errors import DatasetError
from cervseg.core.jsonio import from_json, read_dataclass, to_json, write_json


@dataclass(frozen=True, kw_only=True)
class Inner:
    size: tuple[int, int]
    rate: float = 0.5


@dataclass(frozen=True, kw_only=True)
class Outer:
    name: str
    inner: Inner
    by_name: dict[str, Inner]
    maybe: float | None = None
    resize: Literal["pad", "stretch"] = "pad"


EXAMPLE = Outer(name="a", inner=Inner(size=(3, 4)), by_name={"x": Inner(size=(1, 2), rate=1.0)})


def test_round_trip(tmp_path: Path) -> None:
    """A written value is read back equal, with nested dataclasses, tuples and None."""
    write_json(tmp_path / "a.json", EXAMPLE)
    assert read_dataclass(Outer, tmp_path / "a.json") == EXAMPLE


def test_nan_becomes_null(tmp_path: Path) -> None:
    """NaN and infinity are null in the file; the file is valid JSON."""
    write_json(tmp_path / "a.json", {"a": float("nan"), "b": np.float32("inf"), "c": np.int64(3)})
    assert json.loads((tmp_path / "a.json").read_text()) == {"a": None, "b": None, "c": 3}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"nmae": "x"}, "unknown field 'nmae'"),
        ({"name": 3}, "expected str, got 3"),
        ({"inner": {"size": [1]}}, "a list of 2"),
        ({"inner": {"size": [1, 2.5]}}, "a whole number"),
        ({"maybe": "much"}, "a number"),
        ({"resize": "crop"}, "expected one of pad, stretch, got 'crop'"),
        ({"resize": ["pad"]}, "expected one of pad, stretch"),
    ],
)
def test_mistakes_are_named(change: dict[str, object], message: str) -> None:
    """Unknown, mistyped and malformed fields raise an error that names the field."""
    with pytest.raises(DatasetError, match=message):
        from_json(Outer, {**to_json(EXAMPLE), **change}, error=DatasetError)


def test_missing_field_is_named() -> None:
    """A missing field without a default raises."""
    with pytest.raises(DatasetError, match="'inner' is missing"):
        from_json(Outer, {"name": "a", "by_name": {}}, error=DatasetError)


def test_broken_file_names_file_and_line(tmp_path: Path) -> None:
    """Invalid JSON raises with path and line."""
    (tmp_path / "a.json").write_text('{\n"a": }')
    with pytest.raises(DatasetError, match="line 2") as caught:
        read_dataclass(Outer, tmp_path / "a.json", error=DatasetError)
    assert str(tmp_path / "a.json") in str(caught.value)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    """A value that cannot be written keeps the old file and leaves no temporary file."""
    write_json(tmp_path / "a.json", {"a": 1})
    with pytest.raises(TypeError):
        write_json(tmp_path / "a.json", {"a": object()})
    assert json.loads((tmp_path / "a.json").read_text()) == {"a": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
