"""Results of a run copied to object storage: only what is not there yet.

What was uploaded, as which version, stands in ``.state/published.json``. Nothing is ever deleted there.
"""

from __future__ import annotations

import hashlib
import json
import mimetypes
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from audiogrid.core.atomic_files import read_json, write_json
from audiogrid.core.calendar_dates import is_date
from audiogrid.core.errors import InputError
from audiogrid.core.json_values import from_json, to_json
from audiogrid.remote.address import Address, is_remote, parse
from audiogrid.remote.connections import service
from audiogrid.remote.service_protocol import RemoteError
from audiogrid.remote.storage_services import storage_addresses

# What people want to have elsewhere: tables, pages and the configuration beside the transcripts.
_SUFFIXES = {".tsv", ".html", ".yaml"}
_UPLOADS = 8
# A service that failed so many times in a row is not asked for the rest.
_DOWN_AFTER = 8
_NOT_TRIED = "not tried: others had failed"
# Types that browsers need to show a file; what Python knows depends on the machine.
_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".srt": "application/x-subrip",
    ".tsv": "text/tab-separated-values; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".vtt": "text/vtt; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".yaml": "application/yaml",
}


@dataclass(frozen=True)
class Uploaded:
    """A file as it was uploaded: size, modification time and hash here, entity tag there."""

    size: int
    mtime_ns: int
    sha256: str
    tag: str


@dataclass
class Published:
    """What became of the files of a run at ``to``. ``failed``: file -> what went wrong.

    ``others``: files there that must not be; nothing is known of them where listing is refused.
    """

    to: str
    files: dict[str, Uploaded] = field(default_factory=dict)
    fresh: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    refused: bool = False
    others: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class PublishSettings:
    """The key ``publish`` of a configuration. ``to``: an address, or empty; ``as_bag``: as a package for archives.

    ``date``: of publication, as the user wrote it; empty: none. ``wish``: the whole section, to tell whether it has
    changed.
    """

    to: str = ""
    as_bag: bool = False
    date: str = ""
    wish: str = ""


def publish_settings(value: Any) -> PublishSettings:
    """Returns what the key ``publish`` says: an address, or a section with ``to``, ``as`` and ``date``.

    Raises ``InputError`` for a date that no calendar has, and for a bag that would go nowhere.
    """
    if not isinstance(value, Mapping):
        return PublishSettings(str(value or ""))
    to, date = str(value.get("to") or ""), str(value.get("date") or "")
    if value.get("as") == "bag" and not to:
        raise InputError(
            "publish: as: bag lacks the key `to`, the address to copy the bag to. For a bag on this machine leave `as` "
            "out and call `audiogrid bag` when the run has ended"
        )
    if date and not is_date(date):
        raise InputError(f"publish: date: {date!r} is no date; write 2026, 2026-05 or 2026-05-31")
    return PublishSettings(to, value.get("as") == "bag", date, json.dumps(value, sort_keys=True, default=str))


def target(text: str, run: str) -> Address:
    """Where the results of ``run`` go below the prefix ``text``; raises ``InputError`` when nothing can go there."""
    if not is_remote(text):
        raise InputError(f"publish: {text!r} is not an address; write {storage_addresses()}")
    address = parse(text)
    if address.is_web:
        raise InputError(f"publish: nothing can be stored on a web server; write {storage_addresses()}")
    return address.sibling("/".join(part for part in (address.key.strip("/"), run) if part) + "/")


def check_target(to: Address) -> None:
    """Raise ``RemoteError`` when ``to`` is certain to fail: no bucket, no answer, no credentials.

    Whether something can be stored is only known when it is done; the right to list is not needed.
    """
    try:
        next(iter(service(to.scheme).list(to)), None)
    except RemoteError as error:
        if error.kind != "refused":
            raise


def result_files(root: Path) -> Iterator[tuple[str, Path]]:
    """Files of a run folder that are published, by name relative to it; tables and pages come last.

    Of the transcripts those that the run has written, also where a person has edited them since.
    """
    transcripts = root / "transcripts"
    written = _written(root)
    found = sorted(
        path
        for path in transcripts.rglob("*")
        if path.is_file() and (written is None or path.relative_to(transcripts).as_posix() in written)
    )
    # The index of `search.html`, which is uploaded later.
    found += sorted(
        path for path in root.glob("search/*/**/*.js") if not path.parts[len(root.parts) + 1].startswith(".")
    )
    found += sorted(path for path in root.glob("*") if path.is_file() and path.suffix in _SUFFIXES)
    linked = _linked(root)
    for path in found:
        if not path.name.startswith(".") and not path.is_symlink() and path.resolve() != linked:
            yield path.relative_to(root).as_posix(), path


