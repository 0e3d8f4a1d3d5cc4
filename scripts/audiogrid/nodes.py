"""What the ranks on one node divide among them: cores and GPUs, so that none is used twice."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

Thing = TypeVar("Thing", bound=Hashable)


def divide_things(visible: Sequence[Sequence[Thing]]) -> list[list[Thing]]:
    """Which of the things that it sees each rank gets.

    Launchers differ: some show every rank of a node all cores and GPUs, some bind each to its own.
    Every thing goes to one of the ranks that see it, to the one that has fewest so far; so ranks
    that see the same share it, and a rank that sees something alone has it. Ranks that compute
    this from the same lists agree.
    """
    seen_by: dict[Thing, list[int]] = {}
    for rank, things in enumerate(visible):
        for thing in things:
            seen_by.setdefault(thing, []).append(rank)
    shares: list[list[Thing]] = [[] for _ in visible]
    # What few ranks can have is dealt first; within a kind the ranks get neighbours (caches, memory).
    kinds: dict[tuple[int, ...], list[Thing]] = {}
    for thing, ranks in seen_by.items():
        kinds.setdefault(tuple(ranks), []).append(thing)
    for takers, alike in sorted(kinds.items(), key=lambda item: len(item[0])):
        counts = [len(shares[rank]) for rank in takers]
        before = list(counts)
        for _ in alike:
            counts[counts.index(min(counts))] += 1
        position = 0
        for rank, old, new in zip(takers, before, counts, strict=True):
            shares[rank].extend(alike[position : position + new - old])
            position += new - old
    return shares


def usable_core_numbers() -> list[int]:
    """Numbers of the cores that this process may run on."""
    try:
        return sorted(os.sched_getaffinity(0))
    except AttributeError:
        return list(range(os.cpu_count() or 1))


def parse_gpus(listing: str) -> dict[str, str]:
    """Index -> UUID, from ``nvidia-smi --query-gpu=index,uuid --format=csv,noheader``."""
    found = {}
    for line in listing.splitlines():
        index, comma, uuid = line.partition(",")
        if comma:
            found[index.strip()] = uuid.strip()
    return found


def gpus_of_node() -> dict[str, str]:
    """Index -> UUID of the NVIDIA GPUs that this process can reach; empty without a driver."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return {}
    command = [program, "--query-gpu=index,uuid", "--format=csv,noheader"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return {}
    return parse_gpus(answer.stdout) if answer.returncode == 0 else {}


def visible_gpus(environment: Mapping[str, str], gpus: Mapping[str, str]) -> list[str]:
    """GPUs that ``CUDA_VISIBLE_DEVICES`` leaves, as UUIDs where they are known.

    UUIDs, because two ranks that are confined to one GPU each both call it 0. As CUDA does,
    everything after the first unknown entry is left out.
    """
    wanted = environment.get("CUDA_VISIBLE_DEVICES")
    if wanted is None:
        return list(gpus.values())
    found: list[str] = []
    for entry in wanted.split(","):
        entry = entry.strip()
        uuid = gpus.get(entry)
        if uuid is None and entry.startswith(("GPU-", "MIG-")):
            whole = [known for known in gpus.values() if known.startswith(entry)]
            uuid = whole[0] if len(whole) == 1 else entry
        if uuid is None:
            break
        if uuid not in found:
            found.append(uuid)
    return found


@dataclass(frozen=True)
class NodeShare:
    """What one rank has of its node. ``gpus``: ``None`` when the node shows none, or none are wanted."""

    cores: int
    ranks: int
    gpus: list[str] | None = None


def share_node(place: int, cores: Sequence[Sequence[int]], quota: int, gpus: Sequence[Sequence[str]]) -> NodeShare:
    """The share of the rank that is number ``place`` on its node.

    ``cores``, ``gpus``: what each rank of the node sees; ``quota``: cores that a control group
    leaves to a process of this rank.
    """
    mine = len(divide_things(cores)[place])
    ranks = len(cores)
    # A quota below the cores in sight holds for all ranks of the node together.
    if quota < len(cores[place]):
        mine = min(mine, quota // ranks)
    return NodeShare(max(1, mine), ranks, divide_things(gpus)[place] if any(gpus) else None)
