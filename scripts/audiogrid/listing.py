"""A fingerprint of what a run would read, so that a changed folder or table is noticed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from audiogrid.recordings import list_sources


def listing_hash(recordings: str | Sequence[str], channels: str) -> str:
    """Hash over every listed recording with its settings, size and modification time.

    Files are only looked at from outside (``stat``). Raises ``InputError`` when there is nothing to
    list, or a table cannot be read.
    """
    given = recordings if isinstance(recordings, str) else list(recordings)
    listing = list_sources(given, channels=channels)
    digest = hashlib.sha256()
    for source in listing.sources:
        try:
            facts = Path(source.path).stat()
            seen = f"{facts.st_size} {facts.st_mtime_ns}"
        except OSError as error:
            seen = type(error).__name__
        digest.update(f"{source!r} {seen}\n".encode(errors="surrogateescape"))
    for rejection in listing.rejected:
        digest.update(f"{rejection!r}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()[:32]
