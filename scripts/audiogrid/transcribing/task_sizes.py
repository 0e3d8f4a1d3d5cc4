"""How much audio a worker process or an MPI rank is given at once: long chunks alone, short ones together."""

from __future__ import annotations

from collections.abc import Sequence

from audiogrid.core.timebase import SAMPLE_RATE, to_seconds
from audiogrid.transcribing.scheduler import Task
from audiogrid.transcribing.worker import Job

# Short chunks travel together until they fill a few batches; a lone voice note wastes most of a window.
GROUP_SECONDS = 300.0
# A GPU decodes up to 64 windows at once: one chunk of 5 minutes has a dozen. Results are stored chunk by chunk even so.
GPU_GROUP_SECONDS = 1800.0


def group_seconds(jobs: Sequence[Job], processes: int, device: str) -> float:
    """Returns the length of a task of short chunks: full batches, yet several tasks for every process.

    A process that is alone on a GPU waits for nobody, so its batches may be as full as they can be.
    """
    total = sum(job.audio for job in jobs) / SAMPLE_RATE
    if device != "cuda":
        return max(60.0, min(GROUP_SECONDS, total / max(1, 2 * processes)))
    return max(60.0, min(GPU_GROUP_SECONDS, total / max(1, 2 * processes if processes > 1 else 1)))


def group(jobs: Sequence[Job], seconds: float = GROUP_SECONDS) -> list[Task]:
    """Returns tasks, longest first: long chunks alone, short ones together (same options, same bundle)."""
    tasks: list[Task] = []
    short: dict[tuple[str, str], list[Job]] = {}
    for job in sorted(jobs, key=lambda job: -job.audio):
        if to_seconds(job.audio) > seconds / 2:
            tasks.append([job])
            continue
        kind = (job.folder, repr(sorted(job.options.items())))
        waiting = short.setdefault(kind, [])
        waiting.append(job)
        if sum(to_seconds(other.audio) for other in waiting) >= seconds:
            tasks.append(short.pop(kind))
    tasks.extend(short.values())
    return sorted(tasks, key=lambda task: -sum(job.audio for job in task))
