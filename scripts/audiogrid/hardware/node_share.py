"""Divides the cores and GPUs of a node among the ranks on it, so that none is used twice."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

Item = TypeVar("Item", bound=Hashable)


def divide_among_ranks(visible: Sequence[Sequence[Item]]) -> list[list[Item]]:
    """Returns which of its visible items (cores or GPUs) each rank gets.

    Launchers differ: some show every rank of a node all cores and GPUs, some bind each to its own.
    Every item goes to the rank that has fewest so far among those that see it. So ranks that see the same items
    share them, and a rank that alone sees an item gets it. All ranks compute the same from the same lists.
    """
    seen_by: dict[Item, list[int]] = {}
    for rank, items in enumerate(visible):
        for item in items:
            seen_by.setdefault(item, []).append(rank)
    shares: list[list[Item]] = [[] for _ in visible]
    # Items that few ranks see are given away first. Of items that the same ranks see, each rank gets neighbours, which
    # share caches and memory.
    kinds: dict[tuple[int, ...], list[Item]] = {}
    for item, ranks in seen_by.items():
        kinds.setdefault(tuple(ranks), []).append(item)
    for sharers, alike in sorted(kinds.items(), key=lambda item: len(item[0])):
        counts = [len(shares[rank]) for rank in sharers]
        before = list(counts)
        for _ in alike:
            counts[counts.index(min(counts))] += 1
        position = 0
        for rank, old, new in zip(sharers, before, counts, strict=True):
            shares[rank].extend(alike[position : position + new - old])
            position += new - old
    return shares


def usable_core_numbers() -> list[int]:
    """Returns the numbers of the cores that this process may run on."""
    try:
        return sorted(os.sched_getaffinity(0))
    except AttributeError:
        return list(range(os.cpu_count() or 1))


def parse_gpus(listing: str) -> dict[str, list[str]]:
    """Returns index -> UUIDs from ``nvidia-smi -L``: of the GPU, or of the slices that it is divided into (MIG)."""
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
    """Returns ``parse_gpus`` for the GPUs of this node; empty without a driver.

    A program with a time limit: a driver that hangs would take this process along if it were asked through NVML.
    """
    program = shutil.which("nvidia-smi")
    if program is None:
        return {}
    try:
        answer = subprocess.run([program, "-L"], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return {}
    return parse_gpus(answer.stdout) if answer.returncode == 0 else {}


def list_visible(environment: Mapping[str, str], gpus: Mapping[str, Sequence[str]]) -> list[str]:
    """Returns the GPUs, or slices, that ``CUDA_VISIBLE_DEVICES`` allows, as UUIDs where they are known.

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
    """What one rank may use of its node. ``gpus``: ``None`` when the node has none, or none are wanted."""

    cores: int
    ranks: int
    gpus: list[str] | None = None


def share_node(place: int, cores: Sequence[Sequence[int]], quota: int, gpus: Sequence[Sequence[str]]) -> NodeShare:
    """Returns the share of the rank that is number ``place`` on its node.

    ``cores``, ``gpus``: what each rank of the node sees; ``quota``: cores that a control group
    leaves to a process of this rank.
    """
    mine = len(divide_among_ranks(cores)[place])
    ranks = len(cores)
    # A quota below the number of visible cores holds for all ranks of the node together.
    if quota < len(cores[place]):
        mine = min(mine, quota // ranks)
    return NodeShare(max(1, mine), ranks, divide_among_ranks(gpus)[place] if any(gpus) else None)
