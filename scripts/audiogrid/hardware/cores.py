"""The cores and memory that this process may use, and how they are divided among decoding processes."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _cgroup_folders(controller: str) -> list[Path]:
    """Returns the folders of this process's control group and its parents, innermost first (v2, then v1)."""
    folders: list[Path] = []
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return folders
    for line in lines:
        _, controllers, name = line.split(":", 2)
        root = _CGROUP if not controllers else _CGROUP / controller
        if controllers and controller not in controllers.split(","):
            continue
        folder = root / name.lstrip("/")
        while True:
            folders.append(folder)
            if folder in (root, folder.parent):
                break
            folder = folder.parent
    return folders


def _quota_cores() -> float:
    limit = math.inf
    for folder in _cgroup_folders("cpu"):
        try:
            quota, period = (folder / "cpu.max").read_text().split()
        except (OSError, ValueError):
            quota = str(_number(folder / "cpu.cfs_quota_us") or "max")
            period = str(_number(folder / "cpu.cfs_period_us") or 100_000)
        if quota not in ("max", "-1"):
            limit = min(limit, int(quota) / int(period))
    return limit


def usable_cores() -> int:
    """Returns how many cores this process may use by its affinity mask and control group, at least 1."""
    try:
        allowed = len(os.sched_getaffinity(0))
    except AttributeError:
        allowed = os.cpu_count() or 1
    return max(1, min(allowed, math.floor(min(_quota_cores(), allowed) + 0.5)))


def usable_memory() -> int:
    """Returns the bytes of memory that this process may use: what is available, within its control group's limit."""
    import psutil

    # What the kernel can free for a process without swapping, page cache included.
    free = int(psutil.virtual_memory().available)
    for folder in _cgroup_folders("memory"):
        limit = _number(folder / "memory.max") or _number(folder / "memory.limit_in_bytes")
        used = _number(folder / "memory.current") or _number(folder / "memory.usage_in_bytes") or 0
        if limit:
            free = min(free, max(0, limit - max(0, used - _reclaimable(folder))))
    return free


def _reclaimable(folder: Path) -> int:
    """Returns the bytes that a control group uses, but gives back before it refuses memory: its page cache.

    A group that has just written files (``split`` does) would otherwise seem to be full.
    """
    try:
        lines = [line.split() for line in (folder / "memory.stat").read_text().splitlines()]
        values = {name: int(value) for name, value in lines}
    except (OSError, ValueError):
        return 0
    # Of version 1, the figures that begin with total_ include the groups below, as its usage does.
    names = ("inactive_file", "active_file", "slab_reclaimable")
    return sum(values.get(f"total_{name}", values.get(name, 0)) for name in names)


@dataclass(frozen=True)
class Division:
    """Worker processes and the threads of each."""

    processes: int
    threads: int


def divide(cores: int, model_bytes: int, memory_bytes: int, processes: int = 0, threads: int = 0) -> Division:
    """Returns how many decoding processes of how many threads suit ``cores`` (0 = choose).

    Rule: one thread per process as long as the copies of the model fit, because processes share
    nothing and never wait for each other (two of one thread did 1.3 to 1.4 times as much as one of
    two, see BENCHMARKS.md); at most four threads per process, where CTranslate2 stops gaining.
    A process is taken to need its model twice (weights and packed weights) and 700 MB.
    """
    if processes and threads:
        return Division(processes, threads)
    if processes:
        return Division(processes, max(1, cores // processes))
    affordable = max(1, int(memory_bytes * 0.8) // (2 * model_bytes + 700_000_000))
    if threads:
        return Division(max(1, min(cores // threads, affordable)), threads)
    for each in (1, 2, 4):
        if cores // each <= affordable and (each > 1 or cores <= 16):
            return Division(max(1, cores // each), min(each, cores))
    return Division(min(affordable, max(1, cores // 4)), min(cores, max(1, cores // affordable)))
