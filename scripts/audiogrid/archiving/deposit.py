"""Makes the package of a run: a bag with its transcripts and tables, described as RO-Crate, IIIF and METS."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from audiogrid import __version__
from audiogrid.archiving import iiif, mets
from audiogrid.archiving.bag_options import BagOptions, checked_options
from audiogrid.archiving.bag_writer import BagWriter, Source, checksums, facts_of
from audiogrid.archiving.page_links import INDEX_OF_RECORDINGS, index_with, transcript_with
from audiogrid.archiving.placing import (
    check_replaceable,
    fingerprint,
    is_newest,
    put_in_place,
    staging_folder,
)
from audiogrid.archiving.readme import readme
from audiogrid.archiving.ro_crate import CRATE_NAME, README, crate, recording_name
from audiogrid.archiving.run_account import Described, RunAccount, read_account
from audiogrid.core.errors import InputError, RetryableError
from audiogrid.core.json_values import to_json
from audiogrid.core.text import clean_text
from audiogrid.export.packs import packs, unpacked
from audiogrid.media.file_parts import MediaFile
from audiogrid.records.bags import PAYLOAD, Packed, PlacedBag, is_listable, printable, read_record, record_path
from audiogrid.records.run_folder import RunFolder
from audiogrid.remote.publishing import result_files
from audiogrid.remote.service_protocol import RemoteError
from audiogrid.splitting.opening import UnusableRecordingError, check_unchanged, open_recording

# The bag before stays until the new one is in its place; two calls may be at it.
_KEPT_STATES = 4
_SPARE_BYTES = 64 << 20


@dataclass(frozen=True)
class Bag:
    """What was made. ``reused``: files that had not changed since the bag before; ``left_out``: file -> why."""

    path: Path
    account: RunAccount
    files: int
    size: int
    reused: int
    left_out: dict[str, str] = field(default_factory=dict)


def make_bag(
    folder: RunFolder, target: Path, options: BagOptions, workflow: Sequence[tuple[str, Path]], wish: str = ""
) -> Bag:
    """Make the bag of a run at ``target``, or replace the one that an earlier call left there.

    ``workflow``: name and path of the files of the workflow. ``wish``: noted, to tell later whether it has changed.
    Two calls for the same run write the same bytes; the second one sees that there is nothing to do.
    Raises ``InputError`` if the run has not ended, if ``target`` holds anything else, or if a recording that is to be
    read is missing; ``RetryableError`` if the disk is full or a storage does not answer.
    """
    options = checked_options(options)
    # "." has no name that anything could be written beside.
    target = target if target.name not in ("", "..") else target.resolve()
    try:
        results = _Results.of(folder)
        account = read_account(folder)
        origin = _origin(account, options, results, workflow)
        state = record_path(folder, target)
        record = read_record(state)
        if record.origin == origin and is_newest(target, record):
            if wish not in ("", record.wish):
                replace(record, wish=wish).write(state)
            return _bag(target, account, record.files, len(record.files), results)
        check_replaceable(target, record)
        with staging_folder(target) as staging:
            writer = BagWriter(staging, record.files, target if target.is_dir() else None)
            hashed = _fill(writer, account, options, results, workflow, record.hashed)
            results.check_unchanged(folder)
            # Copying may have taken hours: somebody may have put a file into the bag before, or made another.
            record = read_record(state)
            check_replaceable(target, record)
            made = PlacedBag(printable(target.absolute()), wish, writer.files, hashed, origin=origin)
            states = [fingerprint(made.facts), *record.states][:_KEPT_STATES]
            replace(made, states=states).write(state)
            put_in_place(staging, target)
    except OSError as error:
        raise RetryableError(f"{target} cannot be made: {error.strerror or error} ({error.filename})") from error
    return _bag(target, account, writer.files, writer.reused, results)


def _bag(target: Path, account: RunAccount, files: Mapping[str, Packed], reused: int, results: _Results) -> Bag:
    size = sum(packed.size for packed in files.values())
    return Bag(target, account, len(files), size, reused, results.left_out)


@dataclass(frozen=True)
class _Results:
    """What ``publish`` would copy. ``files``: file by name; ``facts``: path, size and time of each.

    A bag describes each file, so that transcripts in a zip lie in a folder of its name. ``left_out``: files that a bag
    cannot name -> why.
    """

    files: dict[str, Source]
    facts: dict[str, tuple[str, int, int]]
    left_out: dict[str, str]

    @classmethod
    def of(cls, folder: RunFolder) -> _Results:
        zips = set(packs(folder.transcripts))
        found: dict[str, Source] = {}
        for name, path in result_files(folder.root):
            if path in zips:
                found |= {f"{folder.transcripts.name}/{one}": file for one, file in unpacked(path)}
            else:
                found[name] = path
        files = {name: path for name, path in found.items() if is_listable(name)}
        why = "not every program for bags can read such a name in a list"
        facts = {name: facts_of(path) for name, path in files.items()}
        return cls(files, facts, {ascii(name): why for name in found if name not in files})

    def check_unchanged(self, folder: RunFolder) -> None:
        """Raises ``RetryableError`` if the run has written or deleted results meanwhile: they may not fit together."""
        now = _Results.of(folder).facts
        if changed := sorted(name for name in now.keys() | self.facts.keys() if now.get(name) != self.facts.get(name)):
            raise RetryableError(
                f"{folder.root / changed[0]} was written while it was packed: wait until the run has ended, and try "
                "again"
            )


def _origin(account: RunAccount, options: BagOptions, results: _Results, workflow: Sequence[tuple[str, Path]]) -> str:
    """Returns a hash of all that a bag is made from, besides the bytes of recordings, which a run takes as unchanged.

    Every start of a run writes its configuration anew, mostly with the same content.
    """
    facts: dict[str, Any] = dict(results.facts)
    for name in facts.keys() & {"run_config.yaml"}:
        facts[name] = checksums(results.files[name], "").hashes["sha256"]
    code = [(name, *facts_of(path)) for name, path in workflow]
    text = json.dumps([__version__, to_json(account), to_json(options), facts, code], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def workflow_files(home: Path) -> list[tuple[str, Path]]:
    """Returns the files of the workflow in ``home``, by their names in the bag."""
    found = sorted(path for path in (home / "workflow").rglob("*") if path.is_file() and path.suffix in ("", ".smk"))
    return [
        (path.relative_to(home).as_posix(), path)
        for path in found
        if not path.name.startswith(".") and is_listable(path.name)
    ]


def _fill(
    writer: BagWriter,
    account: RunAccount,
    options: BagOptions,
    results: _Results,
    workflow: Sequence[tuple[str, Path]],
    known: Mapping[str, Packed],
) -> dict[str, Packed]:
    """Write all files of a bag. ``known`` and returned: checksums of recordings that stay where they are."""
    _check_recordings(account, options)
    _copy_results(results, account, options, writer)
    for name, path in workflow:
        writer.copy(name, path)
    hashed = _recordings(account, options, writer, known)
    _describe(account, options, writer, hashed)
    writer.finish(_bag_info(account, options))
    return hashed


def _copy_results(results: _Results, account: RunAccount, options: BagOptions, writer: BagWriter) -> None:
    """Copy what ``publish`` would copy. Pages play the recordings that are copied, too."""
    beside = {one.id: recording_name(one) for one in account.recordings if options.recordings == "copy"}
    pages = {one.files["html"]: one.id for one in account.recordings if one.id in beside and "html" in one.files}
    for name, path in results.files.items():
        change: Callable[[bytes], bytes] | None = None
        if name in pages:
            change = partial(transcript_with, beside[pages[name]], name=name)
        elif beside and INDEX_OF_RECORDINGS.fullmatch(name):
            change = partial(index_with, beside)
        linked = beside[pages[name]] if name in pages else "recordings/"
        writer.copy(name, path, f"{path} with {linked}" if change else "", change)


def _check_recordings(account: RunAccount, options: BagOptions) -> None:
    """Raises ``InputError`` if a local recording that is to be read is gone: better now than after hours of copying."""
    if options.recordings != "name":
        for one in account.recordings:
            try:
                check_unchanged(one.recording)
            except UnusableRecordingError as error:
                raise InputError(f"recording {one.id}: {error}") from None


def _recordings(
    account: RunAccount, options: BagOptions, writer: BagWriter, known: Mapping[str, Packed]
) -> dict[str, Packed]:
    """Copy or read the recordings, if that is asked for. Returns checksums of those that stay where they are."""
    if options.recordings == "name":
        return {}
    if options.recordings == "copy":
        _check_room(account, writer)
    hashed = {}
    for one in account.recordings:
        try:
            source = open_recording(one.recording)
            if options.recordings == "copy":
                writer.copy(recording_name(one), source, one.recording.path)
            else:
                hashed[one.id] = _checksums(source, one.recording.path, known.get(one.id))
        except UnusableRecordingError as error:
            kind = RetryableError if error.is_transient else InputError
            raise kind(f"recording {one.id}: {error}") from None
        except RemoteError as error:
            kind = RetryableError if error.is_transient else InputError
            raise kind(f"recording {one.id}: {error}") from None
    return hashed


def _checksums(source: MediaFile, identity: str, known: Packed | None) -> Packed:
    """Returns the checksums of a file; it is not read again unless it has changed."""
    if known is not None and known.source == facts_of(source, identity):
        return known
    return checksums(source, identity)


def _check_room(account: RunAccount, writer: BagWriter) -> None:
    """Raises ``InputError`` if the recordings cannot fit on the disk. Those of an earlier bag take no new room."""
    before = writer.known if writer.earlier else {}
    new = [one for one in account.recordings if f"{PAYLOAD}{recording_name(one)}" not in before]
    needed = sum(one.recording.size for one in new) + _SPARE_BYTES
    free = shutil.disk_usage(writer.folder).free
    if needed > free:
        raise InputError(
            f"the recordings have {needed / 1e9:.1f} GB, {writer.folder.parent} has {free / 1e9:.1f} GB left: choose "
            "another place with --out, or let the recordings be named or hashed only"
        )


def _describe(account: RunAccount, options: BagOptions, writer: BagWriter, hashed: Mapping[str, Packed]) -> None:
    """Write the IIIF manifests, the METS files and, at last, the description of all files."""
    present = {name.removeprefix(PAYLOAD) for name in writer.files}
    delivered = [_only(one, present) for one in account.recordings if one.files]
    for one in delivered:
        writer.write(iiif.manifest_name(one), iiif.manifest(one, account, options))
    writer.write(iiif.COLLECTION, iiif.collection(delivered, account, options))
    if options.mets:
        for one in delivered:
            writer.write(mets.mets_name(one), mets.mets(one, account, options, writer.files, hashed))
    writer.write(README, readme(account, options, present).encode())
    writer.write(CRATE_NAME, crate(account, options, writer.files, hashed))


def _only(described: Described, present: set[str]) -> Described:
    """Returns a recording with those of its files that are in the bag."""
    return replace(described, files={kind: name for kind, name in described.files.items() if name in present})


def _bag_info(account: RunAccount, options: BagOptions) -> list[tuple[str, str]]:
    title = options.title or f"Transcripts of {account.name}"
    words = sum(int(one.row.get("words") or 0) for one in account.recordings)
    fields = [
        ("Source-Organization", options.responsible_party),
        ("Bagging-Date", account.day),
        ("External-Identifier", account.name),
        (
            "External-Description",
            f"{title}: {len(account.recordings)} recording(s), {words} words, transcribed by a machine (Whisper "
            f"{', '.join(account.models)}). data/{CRATE_NAME} describes every file, data/report.html is for reading",
        ),
        ("Bag-Software-Agent", f"audiogrid {account.versions.get('audiogrid', __version__)}"),
    ]
    return [(name, " ".join(clean_text(value).split())) for name, value in fields if value]
