"""Makes the package of a run: a bag with its transcripts and tables, described as RO-Crate, IIIF and METS."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from audiogrid import __version__
from audiogrid.archiving import iiif, mets
from audiogrid.archiving.bag_options import BagOptions
from audiogrid.archiving.bag_writer import BagWriter, checksums, facts_of
from audiogrid.archiving.placing import (
    check_replaceable,
    packed_state,
    put_in_place,
    staging_folder,
)
from audiogrid.archiving.readme import readme
from audiogrid.archiving.ro_crate import CRATE_NAME, README, crate, recording_name
from audiogrid.archiving.run_account import Described, RunAccount, read_account
from audiogrid.core.errors import InputError, RetryableError
from audiogrid.core.text import clean_text
from audiogrid.media.file_parts import MediaFile
from audiogrid.records.bags import PAYLOAD, Packed, PlacedBag, is_listable, read_record, record_path
from audiogrid.records.run_folder import RunFolder
from audiogrid.remote.publishing import result_files
from audiogrid.remote.service_protocol import RemoteError
from audiogrid.splitting.opening import UnusableRecordingError, open_recording

# The bag before stays until the new one is in its place.
_KEPT_STATES = 2
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
    Two calls for the same run write the same bytes.
    Raises ``InputError`` if the run has not ended, if ``target`` holds anything else, or if a recording that is to be
    read is missing; ``RetryableError`` if the disk is full or a storage does not answer.
    """
    # "." has no name that anything could be written beside.
    target = target if target.name not in ("", "..") else target.resolve()
    account = read_account(folder)
    state = record_path(folder, target)
    record = read_record(state)
    check_replaceable(target, record)
    with staging_folder(target) as staging:
        writer = BagWriter(staging, record.files, target if target.is_dir() else None)
        try:
            left_out = _copy_results(folder, writer)
            for name, path in workflow:
                writer.copy(name, path)
            hashed = _recordings(account, options, writer, record.hashed)
            _describe(account, options, writer, hashed)
            writer.finish(_bag_info(account, options))
        except OSError as error:
            raise RetryableError(f"{target} cannot be written: {error.strerror or error} ({error.filename})") from error
        _check_unchanged(folder, writer)
        states = [packed_state(writer.files), *record.states][:_KEPT_STATES]
        PlacedBag(str(target.absolute()), wish, writer.files, hashed, states).write(state)
        put_in_place(staging, target)
    size = sum(packed.size for packed in writer.files.values())
    return Bag(target, account, len(writer.files), size, writer.reused, left_out)


def workflow_files(home: Path) -> list[tuple[str, Path]]:
    """Returns the files of the workflow in ``home``, by their names in the bag."""
    found = sorted(path for path in (home / "workflow").rglob("*") if path.is_file() and path.suffix in ("", ".smk"))
    return [(path.relative_to(home).as_posix(), path) for path in found]


def _copy_results(folder: RunFolder, writer: BagWriter) -> dict[str, str]:
    """Copy what ``publish`` would copy. Returns the files that a bag cannot name."""
    left_out = {}
    for name, path in result_files(folder.root):
        if is_listable(name):
            writer.copy(name, path)
        else:
            left_out[ascii(name)] = "not every program for bags can read such a name in a list"
    return left_out


def _check_unchanged(folder: RunFolder, writer: BagWriter) -> None:
    """Raises ``RetryableError`` if the run has written results while they were copied: they may not fit together."""
    for name, path in result_files(folder.root):
        packed = writer.files.get(f"{PAYLOAD}{name}")
        if is_listable(name) and (packed is None or packed.source != facts_of(path)):
            raise RetryableError(f"{path} was written while it was packed: wait until the run has ended, and try again")


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
            raise InputError(f"recording {one.id}: {error}") from None
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
    new = [one for one in account.recordings if f"data/{recording_name(one)}" not in writer.known]
    needed = sum(one.recording.size for one in new) + _SPARE_BYTES
    free = shutil.disk_usage(writer.folder).free
    if needed > free:
        raise InputError(
            f"the recordings have {needed / 1e9:.1f} GB, {writer.folder.parent} has {free / 1e9:.1f} GB left: choose "
            "another place with --out, or let the recordings be named or hashed only"
        )


def _describe(account: RunAccount, options: BagOptions, writer: BagWriter, hashed: Mapping[str, Packed]) -> None:
    """Write the IIIF manifests, the METS files and, at last, the description of all files."""
    present = {name.removeprefix("data/") for name in writer.files}
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
