"""How commands end: with a sentence and an exit code, or, for a bug, with a traceback."""

from __future__ import annotations

import errno
import os

import pytest

from audiogrid.core.command import run
from audiogrid.core.errors import InputError


def ended(error: Exception) -> int:
    def main(arguments: list[str]) -> None:
        raise error

    with pytest.raises(SystemExit) as caught:
        run(main)
    return int(caught.value.code or 0)


@pytest.mark.parametrize(
    ("code", "exit_code", "words"),
    [
        (errno.ENOSPC, 1, "make room and run the same command again"),
        (errno.EDQUOT, 1, "make room"),
        (errno.EROFS, 2, "choose a place that can be written"),
    ],
)
def test_a_file_system_that_refuses_is_one_sentence(capfd, code, exit_code, words):
    assert ended(OSError(code, os.strerror(code), "results/x/plan.json")) == exit_code
    said = capfd.readouterr().err
    assert said.startswith("error: cannot write results/x/plan.json (") and words in said
    assert len(said.splitlines()) == 1


def test_a_wrong_input_has_its_own_code(capfd):
    assert ended(InputError("there is no recording")) == 2
    assert capfd.readouterr().err == "error: there is no recording\n"


def test_a_bug_keeps_its_traceback():
    with pytest.raises(OSError, match="Bad file descriptor"):
        run(lambda arguments: os.close(99_999))
