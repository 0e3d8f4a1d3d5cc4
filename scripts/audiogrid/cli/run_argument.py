"""The argument RUN of commands that read what a run has left: its name below ``results/``, or its folder."""

from __future__ import annotations

import difflib
from pathlib import Path

from audiogrid.core.errors import InputError
from audiogrid.records.run_folder import RunFolder

RESULTS = Path("results")


def known_runs(results: Path = RESULTS) -> list[RunFolder]:
    """Returns the runs in ``results``, by name. Raises ``InputError`` if there are none."""
    # Every run has a configuration; the store and the logs of Slurm have none.
    found = sorted(path.parent for path in results.glob("*/run_config.yaml"))
    if not found:
        raise InputError(f"there is no run in {results.absolute()}: start one with audiogrid run, or name its folder")
    return [RunFolder(path) for path in found]


def find_run(name: str, results: Path = RESULTS) -> RunFolder:
    """Returns the run that a name or a folder means. Raises ``InputError`` with the nearest known name."""
    for root in (results / name, Path(name)):
        if root.is_dir() and any((root / file).exists() for file in ("plan.json", "run_config.yaml")):
            return RunFolder(root)
    if Path(name).is_dir():
        raise InputError(f"{name} has no plan yet: wait until the run has planned, or start it")
    known = [path.parent.name for path in results.glob("*/run_config.yaml")]
    near = difflib.get_close_matches(name, known, 1)
    advice = f"did you mean {near[0]!r}?" if near else f"runs there: {', '.join(sorted(known)) or 'none'}"
    raise InputError(f"there is no run {name!r} in {results.absolute()}: {advice}")
