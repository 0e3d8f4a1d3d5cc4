"""What somebody asks Snakemake for by name, and cannot get as it is asked for."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePath
from typing import Any, Protocol

from audiogrid.core.errors import InputError

# Rules up to the plan, and their files.
_UP_TO_THE_PLAN = frozenset(
    "stage_model stage_speakers probe_part probe identify make_plan plan probe.json languages.json plan.json".split()
)


class UntilGraph(Protocol):
    """What of Snakemake's graph of jobs is looked at: the rules and files that were given with ``--until``."""

    untilrules: set[str]
    untilfiles: set[str]

    @property
    def finished_jobs(self) -> Iterable[Any]: ...  # noqa: D102


def stop_at_plan_first(graph: UntilGraph, plan: Path) -> None:
    """Make ``--until transcribe`` of a run that has to be planned stop at the plan.

    Call it while Snakemake collects the jobs (9.27). ``plan``: the output of the checkpoint. Without it Snakemake would
    find no job of a rule whose jobs only the plan tells, and end well without doing anything.
    """
    names = {PurePath(name).name for name in (*graph.untilrules, *graph.untilfiles)}
    if names - _UP_TO_THE_PLAN:
        graph.untilfiles.add(str(plan))


def has_stopped_at_plan(graph: UntilGraph, plan: Path) -> bool:
    """Returns whether this call has made the plan, and ended there for the reason above."""
    names = {PurePath(name).name for name in (*graph.untilrules, *graph.untilfiles)}
    is_made = any(str(plan) in map(str, job.output) for job in graph.finished_jobs)
    return is_made and bool(names - _UP_TO_THE_PLAN)


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
