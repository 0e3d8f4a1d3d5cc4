"""Generation numbers of shards and bundles: parameters that make Snakemake run a finished job again.

A job may end well and leave something to be done: a shard left out chunks, or a transcript was deleted
by hand. The number that is wanted is then one more than the number in the job's report.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from audiogrid.core.atomic_files import read_json
from audiogrid.records.finished_shard import FinishedShard
from audiogrid.records.run_folder import RunFolder


def _generation(path: Path) -> tuple[int, dict[str, Any]]:
    try:
        report = read_json(path)
        return int(report["generation"]), report
    except (OSError, ValueError, KeyError, TypeError):
        return 0, {}


def shard_generation(folder: RunFolder, shard: str) -> int:
    """Returns the wanted generation of ``shard``: a new one if the last left out recordings or chunks."""
    try:
        report = FinishedShard.read(folder.shards / f"{shard}.json")
    except (OSError, ValueError):
        return 1
    is_final = report.generation and not (report.failed or report.facts.problems)
    return report.generation if is_final else report.generation + 1


def is_intact(folder: RunFolder, path: Path) -> bool:
    """Whether every transcript that ``merged/<bundle>.json`` lists still exists."""
    try:
        listed = read_json(path)["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return all((folder.root / file["path"]).is_file() for files in listed.values() for file in files.values())


def merge_generation(folder: RunFolder, bundle: str) -> int:
    """Returns the wanted generation of ``bundle``: a new one if a transcript was deleted by hand."""
    path = folder.merged / f"{bundle}.json"
    number, report = _generation(path)
    return number if report and is_intact(folder, path) else number + 1
