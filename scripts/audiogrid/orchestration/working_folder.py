"""Checks that a run can write where it is started, before anything else fails there in a less obvious way."""

from __future__ import annotations

import errno
import os
import secrets
from pathlib import Path

from audiogrid.core.errors import InputError, RetryableError

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


def check_working_folder(results: Path, snakefile: Path, folder: Path | None = None) -> None:
    """Raise ``InputError`` where the working folder cannot be written, ``RetryableError`` where it has no room.

    ``results``: the run's folder, relative to the working folder; ``snakefile``: of this workflow, for advice;
    ``folder``: the working folder, if it is not the current one.
    """
    try:
        here = folder or Path.cwd()
    except FileNotFoundError:
        raise InputError("The folder in which this was started no longer exists: start it in another one.") from None
    # Snakemake's scheduler writes into the folder for temporary files and does not look for another one.
    temporary = [Path(os.environ[name]) for name in ("TMPDIR", "TEMP", "TMP") if os.environ.get(name)]
    for place in (here / ".snakemake", here / results / ".state", *(one for one in temporary if one.is_dir())):
        try:
            _try_to_write(place)
        except OSError as error:
            if error.errno in _NO_ROOM:
                raise RetryableError(
                    f"There is no room left in {place} ({error.strerror}): free some and start again. Finished chunks "
                    "are kept."
                ) from None
            if place in temporary:
                raise InputError(
                    f"The folder for temporary files, {place}, cannot be written ({error.strerror}): set TMPDIR to one "
                    "of your own."
                ) from None
            raise InputError(
                f"{place} cannot be written ({error.strerror}). A run writes results/, models/ and .snakemake/ into "
                f"the folder that it is started in: start it in a folder of your own, with snakemake -s {snakefile} "
                "--profile ..., or with audiogrid run."
            ) from None


def _try_to_write(folder: Path) -> None:
    """Write a file there and remove it; in the folder above where there is none yet, since nothing is left behind."""
    while not os.path.lexists(folder):
        folder = folder.parent
    attempt = folder / f".tmp-{os.getpid()}-{secrets.token_hex(4)}"
    try:
        # More than a few bytes: a quota lets empty files pass.
        attempt.write_bytes(bytes(4096))
    finally:
        attempt.unlink(missing_ok=True)
