import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from audiogrid.core.atomic_files import write_json
from audiogrid.core.errors import InputError
from audiogrid.orchestration import stale_locks as locks
from audiogrid.orchestration.stale_locks import Process

HERE = Path("/somewhere/clone")


def lock(folder: Path) -> Path:
    path = folder / locks.LOCKS
    path.mkdir(parents=True)
    (path / "0.input.lock").write_text("a\n")
    return path


def process(pid: int, parent: int, command: str, folder: Path = HERE) -> Process:
    return Process(pid, parent, tuple(command.split()), folder)


DRIVER = "python3 /env/bin/snakemake --profile profiles/local"
JOB = "python3 -m snakemake --snakefile x --mode subprocess"


@pytest.mark.parametrize(
    ("command", "is_snakemake", "mode"),
    [
        (DRIVER, True, "default"),
        ("python3 -m snakemake -n", True, "default"),
        (JOB, True, "subprocess"),
        ("python3 -m snakemake --mode=remote", True, "remote"),
        ("snakemake --cores 2", True, "default"),
        ("vim snakemake.txt", False, "default"),
        ("grep -r pattern snakemake", False, "default"),
        ("python3 scripts/transcribe.py --config snakemake", False, "default"),
        ("", False, "default"),
    ],
)
def test_what_counts_as_snakemake(command: str, is_snakemake: bool, mode: str) -> None:
    found = process(1, 0, command)
    assert (found.is_snakemake, found.mode) == (is_snakemake, mode)


def test_drivers_are_those_of_this_folder_without_ourselves() -> None:
    processes = [
        process(10, 1, DRIVER),
        process(11, 1, DRIVER, Path("/somewhere/else")),
        process(12, 1, "vim Snakefile"),
        process(20, 1, DRIVER),
        process(21, 20, "python3 scripts/run.py"),
        process(30, 10, JOB),
    ]
    assert locks.drivers(HERE, processes, own=21) == [10]


def test_of_two_drivers_at_once_the_first_goes_on() -> None:
    first = Process(20, 1, tuple(DRIVER.split()), HERE, started=5.0)
    second = Process(19, 1, tuple(DRIVER.split()), HERE, started=6.0)
    assert locks.holders(HERE, [first, second], own=20, recorded=None) == []
    assert locks.holders(HERE, [first, second], own=19, recorded=None) == [20]
    # The second one was let through while the first was still reading its files.
    assert locks.holders(HERE, [first, second], own=20, recorded=19) == [19]
    assert locks.holders(HERE, [second], own=99, recorded=None) == [19]


def test_orphans_are_jobs_without_a_driver_and_their_children_first() -> None:
    processes = [
        process(40, 1, JOB),
        process(41, 40, "bash -c x"),
        process(42, 41, "python3 scripts/transcribe.py", Path("/anywhere")),
        process(50, 1, DRIVER),
        process(51, 50, JOB),
        process(60, 1, "python3 -m snakemake --mode remote"),
        process(61, 60, JOB),
        process(70, 1, JOB, Path("/somewhere/else")),
    ]
    assert locks.orphans(HERE, HERE / "scripts", processes, own=99) == [42, 41, 40]


def test_a_rule_command_is_an_orphan_once_init_has_it() -> None:
    processes = [
        process(40, 1, f"python3 {HERE}/scripts/transcribe.py --shard=s0001"),
        process(41, 40, "python3 -c spawn"),
        process(42, 9, f"python3 {HERE}/scripts/transcribe.py --shard=s0002"),
        process(43, 1, f"python3 {HERE}/scripts/status.py results/x"),
        process(44, 1, "python3 /other/scripts/transcribe.py"),
        process(60, 1, DRIVER),
        process(61, 60, f"python3 {HERE}/scripts/split.py"),
    ]
    assert locks.orphans(HERE, HERE / "scripts", processes, own=99) == [41, 40]


