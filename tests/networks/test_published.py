"""Downloads: verification, and errors without a connection."""

from __future__ import annotations

import hashlib

import pytest

from cervseg.cli.download_weights import main
from cervseg.core.errors import CheckpointError
from cervseg.networks.published import SAM_VIT_B, PublishedWeights, default_folder, download, verify_sha256

DATA = b"weights" * 1000


@pytest.fixture
def weights(tmp_path):
    """Create a published file on a server that is a folder."""
    source = tmp_path / "server" / "w.pth"
    source.parent.mkdir()
    source.write_bytes(DATA)
    return PublishedWeights(
        url=source.as_uri(), bytes=len(DATA), sha256=hashlib.sha256(DATA).hexdigest(), filename="w.pth"
    )


def test_download_and_again(weights, tmp_path, monkeypatch):
    """The file is downloaded once; a second call downloads nothing."""
    path = download(weights, tmp_path / "cache", progress=False)
    assert path.read_bytes() == DATA
    monkeypatch.setattr("urllib.request.urlopen", lambda *_a, **_k: pytest.fail("fetched again"))
    assert download(weights, tmp_path / "cache", progress=False) == path


@pytest.mark.parametrize("change", [{"sha256": "0" * 64}, {"bytes": 5}])
def test_a_wrong_file_never_appears(weights, tmp_path, change):
    """A wrong file is left neither under its name nor under a temporary one."""
    wrong = PublishedWeights(**{**vars(weights), **change})
    with pytest.raises(CheckpointError, match="not the published file"):
        download(wrong, tmp_path / "cache", progress=False)
    assert list((tmp_path / "cache").iterdir()) == []


def test_offline_says_where_to_put_the_file(weights, tmp_path):
    """The error gives the address and the target."""
    gone = PublishedWeights(**{**vars(weights), "url": (tmp_path / "nowhere").as_uri()})
    with pytest.raises(
        CheckpointError, match=r"(?s)cannot be downloaded.*: .*nowhere\n.*copy it to .*w\.pth"
    ):
        download(gone, tmp_path / "cache", progress=False)


def test_verify(weights, tmp_path):
    """The published file passes, and a missing file is an error."""
    with pytest.raises(CheckpointError, match="missing"):
        verify_sha256(tmp_path / "no.pth", weights)
    verify_sha256(tmp_path / "server" / "w.pth", weights)


def test_published_figures():
    """Size and SHA-256 of SAM ViT-B are those of the published file."""
    assert SAM_VIT_B.url.endswith(SAM_VIT_B.filename)
    assert (SAM_VIT_B.bytes, SAM_VIT_B.sha256[:8]) == (375_042_383, "ec2df627")
    assert default_folder().name == "cervseg"


def test_command(weights, tmp_path, monkeypatch, capsys):
    """The command prints the path and returns 0; without a connection it returns 2 and prints an error."""
    monkeypatch.setattr("cervseg.networks.published.SAM_VIT_B", weights)
    assert main(["--to", str(tmp_path / "cache")]) == 0
    assert str(tmp_path / "cache" / "w.pth") in capsys.readouterr().out
    monkeypatch.setattr(
        "cervseg.networks.published.SAM_VIT_B", PublishedWeights(**{**vars(weights), "url": "file:///no"})
    )
    assert main(["--to", str(tmp_path / "other")]) == 2
    assert "cannot be downloaded" in capsys.readouterr().err
