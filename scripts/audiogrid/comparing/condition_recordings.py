"""Makes the recordings of a condition (degraded copies of a sample) and names them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from audiogrid.comparing.degrading import degrade, schema, suffix
from audiogrid.config.conditions import ORIGINAL, Condition
from audiogrid.core.atomic_files import canonical_json, write_json
from audiogrid.core.json_values import read_document, to_json
from audiogrid.media.demux import MediaError
from audiogrid.media.file_parts import MediaFile
from audiogrid.probing.media_facts import probe_media
from audiogrid.remote.service_protocol import RemoteError
from audiogrid.splitting.opening import UnusableRecordingError, open_recording
from audiogrid.splitting.split_bundle import SplitJob

# Ids of recordings never contain this character.
_MARK = "+"
_MADE = "made.jsonl"


def derived_id(recording: str, condition: str) -> str:
    """Returns the id of a recording under a condition."""
    return recording + _MARK + condition


def source_and_condition(recording: str) -> tuple[str, str]:
    """Returns the original recording of an id and its condition (``original`` for the recording itself)."""
    source, _, condition = recording.partition(_MARK)
    return source, condition or ORIGINAL


@dataclass
class ConditionOutput:
    """Output of a condition. ``recordings``: entries as in ``probe.json``; ``problems``: recording -> why it failed."""

    condition: str
    recordings: list[dict[str, Any]] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Write the declared output of a condition's job."""
        write_json(path, to_json(self), indent=1)

    @classmethod
    def read(cls, path: Path) -> ConditionOutput:
        """Inverse of ``write``."""
        return read_document(cls, path)


def _recipe(source: Mapping[str, Any], condition: Condition) -> str:
    facts = [
        schema(condition),
        condition.name,
        *(source[name] for name in ("path", "size", "mtime_ns", "channels_mode")),
    ]
    facts += source.get("tracks") or []
    return hashlib.sha256(canonical_json(facts).encode()).hexdigest()


def _remembered(folder: Path) -> dict[str, dict[str, Any]]:
    """Returns the files made by earlier jobs and unchanged since: recipe -> facts."""
    found: dict[str, dict[str, Any]] = {}
    try:
        lines = (folder / _MADE).read_text(encoding="utf-8").split("\n")
    except OSError:
        return found
    for line in lines:
        try:
            entry = json.loads(line)
            status = (folder / entry["name"]).stat()
            if (status.st_size, status.st_mtime_ns) == (entry["size"], entry["mtime_ns"]):
                found[entry["recipe"]] = entry
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return found


def make_condition(
    sample: Sequence[Mapping[str, Any]],
    condition: Condition,
    folder: Path,
    warn: Callable[[str], None] = lambda _: None,
) -> ConditionOutput:
    """Writes every recording of ``sample`` (entries of ``probe.json``) under ``condition`` into ``folder``.

    Files made before, also by a killed job, are reused; files that no longer belong to the sample are deleted.
    A recording that cannot be read becomes an entry of ``problems``. Raises ``RetryableError`` when ``folder``
    cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    remembered = _remembered(folder)
    made = ConditionOutput(condition.name)
    for source in sample:
        name = f"{source['recording']}{suffix(condition)}"
        recipe = _recipe(source, condition)
        entry = remembered.get(recipe)
        if entry is None or entry["name"] != name:
            try:
                degrade(_source(source), folder / name, condition, source["channels_mode"], source.get("tracks") or ())
                entry = _entry(folder / name, recipe)
            except (MediaError, UnusableRecordingError, RemoteError, OSError, ValueError) as error:
                made.problems[source["recording"]] = f"there is no {condition.name} of it: {error}"
                warn(f"{source['recording']}: {made.problems[source['recording']]}")
                continue
            with (folder / _MADE).open("a", encoding="utf-8") as file:
                file.write(json.dumps(entry, ensure_ascii=False) + "\n")
        facts = {key: entry[key] for key in ("size", "mtime_ns", "duration", "channels")}
        made.recordings.append(
            {
                **source,
                **facts,
                "recording": derived_id(source["recording"], condition.name),
                "path": (folder / name).as_posix(),
                "note": None,
                "address_table": None,
                "tracks": [],
                "remarks": [],
            }
        )
    kept = {Path(item["path"]).name for item in made.recordings} | {_MADE}
    for path in folder.iterdir():
        if path.is_file() and path.name not in kept:
            path.unlink()
    return made


def _source(source: Mapping[str, Any]) -> MediaFile:
    """Opens a recording, which must be unchanged since it was probed."""
    facts = ("recording", "path", "size", "mtime_ns", "channels_mode", "duration")
    job = SplitJob(**{name: source[name] for name in facts}, chunks=1, address_table=source.get("address_table"))
    return open_recording(job)


def _entry(path: Path, recipe: str) -> dict[str, Any]:
    facts = probe_media(path)
    return {
        "recipe": recipe,
        "name": path.name,
        "size": facts.size,
        "mtime_ns": facts.mtime_ns,
        "duration": facts.duration,
        "channels": facts.channels,
    }
