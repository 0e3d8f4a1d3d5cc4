"""The long lane: gathered recordings become an ordinary run of Snakemake, on this machine or on a cluster.

A run of the service works in a folder of its own, ``runs/<name>/`` below the state folder, with the store and the
models of the service. It yields to the warm workers: on this machine it has the lowest priority.
"""

from __future__ import annotations

import asyncio
import ctypes
import logging
import os
import shutil
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from audiogrid.core.atomic_files import read_json, write_text
from audiogrid.core.tsv import read_table
from audiogrid.orchestration.installation import project_file, workflow_home
from audiogrid.orchestration.project import start_options
from audiogrid.orchestration.stale_locks import record_driver, remove_stale_locks
from audiogrid.orchestration.start import snakemake_environment
from audiogrid.records.run_folder import RunFolder
from audiogrid.records.speakers import AUTO, NONE
from audiogrid.reporting.progress import RunProgress
from audiogrid.serving.inspection import table_of
from audiogrid.serving.job_folder import JobFolder
from audiogrid.serving.recipes import Recipe

LOG = logging.getLogger("audiogrid.serving")
# Times that a run is started for the same recordings.
ATTEMPTS = 3
# What each run of the service is called.
RUN = "jobs"
_PRIORITY = 19
_PR_SET_PDEATHSIG = 1
# Parts of the configuration that are the service's own business, that would take names from one client to another, or
# that would end a run although nobody starts it again.
_NOT_OF_RUNS = ("service", "publish", "recordings", "run", "store", "corrections", "budget")


@dataclass(frozen=True)
class LongJob:
    """A recording of a run. ``row``: its row of the table, whose ``path`` is absolute or an address."""

    job: str
    recording: str
    row: dict[str, str]


