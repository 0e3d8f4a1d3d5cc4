"""Turns the folders, globs and tables that a run names into a list of recordings."""

from __future__ import annotations

import glob
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from operator import attrgetter
from pathlib import Path, PurePath

from audiogrid.core.errors import InputError
from audiogrid.media.audio_tracks import AUTO, TrackWish
from audiogrid.probing.collecting import collections_paused
from audiogrid.probing.file_states import is_failing
from audiogrid.probing.recording_ids import Named, assign_ids
from audiogrid.probing.recording_source import (
    CHANNELS,
    Channels,
    RecordingSource,
    Rejection,
    listing_problem,
    printable,
)
from audiogrid.probing.tables import read_table
from audiogrid.remote.address import is_remote, parse, unknown_scheme
from audiogrid.remote.listing import found_at, look_at_all
from audiogrid.remote.storage_services import readable_schemes

TABLE_SUFFIXES = (".tsv", ".csv")

# Extensions of files that often lie beside recordings. All other files are probed.
_EXTENSIONS = """
    txt md rst rtf log srt vtt ass ssa sub lrc ttml sbv tsv csv json jsonl yaml yml toml ini cfg conf xml html htm css
    js py ipynb sh smk r tex bib pdf doc docx odt xls xlsx ods ppt pptx odp jpg jpeg png gif bmp tif tiff webp svg heic
    ico psd zip gz bz2 xz zst 7z rar tar tgz iso m3u m3u8 pls xspf cue nfo textgrid eaf rttm ctm stm lab trs praat md5
    sha1 sha256 sig asc db sqlite lnk url part crdownload tmp bak swp lock npy npz pkl pt bin onnx dvc torrent
"""
_NOT_MEDIA = frozenset(_EXTENSIONS.split())


@dataclass(frozen=True)
class Listing:
    """Recordings in order, and what was rejected, with reasons."""

    sources: list[RecordingSource]
    rejected: list[Rejection]


def ignored(name: str) -> bool:
    """Whether a file of a folder is skipped: hidden, or obviously not media."""
    return name.startswith(".") or _parts(name)[1].lower() in _NOT_MEDIA


def _parts(name: str) -> tuple[str, str]:
    """Returns stem and suffix (without its dot) of a file's name as ``PurePath`` does, in a tenth of the time."""
    at = name.rfind(".")
    return (name[:at], name[at + 1 :]) if 0 < at < len(name) - 1 else (name, "")


@collections_paused()
def list_sources(
    recordings: str | Sequence[str],
    *,
    channels: str = "mix",
    tracks: TrackWish = (AUTO,),
    known_ids: Mapping[str, str] | None = None,
) -> Listing:
    """Returns the recordings of one or several folders, globs, tables, media files or remote addresses.

    ``channels`` (``mix`` or ``split``) and ``tracks`` are for recordings whose table has no other value. ``known_ids``:
    path -> id in an earlier run; those ids are kept. Raises ``InputError`` when something named here is missing or
    empty, or a table cannot be read, ``RetryableError`` when the storage of a remote folder cannot be reached.
    """
    if channels not in CHANNELS:
        raise InputError(f"channels is {channels!r}: use 'mix' (all channels as one) or 'split' (each by itself)")
    mode: Channels = "split" if channels == "split" else "mix"
    given = [recordings] if isinstance(recordings, str) else list(recordings)
    if not given or not all(given):
        raise InputError("recordings is empty: name a folder, a glob such as 'calls/*.wav', or a table (.tsv, .csv)")
    found: list[tuple[RecordingSource, bool]] = []
    rejected: list[Rejection] = []
    for item in given:
        if is_remote(item):
            found += [(replace(source, tracks=tracks), False) for source in _remote(item, mode)]
            continue
        path = _expanded(item)
        if path.suffix.lower() in TABLE_SUFFIXES and path.is_file():
            rows, bad = read_table(path, mode, tracks)
            found += rows
            rejected += bad
            continue
        lost: list[str] = []
        files, bad = _plain(item, lost)
        found += [(RecordingSource("", file, channels=mode, tracks=tracks), False) for file in files]
        found += [
            (RecordingSource("", file, channels=mode, tracks=tracks, is_out_of_reach=True), False)
            for file in (known_ids or {} if lost else ())
            if file.startswith(tuple(lost))
        ]
        rejected += bad
    named = _with_ids(found, known_ids or {})
    looked, bad = _with_remote_facts(named)
    return Listing(looked, [*rejected, *bad])


