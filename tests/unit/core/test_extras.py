"""How to add an extra, by where audiogrid was installed from."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from audiogrid.core import extras


@pytest.mark.parametrize(
    ("noted", "command"),
    [
        ({"url": "file:///home/clone", "dir_info": {"editable": True}}, "pip install '.[s3]' in the clone"),
        ({"url": "file:///a b/clone", "dir_info": {}}, "pip install 'audiogrid[s3] @ file:///a b/clone'"),
        (
            {"url": "https://host/x.git", "vcs_info": {"vcs": "git", "commit_id": "0"}},
            "pip install 'audiogrid[s3] @ git+https://host/x.git'",
        ),
        (None, "pip install 'audiogrid[s3]'"),
    ],
)
def test_an_extra_comes_from_where_audiogrid_came_from(
    monkeypatch: pytest.MonkeyPatch, noted: object, command: str
) -> None:
    text = None if noted is None else json.dumps(noted)
    monkeypatch.setattr(extras, "distribution", lambda name: SimpleNamespace(read_text=lambda file: text))
    assert extras.install_command("s3") == command


def test_a_clone_need_not_be_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise extras.PackageNotFoundError(name)

    monkeypatch.setattr(extras, "distribution", missing)
    assert extras.install_command("mpi") == "pip install '.[mpi]' in the clone"
