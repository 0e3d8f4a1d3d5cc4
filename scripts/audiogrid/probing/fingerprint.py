"""A hash of what a run would read, so that a changed folder or table makes Snakemake probe again."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from audiogrid.core.atomic_files import canonical_json, read_json, write_json
from audiogrid.core.errors import RetryableError
from audiogrid.probing.collecting import collections_paused
from audiogrid.probing.file_states import State, look_at
from audiogrid.probing.list_recordings import Listing, list_sources
from audiogrid.probing.probe_parts import PartSettings, ProbeParts
from audiogrid.remote.listing import Remote


def listing_hash(recordings: str | Sequence[str], channels: str) -> str:
    """Returns a hash over every listed recording with its settings, size and modification time.

    No file is opened: local ones are examined with ``stat``, remote ones through their storage's listing. Raises
    ``InputError`` when there is nothing to list, or a table cannot be read, ``RetryableError`` when the storage of a
    remote folder cannot be reached.
    """
    return _hash(_list(recordings, channels))


def _list(recordings: str | Sequence[str], channels: str) -> Listing:
    return list_sources(recordings if isinstance(recordings, str) else list(recordings), channels=channels)


@collections_paused()
def _hash(listing: Listing) -> str:
    digest = hashlib.sha256()
    local = look_at(source.path for source in listing.sources if not source.remote)
    for source in listing.sources:
        state = _remote_state(source.remote) if source.remote else _local_state(next(local))
        digest.update(f"{source!r} {state}\n".encode(errors="surrogateescape"))
    for rejection in listing.rejected:
        digest.update(f"{rejection!r}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()[:32]


def _remote_state(remote: Remote) -> str:
    return f"{remote.facts.size} {remote.facts.stamp_ns}" if remote.facts else "unreachable"


def _local_state(state: State) -> str:
    if isinstance(state, Exception):
        return type(state).__name__
    return f"{state.st_size} {state.st_mtime_ns} {state.st_ino}"


def current_listing(
    recordings: str | Sequence[str],
    channels: str,
    state: Path,
    *,
    is_read_only: bool,
    parts: PartSettings | None = None,
) -> str:
    """Returns ``listing_hash`` at the start of a workflow: the parameter of rule ``probe``, which reruns if it changes.

    ``state``: folder in which the last hash is kept. With ``only_looks`` (a dry run, say) the last hash is returned
    where a storage cannot be reached. If the last probe could not reach some recordings, the parameter changes.
    ``parts``: how many new files are worth jobs of their own, whose parts are then made.
    """
    note = state / "listing.json"
    asked = canonical_json([recordings, channels])
    listing = None
    try:
        listing = _list(recordings, channels)
        found = _hash(listing)
    except RetryableError:
        remembered = _last_hash(note)
        if not is_read_only or remembered.get("asked") != asked:
            raise
        found = remembered["hash"]
    else:
        # Only remote recordings can be out of reach.
        if not is_read_only and "://" in asked:
            write_json(note, {"asked": asked, "hash": found})
    number = next_attempt(attempts_file(state))
    value = f"{found} {number}" if number else found
    if listing is not None and parts is not None and not is_read_only:
        # A folder that cannot be written: `probe` says so.
        with suppress(OSError):
            ProbeParts(state).renew(value, listing.sources, parts)
    return value


def _last_hash(note: Path) -> dict[str, str]:
    try:
        value: dict[str, str] = read_json(note)
        return value
    except (OSError, ValueError):
        return {}


def attempts_file(state: Path) -> Path:
    """File in which ``probe`` counts its attempts and the recordings it could not reach."""
    return state / "probe_attempts.json"


def next_attempt(note: Path) -> int:
    """Number of the next probe: raised by one if the last one did not reach all recordings."""
    try:
        last = read_json(note)
        return int(last["attempt"]) + (1 if last["unreachable"] else 0)
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def record_attempt(note: Path, unreachable: int) -> None:
    """Record how many recordings a probe could not reach. Writes nothing as long as all are reached."""
    attempt = next_attempt(note)
    if attempt or unreachable:
        write_json(note, {"attempt": attempt, "unreachable": unreachable})
