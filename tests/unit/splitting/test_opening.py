"""Opening recordings as the plan describes them: local files, and remote ones whose addresses stand in a table."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from audiogrid.probing.list_recordings import list_sources
from audiogrid.remote.address import parse
from audiogrid.splitting import opening
from audiogrid.splitting.opening import Patience, UnusableRecordingError, open_recording


@dataclass(frozen=True)
class Listed:
    path: str
    address_table: str | None
    size: int = 10
    mtime_ns: int = 20


def test_a_table_of_addresses_is_parsed_once_however_many_recordings_it_lists(tmp_path, monkeypatch):
    table = tmp_path / "many.tsv"
    urls = [f"https://example.org/{number}.wav?token=secret{number}" for number in range(200)]
    table.write_text("path\n" + "\n".join(urls) + "\n")
    parsed: list[Path] = []
    read = opening.private_addresses
    monkeypatch.setattr(opening, "private_addresses", lambda path: parsed.append(path) or read(path))
    # Opening a remote file asks its server.
    monkeypatch.setattr(opening, "RemoteFile", lambda address, facts: (address.url, facts))
    opening._addresses.cache_clear()

    opened = [open_recording(Listed(parse(url).public, str(table))) for url in urls]

    assert opened == [(url, (10, 20)) for url in urls]
    assert parsed == [table]
    table.write_text("path\n" + "\n".join(urls[1:]) + "\n")
    with pytest.raises(UnusableRecordingError, match=r"many\.tsv does not hold the whole address .* put the row back"):
        open_recording(Listed(parse(urls[0]).public, str(table)))
    assert len(parsed) == 2


def test_a_table_that_is_gone_is_a_sentence(tmp_path):
    with pytest.raises(UnusableRecordingError, match=r"gone\.tsv cannot be read"):
        open_recording(Listed("https://example.org/a.wav", str(tmp_path / "gone.tsv")))


def test_a_local_file_must_be_the_one_that_was_probed(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"0123456789")
    path = list_sources(str(tmp_path / "a.wav")).sources[0].path

    with pytest.raises(UnusableRecordingError, match="was changed"):
        open_recording(Listed(path, None))
    with pytest.raises(UnusableRecordingError, match="is gone"):
        open_recording(Listed(str(tmp_path / "b.wav"), None))
    status = Path(path).stat()
    assert open_recording(Listed(path, None, status.st_size, status.st_mtime_ns)) == Path(path)


def test_a_node_that_sees_a_new_file_late_waits_for_it(tmp_path):
    path = tmp_path / "new.wav"
    waits: list[float] = []

    def late(seconds: float) -> None:
        waits.append(seconds)
        # First there is no such file, then one that is not complete as this node sees it.
        if len(waits) in (2, 4):
            path.write_bytes(b"0123456789"[: 5 if len(waits) == 2 else 10])
            os.utime(path, ns=(20, 20))

    patience = Patience(60, late)
    assert open_recording(Listed(str(path), None), patience) == path
    assert waits == [1.0] * 4 and patience.seconds == 56
    # What stays away costs a job its patience once, however many recordings it has.
    for name in ("gone.wav", "also gone.wav"):
        with pytest.raises(UnusableRecordingError, match="is gone"):
            open_recording(Listed(str(tmp_path / name), None), patience)
    assert len(waits) == 60
