"""Print the progress of a run, or the text of a recording as far as it is transcribed."""

from __future__ import annotations

import argparse
from pathlib import Path

import yaml

from audiogrid.core.command import run
from audiogrid.core.errors import InputError
from audiogrid.core.timebase import clock
from audiogrid.merging.merge_bundle import facts_from_journals
from audiogrid.records.plan import Plan, Recording
from audiogrid.records.run_folder import RunFolder
from audiogrid.records.store import Store
from audiogrid.reporting.progress import RunProgress, is_idle
from audiogrid.reporting.run_summary import read_run_summary


def _text(folder: RunFolder, plan: Plan, recording: Recording, store: Store) -> None:
    """Print the text of the chunks that are done, in order; a line in brackets for each that is not."""
    bundle = next(bundle.bundle for bundle in plan.bundles if recording.recording in bundle.recordings)
    facts = facts_from_journals(folder, plan, bundle)
    for name in recording.chunk_ids:
        chunk = facts.chunks.get(name)
        if chunk is None:
            print(f"[{name}: not reached]")
            continue
        stored = store.get(facts.keys[name]) if name in facts.keys else None
        span = f"{clock(chunk.start)}-{clock(chunk.end)}"
        if chunk.is_empty:
            continue
        if stored is None:
            print(f"[{span}: not transcribed]")
        else:
            print(" ".join(segment.text.strip() for segment in stored.result.segments))


def _store(folder: RunFolder) -> Path:
    """The store that the run says it uses."""
    try:
        return Path(yaml.safe_load(folder.config.read_text())["config"]["store"])
    except (OSError, yaml.YAMLError, KeyError, TypeError):
        return folder.root.parent / "store"


def main(argv: list[str]) -> None:
    """Print the state of a run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run_dir", type=Path, help="results/<run>")
    parser.add_argument("--text", metavar="RECORDING", help="print what is transcribed of this recording so far")
    parser.add_argument("--store", type=Path, help="default: the one that the run was started with")
    arguments = parser.parse_args(argv)
    folder = RunFolder(arguments.run_dir)
    if not folder.root.is_dir():
        raise InputError(f"{folder.root} is not there; give the folder of a run, such as results/samples")
    if not folder.plan.is_file():
        raise InputError(f"{folder.root} has no plan yet: wait until the run has planned, or start it")
    if arguments.text is not None:
        plan = Plan.read(folder.plan)
        if arguments.text not in plan.recording:
            known = ", ".join(list(plan.recording)[:5])
            raise InputError(f"there is no recording {arguments.text!r} in {folder.root}; it has {known} ...")
        store = Store(arguments.store or _store(folder))
        _text(folder, plan, plan.recording[arguments.text], store)
        return
    progress = RunProgress(folder)
    now = progress.now()
    print(f"{folder.root}: {now.line()}")
    print(f"shards: {now.shards_done} of {now.shards} done")
    if now.done < now.total and is_idle(folder):
        print("no job has written anything for 15 minutes; if the run was stopped, start the same command again")
    if folder.summary.is_file() and now.done >= now.total:
        print("\n".join(read_run_summary(folder).lines))


if __name__ == "__main__":
    run(main)
