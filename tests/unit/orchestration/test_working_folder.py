"""A folder that a run cannot write is one sentence, not a traceback."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from audiogrid.core.errors import InputError, RetryableError
from audiogrid.orchestration import working_folder
from audiogrid.orchestration.working_folder import check_working_folder

SNAKEFILE = Path("/opt/audiogrid/workflow/Snakefile")


def test_a_folder_that_can_be_written_is_left_as_it_was(tmp_path: Path) -> None:
    check_working_folder(Path("results/x"), SNAKEFILE, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        (errno.EROFS, InputError, "Read-only file system.*in a folder of your own, with snakemake -s /opt/audiogrid"),
        (errno.EACCES, InputError, "Permission denied.*or with audiogrid run"),
        (errno.ENOSPC, RetryableError, "no room left.*No space left on device.*Finished chunks are kept"),
        (errno.EDQUOT, RetryableError, "no room left.*quota exceeded"),
    ],
)
def test_what_cannot_be_written_is_told_with_what_to_do(tmp_path: Path, monkeypatch, code, kind, words) -> None:
    def refuse(folder: Path) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(working_folder, "_try_to_write", refuse)
    with pytest.raises(kind, match=f"(?is){words}"):
        check_working_folder(Path("results/x"), SNAKEFILE, tmp_path)


def test_a_file_where_the_results_should_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("x")
    with pytest.raises(InputError, match="cannot be written"):
        check_working_folder(Path("results/x"), SNAKEFILE, tmp_path)


def test_a_folder_that_is_gone_is_told(tmp_path: Path, monkeypatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(InputError, match="no longer exists"):
        check_working_folder(Path("results/x"), SNAKEFILE)


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [(errno.ENOSPC, RetryableError, "no room left"), (errno.EACCES, InputError, "Permission denied.*set TMPDIR")],
)
def test_a_folder_for_temporary_files_that_cannot_be_written_is_told(tmp_path, monkeypatch, code, kind, words) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    write = working_folder._try_to_write

    def refuse(folder: Path) -> None:
        if folder == temporary:
            raise OSError(code, os.strerror(code))
        write(folder)

    monkeypatch.setattr(working_folder, "_try_to_write", refuse)
    monkeypatch.setenv("TMPDIR", str(temporary))
    with pytest.raises(kind, match=words):
        check_working_folder(Path("results/x"), SNAKEFILE, tmp_path)
    # One that does not exist is passed over by everybody.
    monkeypatch.setenv("TMPDIR", str(tmp_path / "none"))
    check_working_folder(Path("results/x"), SNAKEFILE, tmp_path)
