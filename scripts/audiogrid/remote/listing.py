"""Remote recordings of a run: what lies under a prefix, and a look at single objects."""

from __future__ import annotations

import fnmatch
import glob
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

from audiogrid.core.errors import AudiogridError, InputError, RetryableError
from audiogrid.remote.address import Address, parse_public
from audiogrid.remote.connections import facts_of, service
from audiogrid.remote.service_protocol import RemoteError, RemoteFacts

# What some programs store to show that there is a folder.
_FOLDERS = ("/", "_$folder$")
# Looks at once; more is unkind to web servers.
_LOOKS = 8


@dataclass(frozen=True)
class Remote:
    """A remote object as listed: with facts, or with what came in the way of looking (``trouble``)."""

    address: Address
    facts: RemoteFacts | None = None
    trouble: RemoteError | None = field(default=None, compare=False)


def found_at(item: str) -> list[Remote]:
    """The objects that an entry of ``recordings`` stands for: one, a prefix with all below it, or a glob.

    "Folders" (names that end with a slash) are left out. Raises ``InputError`` when there is
    nothing or access is refused, ``RetryableError`` when the service cannot be reached.
    """
    address = parse_public(item)
    if address.is_web and not address.key.strip("/"):
        raise InputError(f"recordings: {address.public} names no file, and a web server lists none: use a table")
    try:
        return _found(address)
    except RemoteError as error:
        raise _fatal(address.public, error) from None


def _fatal(what: str, error: RemoteError) -> AudiogridError:
    kind = RetryableError if error.is_transient else InputError
    return kind(f"recordings: {what}: {error}")


def _found(address: Address) -> list[Remote]:
    storage = service(address.scheme)
    key = address.key
    if key and not key.endswith("/"):
        try:
            return [Remote(address, storage.facts(address))]
        except RemoteError as error:
            # Without the right to look, a missing object counts as forbidden; the listing will tell.
            if address.is_web or error.is_transient:
                raise
    below = key if not key or key.endswith("/") else f"{key}/"
    objects = list(_under(address.sibling(below)))
    if not objects and glob.has_magic(key):
        pattern = re.compile(glob_pattern(key), re.DOTALL)
        start = re.split(r"[*?\[]", key, maxsplit=1)[0]
        objects = [found for found in _under(address.sibling(start)) if pattern.fullmatch(found.address.key)]
    return objects


def _under(prefix: Address) -> Iterator[Remote]:
    for key, facts in service(prefix.scheme).list(prefix):
        if not key.endswith(_FOLDERS):
            yield Remote(prefix.sibling(key), facts)


def glob_pattern(pattern: str) -> str:
    """A glob as a regular expression: ``*`` stays within a folder, ``**`` does not; what it names may be a folder."""
    parts = re.split(r"(\*\*/|\*+|\?|\[[^\]/]+\])", pattern)
    spelt = {"**/": "(?:.*/)?", "*": "[^/]*", "**": ".*", "?": "[^/]"}

    def spell(part: str) -> str:
        if part in spelt:
            return spelt[part]
        if part.startswith("[") and part.endswith("]"):
            return fnmatch.translate(part).removeprefix("(?s:").rpartition(")")[0]
        return re.escape(part)

    return "".join(map(spell, parts)) + "(?:/.*)?"


def look_at_all(addresses: Sequence[Address]) -> list[Remote]:
    """Facts of single objects, several at a time; never raises for one of them."""

    def look(address: Address) -> Remote:
        try:
            return Remote(address, facts_of(address))
        except RemoteError as error:
            return Remote(address, None, error)

    for scheme in {address.scheme for address in addresses}:
        # A missing package stops the run, and is to be said once, not by every thread.
        with suppress(RemoteError):
            service(scheme)
    with ThreadPoolExecutor(_LOOKS) as pool:
        return list(pool.map(look, addresses))