def test_nothing_locked_is_nothing_to_do(tmp_path: Path) -> None:
    said: list[str] = []
    assert not locks.remove_stale_locks(tmp_path, said.append)
    assert said == []


def test_stale_lock_goes_and_is_mentioned(tmp_path: Path) -> None:
    path = lock(tmp_path)
    said: list[str] = []
    assert locks.remove_stale_locks(tmp_path, said.append)
    assert not path.exists()
    assert len(said) == 1 and "--unlock" in said[0]


def test_lock_from_this_machine_goes_from_another_stays(tmp_path: Path) -> None:
    path = lock(tmp_path)
    write_json(tmp_path / locks.DRIVER_RECORD, {"host": "login2", "pid": 1})
    with pytest.raises(InputError, match="login2"):
        locks.remove_stale_locks(tmp_path, print)
    assert path.exists()
    locks.record_driver(tmp_path)
    assert socket.gethostname() in (tmp_path / locks.DRIVER_RECORD).read_text()
    assert locks.remove_stale_locks(tmp_path, print)


@pytest.mark.parametrize("note", ["", "{", "[]", "{}"])
def test_unreadable_note_is_no_obstacle(tmp_path: Path, note: str) -> None:
    lock(tmp_path)
    (tmp_path / locks.DRIVER_RECORD).write_text(note)
    assert locks.remove_stale_locks(tmp_path, print)


def imposter(folder: Path, *options: str, deaf: bool = False) -> subprocess.Popen[bytes]:
    """A process that looks like Snakemake: a script of that name that says when it is ready and sleeps."""
    script = folder / "snakemake"
    ignore = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" if deaf else ""
    script.write_text(f"import time\n{ignore}print('ready', flush=True)\ntime.sleep(60)\n")
    started = subprocess.Popen([sys.executable, str(script), *options], cwd=folder, stdout=subprocess.PIPE)
    assert started.stdout and started.stdout.readline() == b"ready\n"
    return started


def test_living_driver_is_named_and_its_lock_stays(tmp_path: Path) -> None:
    path = lock(tmp_path)
    driver = imposter(tmp_path)
    write_json(tmp_path / locks.DRIVER_RECORD, {"host": socket.gethostname(), "pid": driver.pid})
    try:
        with pytest.raises(InputError, match=str(driver.pid)):
            locks.remove_stale_locks(tmp_path, print)
        assert path.exists()
    finally:
        driver.kill()
        driver.communicate()
    assert locks.remove_stale_locks(tmp_path, print)


@pytest.mark.parametrize("deaf", [False, True])
def test_jobs_of_a_dead_driver_are_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deaf: bool) -> None:
    monkeypatch.setattr(locks, "GRACE_SECONDS", 0.5)
    lock(tmp_path)
    job = imposter(tmp_path, "--mode", "subprocess", deaf=deaf)
    said: list[str] = []
    try:
        # A job of ours would not be an orphan of nobody: its parent here is this test, which is no Snakemake.
        assert locks.remove_stale_locks(tmp_path, said.append)
        assert job.wait(10) == -(signal.SIGKILL if deaf else signal.SIGTERM)
    finally:
        job.kill()
        job.communicate()
    assert len(said) == 2


def test_own_process_is_seen() -> None:
    own = [found for found in locks.list_processes() if found.pid == os.getpid()]
    assert len(own) == 1
    assert own[0].parent == os.getppid() and own[0].folder == Path.cwd()
    before = {found.pid: found.started for found in locks.list_processes()}.get(os.getppid(), 0.0)
    assert own[0].started >= before


def test_zombies_do_not_count(tmp_path: Path) -> None:
    ended = imposter(tmp_path)
    ended.kill()
    deadline = time.monotonic() + 60
    while ended.pid in locks.drivers(tmp_path, locks.list_processes(), os.getpid()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert ended.pid not in locks.drivers(tmp_path, locks.list_processes(), os.getpid())
    ended.communicate()
