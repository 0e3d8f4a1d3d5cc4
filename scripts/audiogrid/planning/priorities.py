"""Which recordings come first: the column ``priority`` of a table of recordings, as an order of jobs.

The order of a plan's bundles and shards follows from it where they are new. Those that exist stay as they are: when a
priority changes, only the order in which their jobs are started does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from audiogrid.records.plan import Plan, Recording
from audiogrid.records.plan_files.reader import PlanFile

COLUMN = "priority"


def priority_of(recording: Recording) -> int:
    """Returns the priority of a recording: a higher one comes first. 0 where its table row has none."""
    try:
        return int(recording.columns.get(COLUMN) or 0)
    except ValueError:
        return 0


def by_priority(recordings: Sequence[Recording]) -> list[Recording]:
    """Returns recordings with the highest priority first; equal ones stay in their order."""
    return sorted(recordings, key=lambda recording: -priority_of(recording))


class JobOrder:
    """The order of a plan's jobs, as numbers that are added to the priority of a rule.

    First by the highest priority of their recordings, then by their place in the plan.
    """

    def __init__(self, plan: Plan | PlanFile) -> None:
        given = _priorities(plan)
        bundles = {bundle: max(priorities.values(), default=0) for bundle, priorities in given.items()}
        shards: dict[str, int] = {}
        for shard in plan.shards if given else ():
            known = {name: value for bundle in shard.bundles for name, value in given.get(bundle, {}).items()}
            shards[shard.shard] = max((known.get(name, 0) for name in _names(plan, shard.shard)), default=0)
        self._bundles = _order([bundle.bundle for bundle in plan.bundles], bundles)
        self._shards = _order([shard.shard for shard in plan.shards], shards)

    def of_bundle(self, bundle: str) -> float:
        """Returns a number between 0 and 1; the bundle with the highest comes first."""
        return self._bundles[bundle]

    def of_shard(self, shard: str) -> float:
        """Returns a number between 0 and 1; the shard with the highest comes first."""
        return self._shards[shard]


def _order(names: Sequence[str], priorities: Mapping[str, int]) -> dict[str, float]:
    ordered = sorted(names, key=lambda name: -priorities.get(name, 0))
    return {name: 1 - (place + 1) / (len(names) + 1) for place, name in enumerate(ordered)}


def _priorities(plan: Plan | PlanFile) -> dict[str, dict[str, int]]:
    """Returns the priorities of recordings, by bundle, where any has one; of other bundles no recording is read."""
    if COLUMN not in plan.columns:
        return {}
    if isinstance(plan, Plan):
        return {
            one.bundle: {name: priority_of(plan.recording[name]) for name in one.recordings} for one in plan.bundles
        }
    return {
        one.bundle: {recording.recording: priority_of(recording) for recording in plan.recordings_of(one.bundle)}
        for one in plan.bundles
        if COLUMN in one.columns
    }


def _names(plan: Plan | PlanFile, shard: str) -> set[str]:
    """Returns the recordings of a shard."""
    if isinstance(plan, Plan):
        return {plan.recording_of_chunk[chunk].recording for chunk in plan.shard[shard].chunks}
    part = None
    names = set()
    for piece in plan.pieces_of(shard):
        if isinstance(piece, str):
            part = part or plan.of_shard(shard)
            names.add(part.recording_of_chunk[piece].recording)
        else:
            names.add(piece[0])
    return names
