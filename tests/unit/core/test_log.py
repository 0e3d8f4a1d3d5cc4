"""The log of a command."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from audiogrid.core.log import open_log


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    """The logger is one for all: what a test adds to it goes again."""
    logger = logging.getLogger("audiogrid")
    before = list(logger.handlers), logger.level, logger.propagate
    yield
    for handler in logger.handlers[:]:
        if isinstance(handler, logging.FileHandler) and handler not in before[0]:
            logger.removeHandler(handler)
            with suppress(OSError):
                handler.close()
    logger.level, logger.propagate = before[1:]


def test_a_log_says_what_was_started_and_shows_no_secret(tmp_path: Path) -> None:
    open_log(tmp_path / "logs" / "a.log").warning("got https://somebody:word@host/x")

    text = (tmp_path / "logs" / "a.log").read_text()

    assert "command: " in text and "audiogrid " in text
    assert "https://***@host/x" in text and "word" not in text.split("got ")[1]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_not_told_line_by_line(capfd: pytest.CaptureFixture[str]) -> None:
    open_log(Path("/dev/full")).info("https://somebody:word@host/x")

    assert capfd.readouterr().err == ""
