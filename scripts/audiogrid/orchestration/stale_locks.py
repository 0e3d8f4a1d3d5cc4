"""Removes locks that a killed Snakemake left behind, and keeps those of a running one.

Snakemake locks its working folder with files in ``.snakemake/locks``; after SIGKILL they stay and
the next start refuses to work. They may be removed only if no Snakemake runs in the folder any
more, neither on this machine nor on another one that shares it.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from audiogrid.core.atomic_files import write_json
from audiogrid.core.errors import InputError
from audiogrid.orchestration.installation import scripts_folder

LOCKS = Path(".snakemake") / "locks"
DRIVER_RECORD = Path(".snakemake") / "audiogrid_driver.json"
# Time for the jobs of a dead Snakemake to finish their current chunk.
GRACE_SECONDS = 60.0
# Commands that users start themselves; no rule runs them.
_BY_HAND = {"run.py", "batch.py", "status.py", "doctor.py", "environment.py"}


@dataclass(frozen=True)
class Process:
    """A process of this user. ``argv`` as started; ``folder``: its working folder; ``started``: larger is later."""

    pid: int
    parent: int
    argv: tuple[str, ...]
    folder: Path
    started: float = 0

    @property
    def is_snakemake(self) -> bool:
        """Whether Snakemake runs here: its script, or ``python -m snakemake``."""
        names = [os.path.basename(word) for word in self.argv[:4]]  # noqa: PTH119 - words, not paths
        as_module = any(pair == ("-m", "snakemake") for pair in zip(self.argv, self.argv[1:4], strict=False))
        return as_module or "snakemake" in names[:2]

    @property
    def mode(self) -> str:
        """``default`` for a Snakemake that drives a workflow; ``subprocess`` or ``remote`` for one that runs a job."""
        for word, following in zip(self.argv, (*self.argv[1:], ""), strict=False):
            if word == "--mode":
                return following
            if word.startswith("--mode="):
                return word.removeprefix("--mode=")
        return "default"


def list_processes() -> list[Process]:
    """Processes of this user as far as they can be seen: /proc where there is one, else psutil."""
    if Path("/proc/self/stat").exists():
        return [process for entry in Path("/proc").iterdir() if entry.name.isdigit() and (process := _read_proc(entry))]
    import psutil

    found = []
    for process in psutil.process_iter():
        try:
            found.append(
                Process(
                    process.pid, process.ppid(), tuple(process.cmdline()), Path(process.cwd()), process.create_time()
                )
            )
        except (psutil.Error, OSError):
            continue
    return found


def _read_proc(entry: Path) -> Process | None:
    """Read one entry of /proc. Returns None for a process that has ended, is a zombie, or belongs to another user."""
    try:
        if entry.stat().st_uid != os.getuid():
            return None
        argv = tuple(word.decode(errors="surrogateescape") for word in (entry / "cmdline").read_bytes().split(b"\0"))
        # After the name in parentheses, which may hold anything: state, parent, 17 more, when it began since the boot.
        words = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
        return Process(int(entry.name), int(words[1]), argv[:-1], (entry / "cwd").readlink(), float(words[19]))
    except (OSError, ValueError, IndexError):
        return None


def _ancestors(pid: int, by_pid: dict[int, Process]) -> set[int]:
    """``pid`` and all processes above it."""
    seen: set[int] = set()
    while pid in by_pid and pid not in seen:
        seen.add(pid)
        pid = by_pid[pid].parent
    return seen


def drivers(folder: Path, processes: Iterable[Process], own: int) -> list[int]:
    """Pids of the Snakemakes that drive a workflow in ``folder``, without ``own`` and what started it."""
    by_pid = {process.pid: process for process in processes}
    mine = _ancestors(own, by_pid)
    here = folder.resolve()
    return sorted(
        p.pid
        for p in by_pid.values()
        if p.is_snakemake and p.mode == "default" and p.folder == here and p.pid not in mine
    )


def holders(folder: Path, processes: Sequence[Process], own: int, recorded: int | None) -> list[int]:
    """Pids of those drivers in ``folder`` that may hold its lock.

    ``recorded``: of the last driver that was let through. One that began after this one and was not let through yet
    cannot hold it. So of two drivers that are started at once, and find the lock of a dead one, the first goes on.
    """
    ages = {process.pid: (process.started, process.pid) for process in processes}
    found = drivers(folder, processes, own)
    return [pid for pid in found if pid == recorded or own not in ages or ages[pid] < ages[own]]


def orphans(folder: Path, scripts: Path, processes: Iterable[Process], own: int) -> list[int]:
    """Pids of local jobs in ``folder`` whose Snakemake is dead, with all their children, children first.

    A job is a Snakemake in ``subprocess`` mode or a command in ``scripts``; without its Snakemake
    the latter belongs to init. Jobs under a ``remote`` Snakemake belong to a cluster's scheduler and
    are left alone.
    """
    by_pid = {process.pid: process for process in processes}
    mine = _ancestors(own, by_pid)
    here = folder.resolve()
    roots = set()
    for process in by_pid.values():
        if process.folder != here or process.pid in mine:
            continue
        above = [by_pid[pid] for pid in _ancestors(process.pid, by_pid) - {process.pid}]
        if any(p.is_snakemake and p.mode != "subprocess" for p in above):
            continue
        if (process.is_snakemake and process.mode == "subprocess") or _is_orphaned_command(process, scripts):
            roots.add(process.pid)
    below = {pid: _ancestors(pid, by_pid) for pid in by_pid if pid not in mine}
    family = [pid for pid, above_it in below.items() if above_it & roots]
    return sorted(family, key=lambda pid: (-len(below[pid]), pid))


def _is_orphaned_command(process: Process, scripts: Path) -> bool:
    """Whether this is the command of a rule whose parent has died. A command typed by a user has a shell as parent."""
    words = [process.folder / word for word in process.argv[1:3] if word.endswith(".py")]
    is_ours = any(path.parent.resolve() == scripts and path.name not in _BY_HAND for path in words)
    return is_ours and process.parent == 1


def _end(pids: list[int], survivors: Callable[[], list[int]]) -> None:
    """Send SIGTERM, wait, then send SIGKILL. Results are written atomically, so nothing finished is lost."""
    for pid in pids:
        _signal(pid, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_SECONDS
    while survivors() and time.monotonic() < deadline:
        time.sleep(0.2)
    for pid in survivors():
        _signal(pid, signal.SIGKILL)


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _living(pids: Iterable[int]) -> list[int]:
    """Returns those of ``pids`` that are still running (zombies are not)."""
    wanted = set(pids)
    return [process.pid for process in list_processes() if process.pid in wanted]


def _last_driver(folder: Path) -> tuple[str, int] | None:
    """Returns host and pid of the last Snakemake that was let through in ``folder``, where they are known."""
    try:
        note = json.loads((folder / DRIVER_RECORD).read_bytes())
        return str(note["host"]), int(note["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def is_read_only(argv: Sequence[str]) -> bool:
    """Whether this Snakemake command takes no lock, or is about the lock itself."""
    words = ("--dry-run", "--dryrun", "--nolock", "--unlock", "--lint", "--summary", "--detailed-summary", "--dag")
    return any(word in words or re.fullmatch(r"-[a-zA-Z]*n[a-zA-Z]*", word) for word in argv[1:])


def is_locked(folder: Path) -> bool:
    """Whether Snakemake left locks in ``folder``."""
    locks = folder / LOCKS
    return locks.is_dir() and any(locks.iterdir())


def remove_stale_locks(folder: Path, say: Callable[[str], None]) -> bool:
    """Remove the locks of a dead Snakemake. Returns whether there were any.

    Local jobs that outlived it are ended first. Raises ``InputError`` if a Snakemake is running in
    ``folder``, or if the locks come from another machine, whose processes cannot be seen from here.
    ``say`` receives one sentence per action.
    """
    own = os.getpid()
    processes = list_processes()
    if not is_locked(folder):
        return False
    last = _last_driver(folder)
    is_here = last is not None and last[0] == socket.gethostname()
    if busy := holders(folder, processes, own, last[1] if last and is_here else None):
        raise InputError(
            f"another snakemake (process {', '.join(map(str, busy))}) is working in {folder.resolve()}: "
            "wait until it ends, or stop it (Ctrl-C in its terminal, or `kill -INT` and its number), then start again"
        )
    if last and not is_here:
        host = last[0]
        raise InputError(
            f"{folder.resolve()} is locked by a snakemake that was started on {host}, which cannot be asked from "
            f"{socket.gethostname()}: start again on {host}, or, if nothing runs there any more, "
            "type `snakemake --unlock` first"
        )
    if left := orphans(folder, scripts_folder(), processes, own):
        say(f"ending {len(left)} processes that a killed snakemake left running (finished chunks are kept)")
        _end(left, lambda: _living(left))
    shutil.rmtree(folder / LOCKS, ignore_errors=True)
    say("removed the lock of a snakemake that was killed (what `snakemake --unlock` does)")
    return True


def record_driver(folder: Path) -> None:
    """Record which machine Snakemake runs on in ``folder``; ``remove_stale_locks`` reads it."""
    write_json(folder / DRIVER_RECORD, {"host": socket.gethostname(), "pid": os.getpid()})
