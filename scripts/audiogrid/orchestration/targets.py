"""Files that somebody asks Snakemake for by name, although no rule makes them one by one."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from audiogrid.core.errors import InputError


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
