"""How far a run is, and what is transcribed of a recording so far."""

from __future__ import annotations

from pathlib import Path

from audiogrid.core.errors import InputError
from audiogrid.core.stop_note import read_stop
from audiogrid.core.timebase import clock, to_seconds
from audiogrid.export.paragraphs import make_paragraphs
from audiogrid.merging.merge_bundle import facts_from_journals
from audiogrid.records.plan_files.reader import open_plan
from audiogrid.records.results import ChunkResult
from audiogrid.records.run_folder import RunFolder
from audiogrid.records.store import Store
from audiogrid.reporting.last_lines import read_run_summary
from audiogrid.reporting.progress import RunProgress, is_idle


def chunk_paragraphs(result: ChunkResult) -> list[str]:
    """Returns the text of a chunk in paragraphs."""
    segments = [
        {
            "start": to_seconds(segment.start),
            "language": segment.language,
            "words": [
                {"start": to_seconds(word.start), "end": to_seconds(word.end), "word": word.text}
                for word in segment.words
            ],
        }
        for segment in result.segments
    ]
    return [paragraph.line for paragraph in make_paragraphs({"segments": segments, "gaps": []})]


def _require_plan(folder: RunFolder) -> None:
    if not folder.root.is_dir():
        raise InputError(f"{folder.root} is not there; give the folder of a run, such as results/samples")
    if not folder.plan.is_file():
        raise InputError(f"{folder.root} has no plan yet: wait until the run has planned, or start it")


def status_lines(folder: RunFolder) -> list[str]:
    """Returns the progress of a run and, after its end, how it ended. Raises ``InputError`` if it has no plan yet."""
    _require_plan(folder)
    progress = RunProgress(folder)
    now = progress.now()
    lines = [f"{folder.root}: {now.line()}", f"shards: {now.shards_done} of {now.shards} done"]
    stopped = read_stop(folder.stop)
    if stopped is not None:
        lines.append(f"stopped: {stopped.reason}; the same command goes on")
    elif now.done < now.total and is_idle(folder):
        lines.append("no job has written anything for 15 minutes; if the run was stopped, start the same command again")
    if folder.summary.is_file() and now.done >= now.total:
        lines += read_run_summary(folder).lines
    return lines


def text_so_far(folder: RunFolder, name: str, store: Path) -> list[str]:
    """Returns the text of a recording's finished chunks, in order, and a line in brackets for each that is missing.

    Raises ``InputError`` if the run has no plan yet or no such recording.
    """
    _require_plan(folder)
    whole = open_plan(folder.plan)
    bundle = next((one.bundle for one in whole.bundles if name in whole.names_of(one.bundle)), None)
    if bundle is None:
        known = ", ".join([name for one in whole.bundles[:1] for name in whole.names_of(one.bundle)][:5])
        raise InputError(f"there is no recording {name!r} in {folder.root}; it has {known} ...")
    plan = whole.of_bundle(bundle)
    facts = facts_from_journals(folder, plan, bundle)
    results = Store(store, folder.own_store)
    lines = []
    for chunk_id in plan.recording[name].chunk_ids:
        chunk = facts.chunks.get(chunk_id)
        if chunk is None:
            lines.append(f"[{chunk_id}: not reached]")
        elif not chunk.is_empty:
            stored = results.get(facts.keys[chunk_id]) if chunk_id in facts.keys else None
            if stored is None:
                lines.append(f"[{clock(chunk.start)}-{clock(chunk.end)}: not transcribed]")
            else:
                lines += chunk_paragraphs(stored.result)
    return lines
