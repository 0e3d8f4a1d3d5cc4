"""Folders of another user: no question about what is in them raises an error."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from audiogrid.core.visible import exists, is_file, is_readable_folder, may_exist
from audiogrid.models.registry import load_registry
from audiogrid.models.sources import folder_state
from audiogrid.probing.tables import _local_problem
from audiogrid.records.store import Store
from places import ROOT

NOBODY = 65534


def _holds_for_another_user(check: Callable[[], bool]) -> bool:
    """Runs a check in a child process, which gives up the rights of root if it has them."""
    child = os.fork()
    if not child:
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            os._exit(0 if check() else 1)
        except BaseException:
            traceback.print_exc()
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.fixture
def locked(tmp_path: Path):
    folder = tmp_path / "locked"
    (folder / "inner").mkdir(parents=True)
    (folder / "x.wav").write_bytes(b"RIFF")
    folder.chmod(0)
    yield folder
    folder.chmod(0o700)


def test_what_is_in_a_locked_folder_cannot_be_seen(locked: Path) -> None:
    def check() -> bool:
        inside = locked / "inner"
        seen = exists(inside) or is_file(locked / "x.wav") or is_readable_folder(inside) or is_readable_folder(locked)
        return not seen and may_exist(locked / "x.wav")

    assert _holds_for_another_user(check)


def test_what_everybody_may_see_is_seen(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    assert exists(tmp_path / "a") and is_file(tmp_path / "a") and is_readable_folder(tmp_path)
    assert not exists(tmp_path / "b") and not may_exist(tmp_path / "b") and not is_file(tmp_path)


def test_names_that_no_file_can_have_do_not_exist(tmp_path: Path) -> None:
    circle = tmp_path / "circle"
    circle.symlink_to(circle)
    (tmp_path / "file").touch()
    for path in (circle, tmp_path / ("x" * 300), tmp_path / "file" / "x", tmp_path / "a\0b"):
        assert not may_exist(path)


def test_rows_models_and_stores_of_another_user_are_no_error(locked: Path) -> None:
    registry = load_registry(ROOT / "config" / "models.yaml")

    def check() -> bool:
        # The row goes on to `probe`, which says what is wrong with its file.
        row = _local_problem("x.wav", str(locked / "x.wav"))
        return row is None and folder_state(str(locked / "inner"), registry) is None and not Store(locked).exists("ab")

    assert _holds_for_another_user(check)
