"""Starts Snakemake in the working folder, after printing the plain command that does the same."""

from __future__ import annotations

import getpass
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from audiogrid.core.errors import EXIT_DONE, EXIT_RETRY
from audiogrid.core.secrets import masked_words
from audiogrid.orchestration.batches import batch_arguments, result_lines, run_all
from audiogrid.orchestration.stale_locks import record_driver, remove_stale_locks


def say(sentence: str) -> None:
    """Print a line on standard error, unbuffered, so that it stays in order with Snakemake's output."""
    print(sentence, file=sys.stderr, flush=True)


def plain_command(options: Sequence[str]) -> str:
    """Returns the command as a person types it; secrets are masked, because terminals are recorded and pasted."""
    return shlex.join(masked_words(["snakemake", *options]))


def become_snakemake(options: Sequence[str], where: str = "") -> NoReturn:
    """Replace this process with ``snakemake``, so that signals and the exit code are its own.

    ``where``: what a person has to do first for the printed command to work. Raises ``InputError`` if a Snakemake
    is running in this folder.
    """
    remove_stale_locks(Path.cwd(), say)
    record_driver(Path.cwd())
    say(f"The plain command{where}:")
    say(f"  {plain_command(options)}")
    os.execve(sys.executable, [sys.executable, "-m", "snakemake", *options], snakemake_environment())


def run_batches(batches: Sequence[Path], words: Sequence[str], start: Sequence[str], again: str) -> int:
    """Run each batch in a Snakemake of its own, also after one that failed, and print how each ended.

    ``start``: workflow and profile; ``again``: the command that repeats a batch, up to its name. Returns the exit code.
    """

    def run(batch: Path) -> int:
        options = batch_arguments(batch, words, start)
        remove_stale_locks(Path.cwd(), say)
        say(f"\n{batch}: {plain_command(options)}")
        with subprocess.Popen([sys.executable, "-m", "snakemake", *options], env=snakemake_environment()) as snakemake:
            try:
                return snakemake.wait()
            except KeyboardInterrupt:
                # Snakemake receives the interrupt, too, and ends its jobs cleanly.
                snakemake.wait()
                raise

    results = run_all(batches, run, time.monotonic)
    say("")
    for line in result_lines(results, batches, again):
        say(line)
    return EXIT_DONE if all(one.code == 0 for one in results) and len(results) == len(batches) else EXIT_RETRY


def snakemake_environment(environment: Mapping[str, str] = os.environ, folder: Path | None = None) -> dict[str, str]:
    """Returns the environment for Snakemake. The commands of its rules find the Python of this environment first.

    ``folder``: its working folder, if it is not the current one.

    Snakemake ends with a traceback where its user has no name, no home folder, or none to write a cache to (a container
    under a number that has no name, nodes without home folders). A folder in ``.snakemake/`` takes its place then.
    """
    path = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', os.defpath)}"
    found = {**environment, "PATH": path}
    spare = (folder or Path.cwd()).absolute() / ".snakemake" / "home"
    try:
        home = Path(environment["HOME"]) if environment.get("HOME") else Path.home()
    except RuntimeError:
        home = Path()
    if not (home.is_absolute() and home.is_dir()):
        home = spare
        found["HOME"] = str(spare)
    try:
        getpass.getuser()
    except (KeyError, OSError):
        found["USER"] = "audiogrid"
    if not _is_writable(Path(environment.get("XDG_CACHE_HOME") or home / ".cache")):
        found["XDG_CACHE_HOME"] = str(spare / ".cache")
    return found


def _is_writable(folder: Path) -> bool:
    """Whether there is such a folder, or one can be made."""
    while not os.path.lexists(folder) and folder != folder.parent:
        folder = folder.parent
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)