def _with_ids(found: list[tuple[RecordingSource, bool]], known: Mapping[str, str]) -> list[RecordingSource]:
    """Drop duplicates and assign ids. The flag of each source says whether a table gave its id.

    Of duplicates the first stays, with the highest priority that any of them has.
    """
    kept: dict[tuple[str, str], tuple[RecordingSource, bool]] = {}
    here = os.getcwd()  # noqa: PTH109
    for source, explicit in found:
        # Addresses that differ only in their secrets have the same path.
        # `Path` would take longer than all else that is done here.
        local = os.path.normpath(os.path.join(here, source.path))  # noqa: PTH118
        place = source.remote.address.url or source.path if source.remote else local
        first, given = kept.setdefault((place, source.recording), (source, explicit))
        priority = source.columns.get("priority")
        if priority is not None and int(priority) > int(first.columns.get("priority", 0)):
            kept[place, source.recording] = replace(first, columns={**first.columns, "priority": priority}), given
    wishes = [Named(source.path, source.recording or _stem(source), named) for source, named in kept.values()]
    ids = assign_ids(wishes, known)
    return [_named(source, name) for (source, _), name in zip(kept.values(), ids, strict=True)]


# `replace` takes five times as long, which of a million recordings is seconds at each start.
_FIELDS = tuple(field.name for field in fields(RecordingSource))
_OTHERS = attrgetter(*_FIELDS[1:])


def _named(source: RecordingSource, name: str) -> RecordingSource:
    """Returns a source with an id, which is its first field."""
    return RecordingSource(name, *_OTHERS(source))


def _stem(source: RecordingSource) -> str:
    return source.remote.address.stem if source.remote else _parts(source.path.rpartition("/")[2])[0]


def _remote(item: str, mode: Channels) -> list[RecordingSource]:
    """Recordings at a remote address: one object, or all objects below a prefix that may be media."""
    found = found_at(item)
    if len(found) == 1 and found[0].address == parse(item):
        name = found[0].address.key
        if PurePath(name).suffix.lower() in TABLE_SUFFIXES:
            raise InputError(f"recordings: {item} is a remote table: copy it to this machine and name the copy")
        if ignored(PurePath(name).name):
            raise InputError(f"recordings: {item} is not a media file: name one, a prefix that holds some, or a table")
        return [RecordingSource("", found[0].address.public, channels=mode, remote=found[0])]
    start = _folder_part(parse(item).key, [one.address.key for one in found])
    media = [one for one in found if not _passed_over(one.address.key[start:])]
    if not media:
        raise InputError(f"recordings: {item} holds no audio or video object: check the address, or put some there")
    return [RecordingSource("", one.address.public, channels=mode, remote=one) for one in media]


def _folder_part(asked: str, keys: list[str]) -> int:
    """Length of the part of the keys that ``asked`` (a prefix or a glob) fixes."""
    below = asked.rstrip("/") + "/"
    if below == "/" or all(key.startswith(below) for key in keys):
        return len(below) if below != "/" else 0
    fixed = asked[: min(at for at in map(asked.find, "*?[") if at >= 0)]
    return fixed.rfind("/") + 1


def _passed_over(below: str) -> bool:
    """Like ``ignored``, for all parts of a key below a prefix; ``..`` is an ordinary name there."""
    *folders, name = below.split("/")
    hidden = any(part.startswith(".") and part not in (".", "..") for part in folders)
    return hidden or ignored(name)


def _with_remote_facts(sources: list[RecordingSource]) -> tuple[list[RecordingSource], list[Rejection]]:
    """Add facts to the remote sources of tables; reject those that do not exist or may not be read."""
    waiting = {s.path: s.remote.address for s in sources if s.remote and not (s.remote.facts or s.remote.trouble)}
    seen = dict(zip(waiting, look_at_all(list(waiting.values())), strict=True))
    kept: list[RecordingSource] = []
    rejected: list[Rejection] = []
    for source in sources:
        remote = seen.get(source.path, source.remote)
        if remote and remote.trouble and not remote.trouble.is_transient:
            rejected.append(Rejection(source.recording, source.path, str(remote.trouble)))
        else:
            kept.append(source if remote is source.remote else replace(source, remote=remote))
    return kept, rejected


