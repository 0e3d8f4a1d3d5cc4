"""What somebody asks Snakemake for by name, and cannot get as it is asked for."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePath

from audiogrid.core.errors import InputError

#: Rules that come before the plan.
_BEFORE_THE_PLAN = frozenset({"stage_model", "stage_speakers", "probe_part", "probe", "identify"})


def until_with_plan(until: Iterable[str], plan: Path) -> set[str]:
    """Returns what Snakemake is to take for ``--until``: rules and files. ``plan``: the output of the checkpoint.

    The jobs of most rules are known only when there is a plan. Without it ``--until transcribe`` would find no such job
    in a new run, and do nothing at all. Once the plan is made Snakemake looks again for the rules that it was given.
    """
    asked = set(until)
    names = {PurePath(name).name for name in asked}
    return asked | {str(plan)} if asked and not names <= _BEFORE_THE_PLAN | {"probe.json", "languages.json"} else asked


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
