"""Which results of a store the plans of runs refer to."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from audiogrid.core.errors import InputError
from audiogrid.records.finished_shard import FinishedShard
from audiogrid.records.journal import read_entries
from audiogrid.records.plan_files.reader import PlanFile, open_plan
from audiogrid.records.run_folder import RunFolder

_RESULT = re.compile(r"([0-9a-f]{64})(\.error)?\.json")


@dataclass(frozen=True)
class Unreferenced:
    """Files of results that no plan refers to, and the bytes they take; ``kept``: how many results are referred to."""

    files: list[Path]
    size: int
    kept: int


def runs_of(results: Path) -> list[RunFolder]:
    """Returns the runs in ``results`` that have a plan."""
    return [RunFolder(path.parent) for path in sorted(results.glob("*/plan.json"))]


def plan_folders(run: RunFolder) -> Iterator[RunFolder]:
    """Yields the folders of a run that have a plan: its own, and those of the variants of its comparison."""
    yield run
    for path in sorted(run.compare.root.glob("**/plan.json")):
        yield RunFolder(path.parent)


def referenced_keys(folder: RunFolder) -> set[str]:
    """Returns the store keys of a plan's chunks, as the jobs of its shards have noted them.

    A shard that has not run as the plan wants it may find results of the same chunks from before: all keys that were
    ever noted for them count. Raises ``InputError`` if the plan cannot be read: nothing must be removed then.
    """
    try:
        plan = open_plan(folder.plan)
    except Exception as error:
        raise InputError(
            f"{folder.plan} cannot be read ({type(error).__name__}), so it is not known what it refers to: "
            f"start its run again, or remove the folder {folder.root}"
        ) from error
    # Decoding, voices and texts of a shard are noted apart.
    kinds = (
        (folder.journal, folder.shards),
        (folder.voices_journal, folder.voices),
        (folder.aligned_journal, folder.aligned),
    )
    return {key for journal, reports in kinds for key in _noted_keys(plan, journal, reports)}


def _noted_keys(plan: PlanFile, journal: Path, reports: Path) -> Iterator[str]:
    as_planned: dict[str, list[dict[str, str]]] = {}
    for spec, found in (*_noted_in_journals(journal), *_noted_in_reports(reports, plan)):
        as_planned.setdefault(spec, []).append(found)
    # Chunk -> all keys that were ever noted for it; made only if some shard has not run as planned.
    ever: dict[str, set[str]] = {}
    for shard in plan.shards:
        chunks = plan.whole_shard(shard.shard).chunks
        if shard.spec in as_planned:
            for found in as_planned[shard.spec]:
                yield from (found[chunk] for chunk in chunks if chunk in found)
            continue
        if not ever:
            for several in as_planned.values():
                for found in several:
                    for chunk, key in found.items():
                        ever.setdefault(chunk, set()).add(key)
        for chunk in chunks:
            yield from ever.get(chunk, ())


def _noted_in_journals(journal: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Yields spec and keys (chunk -> key) of every attempt at a shard."""
    for path in journal.glob("*.jsonl"):
        for entry in read_entries(path):
            if entry.get("event") == "begin":
                yield str(entry.get("spec")), dict(entry["facts"]["keys"])


def _noted_in_reports(reports: Path, plan: PlanFile) -> Iterator[tuple[str, dict[str, str]]]:
    for shard in plan.shards:
        try:
            report = FinishedShard.read(reports / f"{shard.shard}.json")
        except (OSError, ValueError):
            continue
        yield report.spec or shard.spec, report.facts.keys


def unreferenced(store: Path, keys: Iterable[str]) -> Unreferenced:
    """Returns what of ``store`` is not among ``keys``. Files that hold no chunk results are never named."""
    wanted = set(keys)
    files, size, kept = [], 0, 0
    for path in sorted(store.glob("[0-9a-f][0-9a-f]/*.json")):
        found = _RESULT.fullmatch(path.name)
        if found is None or not (found[2] or _is_chunk_result(path)):
            continue
        if found[1] in wanted:
            kept += not found[2]
        else:
            files.append(path)
            size += path.stat().st_size
    return Unreferenced(files, size, kept)


def _is_chunk_result(path: Path) -> bool:
    """Whether a file holds a result of a chunk; what else lies in a store is not ours to judge."""
    try:
        result = json.loads(path.read_bytes())["result"]
        return "segments" in result or "tracklets" in result or {"windows", "scores"} <= set(result)
    except (OSError, ValueError, KeyError, TypeError):
        return False
