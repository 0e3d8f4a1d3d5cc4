"""What the ranks on one node divide among them: cores and GPUs, so that none is used twice."""

from __future__ import annotations

import os
import re
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


def parse_gpus(listing: str) -> dict[str, list[str]]:
    """Index -> UUIDs, from ``nvidia-smi -L``: the GPU's own, or those of the slices that it is divided into (MIG)."""
    found: dict[str, list[str]] = {}
    whole: dict[str, str] = {}
    index = ""
    for line in listing.splitlines():
        uuid = re.search(r"\(UUID: ([\w./-]+)\)", line)
        gpu = re.match(r"GPU (\d+): ", line)
        if gpu and uuid:
            index = gpu[1]
            whole[index] = uuid[1]
            found[index] = []
        elif uuid and index:
            found[index].append(uuid[1])
    return {number: slices or [whole[number]] for number, slices in found.items()}


def gpus_of_node() -> dict[str, list[str]]:
    """``parse_gpus`` of the NVIDIA GPUs that this process can reach; empty without a driver."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return {}
    try:
        answer = subprocess.run([program, "-L"], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return {}
    return parse_gpus(answer.stdout) if answer.returncode == 0 else {}


def list_visible(environment: Mapping[str, str], gpus: Mapping[str, Sequence[str]]) -> list[str]:
    """GPUs, or slices, that ``CUDA_VISIBLE_DEVICES`` leaves, as UUIDs where they are known.

    UUIDs, because two ranks that are confined to one GPU each both call it 0. As CUDA does,
    everything after the first unknown entry is left out. A divided GPU stands for all its slices.
    """
    wanted = environment.get("CUDA_VISIBLE_DEVICES")
    known = [uuid for uuids in gpus.values() for uuid in uuids]
    if wanted is None:
        return known
    found: list[str] = []
    for entry in wanted.split(","):
        entry = entry.strip()
        uuids = list(gpus.get(entry, ()))
        if not uuids and entry.startswith(("GPU-", "MIG-")):
            whole = [uuid for uuid in known if uuid.startswith(entry)]
            uuids = whole if len(whole) == 1 else [entry]
        if not uuids:
            break
        found += [uuid for uuid in uuids if uuid not in found]
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
