"""What a run leaves for an archive: its recordings, their transcripts, what made them, and when."""

from __future__ import annotations

import datetime
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import yaml

from audiogrid.core.errors import InputError
from audiogrid.core.secrets import masked
from audiogrid.core.text import clean_text
from audiogrid.core.timebase import to_seconds
from audiogrid.core.tsv import read_table
from audiogrid.export.packs import unpacked_name
from audiogrid.merging.merge_bundle import MergedBundle
from audiogrid.records.finished_shard import FinishedShard
from audiogrid.records.journal import list_journals, read_history
from audiogrid.records.plan import Plan, Recording
from audiogrid.records.plan_files.reader import read_plan
from audiogrid.records.run_folder import RunFolder

_LONGEST_SUFFIX = 10


@dataclass(frozen=True)
class Described:
    """A recording of the run. ``row``: its line of ``summary.tsv``; empty where it has no transcript.

    ``title``: the name of its file, for people; ``web``: its address, where a browser can open it, else empty.
    ``is_alone``: whether no other recording has this address. ``audio``: SHA-256 of its encoded audio, empty where it
    is not known. ``files``: format -> name in the run's folder.
    """

    recording: Recording
    title: str
    suffix: str
    web: str
    audio: str
    row: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    is_alone: bool = True

    @property
    def id(self) -> str:
        """Returns the id of the recording."""
        return self.recording.recording

    @property
    def seconds(self) -> float:
        """Returns its length in seconds, as its transcript has it."""
        return float(self.row.get("duration_s") or to_seconds(self.recording.duration))

    @property
    def language(self) -> str:
        """Returns the code of the language with the most speech; empty where there is none."""
        return str(self.row.get("language") or "")


@dataclass(frozen=True)
class RunAccount:
    """A run as its package describes it.

    ``began`` and ``ended``: of its decoding, in seconds since 1970, from its journal. ``models``: name -> SHA-256;
    ``options``: of decoding, by name; ``versions``: of programs, by name. ``missing``: recordings without a
    transcript; ``rejected``: files that were no recordings.
    """

    name: str
    began: float
    ended: float
    recordings: list[Described]
    models: dict[str, str]
    options: dict[str, Any]
    versions: dict[str, str]
    missing: int
    rejected: int

    @property
    def day(self) -> str:
        """Returns the day on which the run ended."""
        return timestamp(self.ended)[:10]


def timestamp(seconds: float) -> str:
    """Returns a time since 1970 as ISO 8601 in UTC, to the second."""
    return datetime.datetime.fromtimestamp(int(seconds), datetime.UTC).isoformat()


def read_account(folder: RunFolder) -> RunAccount:
    """Returns the account of a run. Raises ``InputError`` if it has not ended, or its records cannot be read."""
    if not folder.plan.is_file() or not folder.summary.is_file():
        raise InputError(f"{folder.root} is not finished: it has no {folder.summary.name} yet. Let the run end first")
    plan = read_plan(folder.plan)
    rows, files = _merged(folder, plan)
    audio = _audio_hashes(folder, plan)
    began, ended = _times(folder, plan)
    seen = Counter(one.path for one in plan.recordings)
    described = [_described(one, audio, rows, files, seen[one.path] == 1) for one in plan.recordings]
    _check_ended(folder, described)
    return RunAccount(
        name=folder.root.resolve().name,
        began=began,
        ended=ended,
        recordings=described,
        models=dict(plan.models),
        options={name: value for name, value in plan.settings.options.items() if value not in (None, "", [])},
        versions=_versions(folder),
        missing=sum(not one.files for one in described),
        rejected=len(read_table(folder.rejected)[1]) if folder.rejected.is_file() else 0,
    )


