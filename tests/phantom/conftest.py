"""A folder of toy bones for the tests of mesh phantoms, written once per module."""

from __future__ import annotations

from pathlib import Path

import pytest

from cervseg.phantom.mesh_set import MeshSet, read_meshes
from tests.meshes import write_bones


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder."""
    path: Path = tmp_path_factory.mktemp("bones")
    write_bones(path)
    return path


@pytest.fixture(scope="module")
def meshes(folder: Path) -> MeshSet:
    """What was read from it."""
    return read_meshes(folder)