class BatchRun:
    """A run of the service. ``name``: of its folder; ``jobs``: whose recordings it transcribes."""

    def __init__(self, state: Path, name: str, jobs: Sequence[LongJob], recipe: Recipe) -> None:
        self.root = state.absolute() / "runs" / name
        self.folder = RunFolder(self.root / "results" / RUN)
        self.jobs = list(jobs)
        self.recipe = recipe
        #: Why transcripts that the run has made could not be written for their job, by job.
        self.undelivered: dict[str, str] = {}
        self._progress: RunProgress | None = None
        self._process: asyncio.subprocess.Process | None = None

    def prepare(self, store: Path, models: Path, registry: Path) -> None:
        """Write the table and the configuration of the run."""
        self.root.mkdir(parents=True, exist_ok=True)
        for name, target in (("models", models),):
            with suppress(FileExistsError):
                (self.root / name).symlink_to(target.absolute(), target_is_directory=True)
        (self.root / "config").mkdir(exist_ok=True)
        shutil.copyfile(registry, self.root / "config" / "models.yaml")
        write_text(
            self.root / "recordings.tsv", table_of([{**job.row, "recording": job.recording} for job in self.jobs])
        )
        settings = {name: value for name, value in self.recipe.configuration.items() if name not in _NOT_OF_RUNS}
        settings |= {"run": RUN, "recordings": "recordings.tsv", "store": str(store.absolute())}
        settings["speakers"] = _without_link(settings.get("speakers", NONE))
        if settings.get("glossary"):
            # The run works in a folder of its own.
            settings["glossary"] = str(Path(settings["glossary"]).absolute())
        settings["formats"] = ["json"]
        # A page over the recordings of several clients would be nobody's.
        settings["search"] = False
        settings["pack"] = False
        write_text(self.root / "run.yaml", yaml.safe_dump(settings, allow_unicode=True, sort_keys=False))

    def command(self, profile: str, where: Path) -> list[str]:
        """Returns the command of the run. ``where``: the folder in which ``profile`` is looked for first."""
        chosen = start_options(profile, where)
        named = chosen[chosen.index("--profile") + 1]
        local = where / named
        options = ["--profile", str(local.absolute()) if local.exists() else named]
        snakefile = ["--snakefile", str(workflow_home() / "workflow" / "Snakefile")]
        return [sys.executable, "-m", "snakemake", *snakefile, *options, "--configfile", "run.yaml"]

    async def run(self, profile: str, where: Path) -> int:
        """Run Snakemake to its end. Returns its exit code. Raises ``InputError`` while an earlier one still works."""
        await asyncio.to_thread(remove_stale_locks, self.root, LOG.info)
        await asyncio.to_thread(record_driver, self.root)
        log = (self.root / "snakemake.log").open("ab")
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self.command(profile, where),
                cwd=self.root,
                env=snakemake_environment(folder=self.root),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0,
                preexec_fn=_follow_parent,
            )
            return await self._process.wait()
        finally:
            log.close()
            self._process = None

    def stop(self) -> None:
        """Ask Snakemake to end its jobs; finished chunks are in the store."""
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End Snakemake and its local jobs at once."""
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def progress(self) -> float:
        """Returns the share of the run's audio that is done, 0 to 1."""
        try:
            if self._progress is None:
                self._progress = RunProgress(self.folder)
            return self._progress.now().share
        except Exception:
            # There is no plan yet, or it is being written.
            return 0.0

    def has_document(self, job: LongJob) -> bool:
        """Whether the run has made the transcript document of a recording."""
        return self.folder.transcript(job.recording, f"{job.recording}.json").exists()

    def is_refused(self, job: LongJob) -> bool:
        """Whether the run has rejected a recording, so that another attempt is useless."""
        with suppress(OSError, ValueError):
            return any(row.get("recording") == job.recording for row in read_table(self.folder.rejected)[1])
        return False

    def reason(self, job: LongJob) -> str:
        """Returns why a recording has no transcript."""
        if job.job in self.undelivered:
            return f"its transcripts could not be written ({self.undelivered[job.job]})"
        for path, column in ((self.folder.rejected, "reason"), (self.folder.failed, "cause")):
            with suppress(OSError, ValueError):
                for row in read_table(path)[1]:
                    if row.get("recording") == job.recording:
                        return str(row.get(column, ""))
        return f"the run ended without its transcript: see {self.root.name}/snakemake.log in the state folder"

    def drop(self) -> None:
        """Delete the folder of the run; its results are in the store and with the jobs."""
        shutil.rmtree(self.root, ignore_errors=True)


def _without_link(speakers: Any) -> Any:
    """Returns the key ``speakers`` without ``link``: recordings of different clients have no voices in common."""
    if not isinstance(speakers, Mapping):
        return speakers
    return {name: value for name, value in speakers.items() if name != "link"} or AUTO


def _follow_parent() -> None:
    """Runs in the new process: lowest priority, and the end of the server ends it, too."""
    with suppress(OSError):
        os.nice(_PRIORITY)
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def deliver(run: str, state: str, job: str, recording: str, path: str, merge: str) -> None:
    """Write the transcripts of a job from the document that a run has made; called in a child process.

    ``run``: folder of the run; ``path``: what the transcript calls the file; ``merge``: settings of the recipe.
    """
    from audiogrid.reporting.voice_vectors import voice_keys
    from audiogrid.serving.transcript_files import write_transcripts

    folder = JobFolder(Path(state), job)
    of_run = RunFolder(Path(run))
    document = {**read_json(of_run.transcript(recording, f"{recording}.json")), "path": path}
    # Voice vectors, too: they are biometric data, and go with the job.
    keys = voice_keys(of_run, {recording})
    keys |= {chunk["key"] for chunk in document.get("provenance", {}).get("chunks", []) if chunk["key"]}
    folder.write_keys(list(keys))
    write_transcripts(folder, recording, document, merge)


def registry_file() -> Path:
    """Returns the list of models that runs use: that of the working folder, or of the installation."""
    return project_file("config/models.yaml", workflow_home())
