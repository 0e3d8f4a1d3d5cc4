"""What somebody asks Snakemake for by name, and cannot get as it is asked for."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePath
from typing import Protocol

from audiogrid.core.errors import InputError

# Rules that come before the plan, and their files.
_BEFORE_THE_PLAN = frozenset(
    {"stage_model", "stage_speakers", "probe_part", "probe", "identify", "probe.json", "languages.json"}
)


class UntilGraph(Protocol):
    """What of Snakemake's graph of jobs is looked at: the rules and files that were given with ``--until``."""

    untilrules: set[str]
    untilfiles: set[str]


def stop_at_plan_first(graph: UntilGraph, plan: Path) -> None:
    """Make ``--until transcribe`` of a run without a plan stop at the plan first, and then at its jobs of that rule.

    Call it while Snakemake collects the jobs (9.27). ``plan``: the output of the checkpoint. Without it Snakemake would
    find no job of a rule whose jobs only the plan tells, and do nothing at all. Once the plan is made it looks again.
    """
    names = {PurePath(name).name for name in (*graph.untilrules, *graph.untilfiles)}
    if names - _BEFORE_THE_PLAN:
        graph.untilfiles.add(str(plan))


def check_targets(arguments: Iterable[str], results: Path) -> None:
    """Raise ``InputError`` where an argument of Snakemake is a transcript.

    ``results``: the folder of the run, relative to the working folder.
    """
    transcripts = Path.cwd() / results / "transcripts"
    for argument in arguments:
        if argument.startswith("-") or not (Path.cwd() / argument).is_relative_to(transcripts):
            continue
        raise InputError(
            f"{argument}: transcripts cannot be asked for one by one, because a job writes those of a whole bundle. "
            "Start without a target: what is finished is not done again. To transcribe fewer recordings, name them in "
            "`recordings`."
        )
