"""A fingerprint of what a run would read, so that a changed folder or table is noticed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from audiogrid.core.atomic_files import canonical_json, read_json, write_json
from audiogrid.core.errors import RetryableError
from audiogrid.probing.list_recordings import Listing, list_sources
from audiogrid.probing.recording_source import RecordingSource


def listing_hash(recordings: str | Sequence[str], channels: str) -> str:
    """Hash over every listed recording with its settings, size and modification time.

    Files are only looked at from outside (``stat``), remote ones by what their storage says of them.
    Raises ``InputError`` when there is nothing to list, or a table cannot be read, ``RetryableError``
    when the storage of a remote folder cannot be reached.
    """
    given = recordings if isinstance(recordings, str) else list(recordings)
    return _hash(list_sources(given, channels=channels))


def _hash(listing: Listing) -> str:
    digest = hashlib.sha256()
    for source in listing.sources:
        digest.update(f"{source!r} {_seen(source)}\n".encode(errors="surrogateescape"))
    for rejection in listing.rejected:
        digest.update(f"{rejection!r}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()[:32]


def _seen(source: RecordingSource) -> str:
    if source.remote:
        facts = source.remote.facts
        return f"{facts.size} {facts.stamp_ns}" if facts else "unreachable"
    try:
        status = Path(source.path).stat()
    except OSError as error:
        return type(error).__name__
    return f"{status.st_size} {status.st_mtime_ns}"


def current_listing(recordings: str | Sequence[str], channels: str, state: Path, *, only_looks: bool) -> str:
    """``listing_hash`` for a start of the workflow, as the parameter that makes Snakemake probe again.

    ``state``: folder that remembers it. A command that only looks gets the remembered hash where a
    storage cannot be reached. While the last probe could not reach recordings, the parameter is another one.
    """
    note = state / "listing.json"
    asked = canonical_json([recordings, channels])
    try:
        found = listing_hash(recordings, channels)
    except RetryableError:
        remembered = _remembered(note)
        if not only_looks or remembered.get("asked") != asked:
            raise
        found = remembered["hash"]
    else:
        # Only addresses can be out of reach.
        if not only_looks and "://" in asked:
            write_json(note, {"asked": asked, "hash": found})
    number = wanted_attempt(attempts_file(state))
    return f"{found} {number}" if number else found


def _remembered(note: Path) -> dict[str, str]:
    try:
        value: dict[str, str] = read_json(note)
        return value
    except (OSError, ValueError):
        return {}


def attempts_file(state: Path) -> Path:
    """Where ``probe`` leaves how often it looked, and how many recordings it could not reach."""
    return state / "probe_attempts.json"


def wanted_attempt(note: Path) -> int:
    """Number of the probe that is wanted: another than the last where that did not reach everything."""
    try:
        last = read_json(note)
        return int(last["attempt"]) + (1 if last["unreachable"] else 0)
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def note_attempt(note: Path, unreachable: int) -> None:
    """Note how the probe that ``wanted_attempt`` asked for went; nothing is written while all goes well."""
    attempt = wanted_attempt(note)
    if attempt or unreachable:
        write_json(note, {"attempt": attempt, "unreachable": unreachable})
