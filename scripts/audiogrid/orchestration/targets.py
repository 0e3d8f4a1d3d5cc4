"""What somebody asks Snakemake for by name, and cannot get as it is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePath

from audiogrid.core.errors import InputError

# Rules up to the plan, and their files.
_UP_TO_THE_PLAN = frozenset(
    "stage_model stage_speakers probe_part probe identify make_plan plan probe.json languages.json plan.json".split()
)


def check_until(arguments: Sequence[str], results: Path) -> None:
    """Raise ``InputError`` where Snakemake is asked to go on until a rule beyond the plan.

    Snakemake (9.27) chooses the jobs of ``--until`` before the checkpoint tells which there are, and again after it,
    when nothing that needs them is left. So it would end well without doing anything. ``results``: of the run.
    """
    for name in _until(arguments):
        if PurePath(name).name not in _UP_TO_THE_PLAN:
            raise InputError(
                f"--until {name}: Snakemake cannot stop after a step whose jobs only the plan tells. Name their files "
                f"as targets instead: after `snakemake plan`, {results}/chunks/b0001 cuts a bundle and "
                f"{results}/shards/s0001.json transcribes a shard. A `budget` stops a run as well."
            )


def _until(arguments: Sequence[str]) -> Iterator[str]:
    is_value = False
    for argument in arguments:
        option, equals, value = argument.partition("=")
        if argument.startswith("-"):
            # Snakemake takes the beginning of an option's name, too.
            is_value = option == "-U" or (len(option) > 3 and "--until".startswith(option))
            if is_value and equals:
                yield value
        elif is_value:
            yield argument


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
