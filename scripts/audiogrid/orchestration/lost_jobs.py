"""Reports jobs that Slurm has forgotten or preempted to Snakemake's executor as failed.

A slurmctld that is killed forgets what was submitted in its last seconds, and a job that was preempted and cancelled
stays PREEMPTED. The executor (snakemake-executor-plugin-slurm 2.8) waits for both
for ever. This module wraps its query for job states: such jobs are reported as CANCELLED, so that they are submitted
again. If the executor does not have the expected functions, nothing is changed.
"""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

PLUGIN = "snakemake_executor_plugin_slurm"
# How long a state must last before the job counts as lost. A requeued job is PREEMPTED only for a moment.
PATIENCE_SECONDS = 60.0
# The accounting database keeps a forgotten job in one of these states for ever, so squeue has to confirm them.
_ALIVE = frozenset(
    ("PENDING", "CONFIGURING", "RUNNING", "COMPLETING", "SUSPENDED", "REQUEUED", "RESIZING", "PREEMPTED")
)


@dataclass
class LostJobs:
    """Recognises jobs that will never finish.

    ``queue``: returns the state of every job that Slurm knows, recently finished ones included; ``None``
    if Slurm does not answer.
    """

    queue: Callable[[], Mapping[str, str] | None]
    say: Callable[[str], None]
    now: Callable[[], float] = time.monotonic
    _since: dict[str, float] = field(default_factory=dict)

    def corrected(self, states: Mapping[str, str], active: Iterable[str]) -> dict[str, str]:
        """``states`` (id -> state) with jobs in ``active`` that are lost as CANCELLED."""
        # Tasks of an array have ids of another form in squeue.
        doubtful = [job for job in active if job.isdigit() and states.get(job, "PENDING") in _ALIVE]
        known = self.queue() if doubtful else {}
        if known is None:
            return dict(states)
        suspects = {job: known.get(job, "unknown") for job in doubtful if known.get(job) in (None, "PREEMPTED")}
        now = self.now()
        self._since = {job: self._since.get(job, now) for job in suspects}
        lost = [job for job in suspects if now - self._since[job] >= PATIENCE_SECONDS]
        for job in lost:
            why = (
                "was preempted and not put back into the queue"
                if suspects[job] == "PREEMPTED"
                else "is unknown to Slurm"
            )
            self.say(f"job {job} {why}: it counts as failed; what it finished is in the store")
            del self._since[job]
        return {**states, **dict.fromkeys(lost, "CANCELLED")}


def squeue() -> dict[str, str] | None:
    """State of every job that slurmctld knows of this user; ``None`` when it does not answer."""
    argv = ["squeue", f"--user={os.getuid()}", "--states=all", "--noheader", "--format=%i|%T"]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, errors="replace", timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode:
        return None
    return dict(line.strip().split("|", 1) for line in done.stdout.splitlines() if "|" in line)


def fail_lost_jobs(say: Callable[[str], None], plugin: ModuleType | None = None) -> bool:
    """Make Snakemake's Slurm executor, if it is loaded, report lost jobs. Returns whether that was possible."""
    plugin = plugin or sys.modules.get(PLUGIN)
    executor: Any = getattr(plugin, "Executor", None)
    ask: Any = getattr(plugin, "query_job_status", None)
    check: Any = getattr(executor, "check_active_jobs", None)
    if plugin is None or not inspect.isasyncgenfunction(check) or not inspect.iscoroutinefunction(ask):
        return False
    watch = LostJobs(squeue, say)
    active: list[str] = []

    async def query(*arguments: Any, **options: Any) -> Any:
        states, seconds = await ask(*arguments, **options)
        return (states if states is None else watch.corrected(states, active)), seconds

    async def check_active_jobs(self: Any, active_jobs: list[Any]) -> AsyncIterator[Any]:
        # Jobs of other clusters of a federation are not in this squeue.
        elsewhere = getattr(self, "_submitted_job_clusters", None)
        active[:] = [] if elsewhere else [str(job.external_jobid) for job in active_jobs]
        async for job in check(self, active_jobs):
            yield job

    plugin.query_job_status = query  # type: ignore[attr-defined]
    executor.check_active_jobs = check_active_jobs
    return True