def _check_ended(folder: RunFolder, described: Sequence[Described]) -> None:
    """Raises ``InputError`` if a recording has neither a transcript nor a line in ``failed.tsv``: a run is going on."""
    failed = {row["recording"] for row in read_table(folder.failed)[1]} if folder.failed.is_file() else set()
    if left := [one.id for one in described if not one.files and one.id not in failed]:
        named = ", ".join(left[:3])
        raise InputError(
            f"{folder.root} is not finished: nothing is known yet of {len(left)} recording(s) ({named}). Let the run "
            "end, or start it again"
        )


def _described(
    recording: Recording,
    audio: Mapping[str, str],
    rows: Mapping[str, Mapping[str, Any]],
    files: Mapping[str, Mapping[str, str]],
    is_alone: bool,
) -> Described:
    name = recording.recording
    path = masked(recording.path)
    is_web = path.startswith(("http://", "https://"))
    # In names of objects (s3://) these characters are ordinary ones.
    plain = re.split("[?#]", path, maxsplit=1)[0] if is_web else path
    return Described(
        recording=recording,
        title=" ".join(clean_text(plain.rsplit("/", 1)[-1]).split()) or name,
        suffix=_suffix(plain),
        # Of an address with a query only a hash of that is known, and of a signed one not the signature.
        web=path if is_web and path == plain and not recording.address_table else "",
        audio=audio.get(name, ""),
        row=rows.get(name, {}),
        files=files.get(name, {}),
        is_alone=is_alone,
    )


def _suffix(path: str) -> str:
    """Returns the ending of a file's name if it is an ordinary one, else nothing: names of files are hostile."""
    suffix = PurePosixPath(path).suffix.lower()
    return suffix if suffix[1:].isascii() and suffix[1:].isalnum() and len(suffix) <= _LONGEST_SUFFIX else ""


def _merged(folder: RunFolder, plan: Plan) -> tuple[dict[str, Mapping[str, Any]], dict[str, dict[str, str]]]:
    """Returns the lines of the summary and the files of all merged recordings."""
    rows: dict[str, Mapping[str, Any]] = {}
    files: dict[str, dict[str, str]] = {}
    for bundle in plan.bundles:
        path = folder.merged / f"{bundle.bundle}.json"
        if not path.is_file():
            continue
        merged = MergedBundle.read(path)
        rows.update({str(row["recording"]): row for row in merged.rows})
        for name, written in merged.files.items():
            there = {
                kind: unpacked_name(file) for kind, file in written.items() if (folder.root / file["path"]).is_file()
            }
            files[name] = there
    return rows, files


def _audio_hashes(folder: RunFolder, plan: Plan) -> dict[str, str]:
    """Returns the hashes of encoded audio. Raises ``InputError`` if a shard was planned anew and not decoded since."""
    found: dict[str, str] = {}
    for shard in plan.shards:
        path = folder.shards / f"{shard.shard}.json"
        if path.is_file():
            finished = FinishedShard.read(path)
            # Earlier versions left it out.
            if finished.spec not in ("", shard.spec):
                raise InputError(
                    f"{folder.root} is not finished: recordings or options have changed since its transcripts were "
                    "written. Let the run end, or start it again"
                )
            found.update(finished.facts.audio)
    return found


def _times(folder: RunFolder, plan: Plan) -> tuple[float, float]:
    """Returns when the first chunk of the plan was begun and the last one done; the plan's own time without any."""
    journals = list_journals(folder.journal)
    histories = [read_history(folder.journal, shard.shard, shard.spec, journals) for shard in plan.shards]
    known = [history for history in histories if history.first]
    if not known:
        written = folder.plan.stat().st_mtime
        return written, written
    return min(history.first for history in known), max(history.last for history in known)


def _versions(folder: RunFolder) -> dict[str, str]:
    """Returns the versions in ``run_config.yaml``; none where it cannot be read."""
    try:
        versions = yaml.safe_load(folder.config.read_text(encoding="utf-8"))["versions"]
        return {str(name): str(version) for name, version in versions.items()}
    except (OSError, ValueError, yaml.YAMLError, KeyError, TypeError, AttributeError):
        return {}
