"""Make or renew the virtual environment in ``.venv/``; silent unless it has work or fails.

Standard library only, and readable by old Python versions, because it is what tells their
users that a newer Python is needed. Usage: python3 scripts/environment.py run|serve|test|dev|bench
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
OLDEST = (3, 11)
NEWER_NAMES = ("python3.14", "python3.13", "python3.12", "python3.11")
# What is installed at each level; a higher level includes the lower ones.
EXTRAS = {"run": "", "serve": "[serve]", "test": "[test]", "dev": "[dev]", "bench": "[dev,bench]"}
LEVELS = tuple(EXTRAS)
FAILED = 2


def fail(message: str) -> NoReturn:
    """Print one error and leave with the code for wrong input."""
    print("error: " + message, file=sys.stderr)
    sys.exit(FAILED)


def find_python() -> str:
    """Path of a Python that is new enough: this one, or a newer one by its versioned name."""
    if sys.version_info[:2] >= OLDEST:
        return sys.executable
    for name in NEWER_NAMES:
        found = shutil.which(name)
        if found:
            return found
    fail(
        "Python {}.{} or newer is needed, and {} is {}.{}. Install one (Debian 12, Ubuntu 24.04: "
        "apt-get install python3 python3-venv), or name one: make PYTHON=/path/to/python3.12".format(
            *OLDEST, sys.executable, *sys.version_info[:2]
        )
    )


def check_venv(python: str) -> None:
    """Fail with what to install when this Python cannot make virtual environments (Debian splits that off)."""
    probe = subprocess.run([python, "-c", "import venv, ensurepip"], stderr=subprocess.PIPE, check=False)
    if probe.returncode:
        fail(
            f"{python} cannot make virtual environments: its venv module is missing. "
            "On Debian and Ubuntu: apt-get install python3-venv"
        )


def fingerprint(level: str) -> str:
    """Hash of all that decides what belongs into the environment. Contents count, not times: git changes those."""
    digest = hashlib.sha256()
    for part in (ROOT / "pyproject.toml", ROOT / "constraints.txt"):
        digest.update(part.read_bytes())
    # The place is part of it: a moved environment has dead paths in its scripts.
    digest.update(os.fsencode(str(ROOT)) + level.encode())
    return digest.hexdigest()


def is_ready(level: str) -> bool:
    """Whether the environment holds this level or a higher one, and its Python still starts."""
    wanted = LEVELS[LEVELS.index(level) :]
    for candidate in wanted:
        stamp = VENV / f"audiogrid-{candidate}.stamp"
        if stamp.is_file() and stamp.read_text() == fingerprint(candidate):
            return (VENV / "bin" / "python").exists()
    return False


def run_quietly(argv: list[str], log: Path, what: str) -> None:
    """Run a command into a log; on failure show the end of the log and leave."""
    with log.open("ab") as file:
        code = subprocess.run(argv, stdout=file, stderr=subprocess.STDOUT, cwd=str(ROOT), check=False).returncode
    if code:
        print("".join(log.read_text(errors="replace").splitlines(keepends=True)[-40:]), file=sys.stderr)
        fail(f"{what} failed (exit code {code}). The whole log: {log}. It is safe to start the same command again.")


def moved() -> bool:
    """Whether the environment was made in another folder (a moved or copied clone)."""
    home = VENV / "audiogrid-home"
    return home.is_file() and home.read_text() != str(ROOT)


def make(level: str) -> None:
    """Create the environment where there is none and install into it."""
    python = find_python()
    check_venv(python)
    fresh = not (VENV / "bin" / "python").exists() or moved()
    what = "making the environment in .venv (a minute or two) ..." if fresh else "renewing the environment in .venv ..."
    print(what, file=sys.stderr)
    VENV.mkdir(exist_ok=True)
    log = VENV / "setup.log"
    log.write_bytes(b"")
    for old in VENV.glob("audiogrid-*.stamp"):
        old.unlink()
    if fresh:
        # Not --clear, which would take the lock and the log away; the old packages are overwritten or removed here.
        for name in ("bin", "lib", "lib64", "include"):
            stale = VENV / name
            if stale.is_symlink():
                stale.unlink()
            elif stale.exists():
                shutil.rmtree(str(stale))
        run_quietly([python, "-m", "venv", str(VENV)], log, "python -m venv")
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install"]
    run_quietly([*pip, "-c", "constraints.txt", "-e", f".{EXTRAS[level]}"], log, "pip install")
    (VENV / "audiogrid-home").write_text(str(ROOT))
    (VENV / f"audiogrid-{level}.stamp").write_text(fingerprint(level))


def main() -> None:
    """Take a lock, so that two makes at once do not install into each other, and work if there is work."""
    level = sys.argv[1] if len(sys.argv) == 2 else ""
    if level not in EXTRAS:
        fail("usage: environment.py {}".format("|".join(LEVELS)))
    if is_ready(level):
        return
    VENV.mkdir(exist_ok=True)
    with (VENV / "setup.lock").open("w") as lock:
        try:
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX)
        except (ImportError, OSError):
            # Some network file systems have no locks: two makes at the same time would disturb each other there.
            pass
        if not is_ready(level):
            make(level)


if __name__ == "__main__":
    main()
