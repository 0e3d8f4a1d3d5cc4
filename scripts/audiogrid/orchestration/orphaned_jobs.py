"""Cancels Slurm jobs that a dead Snakemake left in the queue, before a new one submits the same work.

A Snakemake that is killed or logged out leaves its jobs in the queue. The next one does not know them and would run
the same shards again. Cancelling costs little: a worker that receives SIGTERM finishes its chunk, and every finished
chunk is in the store.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from audiogrid.core.errors import RetryableError

# Longer than the time between SIGTERM and SIGKILL on any usual cluster (30 s, sometimes some minutes).
PATIENCE_SECONDS = 600.0
# Every job submitted by Snakemake's executor has a comment that starts so.
_COMMENT = "rule_"


@dataclass(frozen=True)
class ClusterJob:
    """A job in the queue. ``comment``: rule and wildcards; ``folder``: where it was submitted."""

    job: str
    state: str
    comment: str
    folder: str


def read_queue(text: str) -> list[ClusterJob]:
    """Jobs from the lines of ``squeue --format=%i|%T|%k|%Z``; lines of another form are left out."""
    parts = [line.split("|", 3) for line in text.splitlines()]
    return [ClusterJob(*fields) for fields in parts if len(fields) == 4]


def orphaned_jobs_of(jobs: Sequence[ClusterJob], folder: Path) -> list[ClusterJob]:
    """Returns the jobs that a Snakemake submitted from ``folder``."""
    here = {str(folder), str(folder.resolve())}
    return [job for job in jobs if job.folder in here and job.comment.startswith(_COMMENT)]


def _ask(*argv: str) -> str:
    """Output of a command of Slurm. Raises ``RetryableError`` when it fails or does not answer."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, errors="replace", timeout=120, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RetryableError(f"{argv[0]} does not answer ({error}); try again when Slurm is back") from error
    if done.returncode:
        raise RetryableError(f"{argv[0]} failed: {done.stderr.strip()}; try again when Slurm is back")
    return done.stdout


def _queue() -> list[ClusterJob]:
    user = str(os.getuid())
    return read_queue(_ask("squeue", "--noheader", f"--user={user}", "--format=%i|%T|%k|%Z"))


def cancel_orphaned_jobs(folder: Path, say: Callable[[str], None]) -> int:
    """Cancel the jobs that an earlier Snakemake submitted from ``folder``. Returns their number.

    Call it only from a Snakemake that holds the lock of ``folder`` and has not submitted anything yet. It waits until
    the jobs are gone, and does nothing on a machine without Slurm. Raises ``RetryableError`` if Slurm does not answer
    or the jobs do not end.
    """
    if shutil.which("squeue") is None:
        return 0
    found = orphaned_jobs_of(_queue(), folder)
    if not found:
        return 0
    names = ", ".join(job.job for job in found)
    say(f"ending {len(found)} job(s) that an earlier snakemake left in the queue ({names}); finished chunks are kept")
    deadline = time.monotonic() + PATIENCE_SECONDS
    _ask("scancel", *(job.job for job in found))
    while waiting := orphaned_jobs_of(_queue(), folder):
        if time.monotonic() > deadline:
            names = ", ".join(job.job for job in waiting)
            raise RetryableError(f"jobs {names} of an earlier run do not end; `scancel` them, then start again")
        time.sleep(2)
    return len(found)


def cancel_waiting_jobs(folder: Path, say: Callable[[str], None]) -> None:
    """Cancel the jobs that were submitted from ``folder`` and have not begun: nobody waits for a queue at the end.

    Where Slurm does not answer they stay; each ends by itself as soon as it begins.
    """
    try:
        waiting = [job.job for job in orphaned_jobs_of(_queue(), folder) if job.state == "PENDING"]
        if waiting:
            _ask("scancel", "--state=PENDING", *waiting)
            say(f"{len(waiting)} job(s) in the queue are not begun any more")
    except RetryableError as error:
        say(f"jobs in the queue are not cancelled: {error}")
