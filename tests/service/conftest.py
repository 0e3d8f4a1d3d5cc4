"""Servers with the real model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import speech as speech_module
from media import write_media
from servers import Server


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory, speech: Callable[..., speech_module.Speech]) -> list[Path]:
    """Three recordings of a few seconds, each of another text."""
    folder = tmp_path_factory.mktemp("clips")
    made = []
    for number in range(3):
        path = folder / f"clip {number}.wav"
        write_media(path, speech(5.0, seed=40 + number).pcm)
        made.append(path)
    return made


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, base_model: Path) -> Iterator[Server]:
    """One server for the tests of a file."""
    server = Server(tmp_path_factory.mktemp("server").resolve(), base_model)
    try:
        yield server.start("--config", "language=en")
    finally:
        server.close()


@pytest.fixture
def own_server(tmp_path: Path, base_model: Path) -> Iterator[Server]:
    """A server that a test starts, kills and starts again."""
    server = Server(tmp_path.resolve() / "server", base_model)
    try:
        yield server
    finally:
        server.close()
