"""Removes jobs and what only they need of the store; the functions run in a child process.

What else refers to a result is decided as ``audiogrid store prune`` does: by the plans of runs, and by other jobs.
"""

from __future__ import annotations

from pathlib import Path

from audiogrid.core.errors import InputError
from audiogrid.reporting.recorded_settings import run_store
from audiogrid.reporting.store_usage import plan_folders, referenced_keys, runs_of
from audiogrid.serving.job_corrections import corrections_file, remove_all
from audiogrid.serving.job_folder import JobFolder, all_keys

#: Folders of the service's own runs, whose results belong to jobs.
OWN_RUNS = "runs/*/results"
#: The folder below the state folder with results that the store refused.
OWN_STORE = "own_store"


def keys_of_runs(results: Path, store: Path) -> set[str]:
    """Returns the keys that runs refer to. Raises ``InputError`` if that cannot be found out."""
    runs = [run for run in runs_of(results) if run_store(run).resolve() == store.resolve()]
    return {key for run in runs for folder in plan_folders(run) for key in referenced_keys(folder)}


def keys_of_service(state: Path) -> set[str]:
    """Returns the keys that a service refers to: those of its jobs, and of its runs that are not finished.

    Raises ``InputError`` if that cannot be found out.
    """
    runs = [run for folder in state.glob(OWN_RUNS) for run in runs_of(folder)]
    return all_keys(state) | {key for run in runs for folder in plan_folders(run) for key in referenced_keys(folder)}


def remove_job(
    state: str, job: str, store: str, results: str, owner: str = "", recording: str = "", is_last: bool = True
) -> dict[str, list[str]]:
    """Remove the files of a job and its results in the store. Returns what was ``removed`` and ``kept``, in sentences.

    ``results``: the folder with the runs of the working folder. ``is_last``: whether its client has no other job of
    this ``recording``; then what the client has corrected in it is removed, too.
    """
    folder = JobFolder(Path(state), job)
    keys = folder.read_keys()
    removed, kept = [], []
    if owner and is_last:
        if remove_all(Path(state), owner, recording):
            removed.append("its corrections")
    elif owner and corrections_file(Path(state), owner, job, recording):
        kept.append("its corrections, because another job is of this recording")
    if folder.upload.exists():
        removed.append("the recording")
    if folder.run.transcripts.exists():
        removed.append("its transcripts")
    folder.drop()
    try:
        needed = keys_of_service(Path(state)) | keys_of_runs(Path(results), Path(store))
    except InputError as error:
        kept.append(f"{len(keys)} result(s) in the store: {error}")
        return {"removed": removed, "kept": kept}
    gone = 0
    for key in keys - needed:
        for root in (Path(store), Path(state) / OWN_STORE):
            for path in (root / key[:2]).glob(f"{key}*.json"):
                path.unlink(missing_ok=True)
                gone += 1
    if gone:
        removed.append(f"{gone} result(s) in the store")
    if keys & needed:
        kept.append(f"{len(keys & needed)} result(s) in the store, because other jobs or runs refer to them")
    return {"removed": removed, "kept": kept}