def _expanded(item: str) -> Path:
    try:
        path = Path(item).expanduser()
        path.is_dir()
    except RuntimeError:
        raise InputError(f"recordings: {item} names a home folder that is not known: write the whole path") from None
    except OSError as error:
        # A name that is too long, a folder above it that may not be entered.
        raise InputError(f"recordings: {item[:80]} cannot be looked at ({error.strerror}): check the path") from None
    return path


def _plain(item: str, lost: list[str]) -> tuple[list[str], list[Rejection]]:
    """Candidate files of a folder, a file or a glob. ``lost``: takes folders that cannot be read just now."""
    path = _expanded(item)
    if path.is_dir():
        roots, what = [path], "folder"
    elif path.exists() or path.is_symlink():
        if path.suffix[1:].lower() not in _NOT_MEDIA:
            return _checked([str(path)], {str(path)})
        raise InputError(f"recordings: {item} is not a media file, a folder or a table (.tsv, .csv): name one of these")
    elif glob.has_magic(item):
        # Path.glob knows no absolute patterns.
        roots, what = [Path(match) for match in sorted(glob.glob(str(path), recursive=True))], "glob"  # noqa: PTH207
        if not roots:
            raise InputError(f"recordings: nothing matches {item}: check the pattern, which counts from {Path.cwd()}")
    elif scheme := unknown_scheme(item):
        raise InputError(f"recordings: {scheme}:// is not supported: use {readable_schemes()} or a copy")
    else:
        raise InputError(f"recordings: {item} does not exist: check the path, which counts from {Path.cwd()}")
    visited: set[tuple[int, int]] = set()
    files: list[str] = []
    links: set[str] = set()
    rejected: list[Rejection] = []
    for root in roots:
        if root.is_dir():
            try:
                _walk(root, visited, files, links, rejected, lost)
            except OSError as error:
                raise InputError(
                    f"recordings: {root} cannot be read ({error.strerror}): make it readable or name another folder"
                ) from None
        elif not ignored(root.name):
            files.append(str(root))
            links.add(str(root))
    good, bad = _checked(files, links)
    if not good and not bad and not rejected:
        raise InputError(f"recordings: the {what} {item} holds no audio or video file: put some there or name another")
    return good, [*rejected, *bad]


def _walk(
    folder: Path,
    visited: set[tuple[int, int]],
    files: list[str],
    links: set[str],
    rejected: list[Rejection],
    lost: list[str],
) -> None:
    """Add the candidates below ``folder``, sorted; a folder reached again through a link is skipped.

    ``links``: takes those that are links, which the listing of a folder says without looking at each file.
    """
    facts = folder.stat()
    if (facts.st_dev, facts.st_ino) in visited:
        return
    visited.add((facts.st_dev, facts.st_ino))
    with os.scandir(folder) as scan:
        entries = sorted(scan, key=lambda entry: os.fsencode(entry.name))
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if not _is_folder(entry, lost):
            if not ignored(entry.name):
                files.append(entry.path)
                if entry.is_symlink():
                    links.add(entry.path)
            continue
        try:
            _walk(Path(entry.path), visited, files, links, rejected, lost)
        except OSError as error:
            reason = f"The folder cannot be read ({error.strerror}): make it readable, or move it elsewhere."
            rejected.append(Rejection("", printable(entry.path), reason))
            if is_failing(error):
                lost.append(f"{entry.path}/")


def _is_folder(entry: os.DirEntry[str], lost: list[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError as error:
        # A link to itself, or a disk that fails. Some file systems say only to a look at the entry what it is.
        if is_failing(error):
            lost.append(f"{entry.path}/")
        return False


def _checked(files: list[str], links: set[str]) -> tuple[list[str], list[Rejection]]:
    """Returns the files that may be recordings, and the others. ``links``: those that may be links."""
    good: list[str] = []
    rejected: list[Rejection] = []
    for file in files:
        reason = listing_problem(file, may_be_link=file in links)
        if reason is None:
            good.append(file)
        else:
            rejected.append(Rejection("", printable(file), reason))
    return good, rejected