def _linked(root: Path) -> Path | None:
    """Returns the run's file of linked voices (``LinkHistory``), which may lie anywhere; ``None`` without one."""
    try:
        return Path(read_json(root / ".state" / "linked.json")["file"]).resolve()
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _written(root: Path) -> set[str] | None:
    """Returns the transcripts that the run has written (``WrittenFiles``); ``None`` where it keeps no list."""
    lists = sorted((root / ".state" / "written").glob("*.json"))
    names: set[str] = set()
    for path in lists:
        try:
            names.update(read_json(path)["files"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return names if lists else None


def manifest_path(root: Path) -> Path:
    """The file that remembers what was uploaded."""
    return root / ".state" / "published.json"


def _manifest(root: Path, to: Address) -> dict[str, Any]:
    try:
        value: dict[str, Any] = read_json(manifest_path(root))
        return value if value["to"] == to.public else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def is_published(root: Path, to: Address, files: Mapping[str, tuple[int, int]] | None = None) -> bool:
    """Whether the last upload to ``to`` was complete and nothing has changed here since.

    ``files``: size and modification time of what belongs there, by name (default: the results). The configuration
    does not count: every start writes it anew.
    """
    manifest = _manifest(root, to)
    if not manifest.get("complete"):
        return False
    known = {name: (entry["size"], entry["mtime_ns"]) for name, entry in manifest["files"].items()}
    if files is None:
        files = {name: (one.st_size, one.st_mtime_ns) for name, path in result_files(root) for one in (path.stat(),)}
    return all(known.get(name) == facts for name, facts in files.items() if name != "run_config.yaml")


def publish(
    root: Path, to: Address, rounds: Sequence[Iterable[tuple[str, Path]]] | None = None, whole: str | None = None
) -> Published:
    """Upload what ``to`` does not hold; never raises for a file that cannot be, which ``failed`` then names.

    ``rounds``: name and path of what belongs there (default: the results). A round begins when the one before it is
    there completely. ``whole``: a folder there in which nothing else may lie; what does is in ``others``.
    """
    before: dict[str, Uploaded] = {}
    with suppress(ValueError):
        before = from_json(dict[str, Uploaded], _manifest(root, to).get("files", {}))
    there: dict[str, str] | None
    try:
        there = {key: facts.tag for key, facts in service(to.scheme).list(to)}
    except RemoteError:
        # Without the right to list, what was noted has to do; an absent service fails again below.
        there = None
    done = Published(to.public)
    for files in rounds or [result_files(root)]:
        waiting: list[tuple[str, Path, Uploaded]] = []
        for name, path in files:
            known = before.get(name)
            local = _local(path, known)
            if known and known.sha256 == local.sha256 and (there is None or there.get(to.key + name) == known.tag):
                done.files[name] = Uploaded(local.size, local.mtime_ns, local.sha256, known.tag)
            elif done.failed:
                done.failed[name] = _NOT_TRIED
            else:
                waiting.append((name, path, local))
        _upload(waiting, to, done)
    here = {to.key + name for name in [*done.files, *done.failed]}
    if whole is not None:
        found = (key for key in there or {} if key.startswith(to.key + whole) and key not in here)
        done.others = sorted(key.removeprefix(to.key) for key in found)
    complete = not done.failed and not done.others
    write_json(manifest_path(root), {"to": to.public, "complete": complete, "files": to_json(done.files)})
    return done


def _local(path: Path, known: Uploaded | None) -> Uploaded:
    status = path.stat()
    if known and (known.size, known.mtime_ns) == (status.st_size, status.st_mtime_ns):
        return known
    with path.open("rb") as file:
        # In blocks: a bag may hold recordings of many gigabytes.
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return Uploaded(status.st_size, status.st_mtime_ns, sha256, "")


def _upload(waiting: list[tuple[str, Path, Uploaded]], to: Address, done: Published) -> None:
    storage = service(to.scheme)
    failures = 0

    def put(item: tuple[str, Path, Uploaded]) -> None:
        nonlocal failures
        name, path, local = item
        if failures >= _DOWN_AFTER or done.refused:
            done.failed[name] = _NOT_TRIED
            return
        try:
            tag = storage.put(path, to.sibling(to.key + name), media_type(path))
        except RemoteError as error:
            failures += 1
            done.refused |= not error.is_transient
            done.failed[name] = str(error)
            return
        failures = 0
        done.fresh.append(name)
        done.files[name] = Uploaded(local.size, local.mtime_ns, local.sha256, tag)

    with ThreadPoolExecutor(_UPLOADS) as pool:
        list(pool.map(put, waiting))


def media_type(path: Path) -> str:
    """The media type of a file, for browsers."""
    return _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
