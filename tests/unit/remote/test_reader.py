"""Reading over a network: the same sound as from a file, whatever breaks on the way."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager

import numpy as np
import pytest

import bad_media
from audiogrid.media.demux import MediaError
from audiogrid.media.pcm_stream import stream_pcm
from audiogrid.probing.media_facts import probe_media
from audiogrid.remote.address import parse
from audiogrid.remote.reader import RemoteFile
from audiogrid.remote.service_protocol import RemoteError
from audiogrid.splitting.split_bundle import SplitJob, split_bundle
from bad_media import tone, write_wav
from media import write_media

SIGNED = "X-Amz-Algorithm=A&X-Amz-Credential=c&X-Amz-Signature=5ec4e7"


@pytest.mark.parametrize("ranges", [True, False])
@pytest.mark.parametrize("head", [True, False])
def test_a_broken_connection_is_taken_up_where_it_broke(shelf, quick, ranges, head):
    data = bytes(range(256)) * 12_000
    shelf.files["/x"], shelf.ranges, shelf.head, shelf.after = data, ranges, head, 1_500_000
    shelf.breaks["/x"] = 2

    with RemoteFile(parse(f"{shelf.url}/x")).open() as file:
        assert file.read(100) == data[:100]
        file.seek(-50, 2)
        assert file.read(100) == data[-50:]
        file.seek(0)
        found = b"".join(iter(lambda: file.read(1 << 18), b""))

    assert found == data


def test_a_connection_that_breaks_again_and_again_is_given_up(shelf, quick):
    shelf.files["/x"], shelf.after = bytes(3_000_000), 70_000
    shelf.breaks["/x"] = 1_000

    with pytest.raises(RemoteError, match=r"failed 5 times at byte [\d,]+ of 3,000,000 .*run again") as caught:
        RemoteFile(parse(f"{shelf.url}/x")).open().read(-1)

    assert caught.value.is_transient
    assert shelf.breaks["/x"] > 900


@pytest.mark.parametrize(
    ("status", "kind"), [(404, "missing"), (403, "refused"), (503, "unreachable"), (418, "refused")]
)
def test_answers_of_a_web_server(shelf, quick, status, kind):
    shelf.files["/x"], shelf.status["/x"] = b"x", status

    with pytest.raises(RemoteError) as caught:
        RemoteFile(parse(f"{shelf.url}/x?hush=1"))

    assert caught.value.kind == kind
    assert "hush" not in str(caught.value)


def test_a_silent_and_an_absent_server_are_given_up(shelf, quick):
    shelf.silent.add("/x")
    for address in (f"{shelf.url}/x", "http://127.0.0.1:9/x"):
        with pytest.raises(RemoteError, match="cannot be reached") as caught:
            RemoteFile(parse(address))
        assert caught.value.kind == "unreachable"


def test_a_file_that_changes_while_it_is_read_is_noticed(shelf, quick):
    shelf.files["/x"] = bytes(12_000_000)
    file = RemoteFile(parse(f"{shelf.url}/x")).open()
    file.read(10)
    shelf.tag = "v2"
    file.seek(11_999_000)

    with pytest.raises(RemoteError, match="was changed"):
        file.read(10)


def test_redirects_are_followed(shelf, quick):
    shelf.files["/there"], shelf.redirects["/here"] = b"sound", f"{shelf.url}/there"

    assert RemoteFile(parse(f"{shelf.url}/here")).open().read(-1) == b"sound"


@pytest.mark.parametrize("suffix", ["wav", "mp3", "flac", "ogg", "m4a", "mp4", "mkv"])
def test_remote_media_are_what_local_ones_are(shelf, quick, tmp_path, suffix):
    local = write_media(tmp_path / f"x.{suffix}", tone(40.0))
    shelf.files[f"/x.{suffix}"] = local.read_bytes()

    there = probe_media(RemoteFile(parse(f"{shelf.url}/x.{suffix}")))
    here = probe_media(local)

    names = ("duration", "duration_source", "channels", "sample_rate", "codec", "container", "size", "note")
    assert [getattr(there, name) for name in names] == [getattr(here, name) for name in names]
    pieces = [list(stream_pcm(source)) for source in (RemoteFile(parse(f"{shelf.url}/x.{suffix}")), local)]
    assert b"".join(map(bytes, pieces[0])) == b"".join(map(bytes, pieces[1]))


def test_bad_media_are_as_bad_elsewhere(shelf, quick, tmp_path):
    for make in (
        bad_media.make_truncated_mp4,
        bad_media.make_no_audio,
        bad_media.make_protected,
        bad_media.make_playlist,
    ):
        local = make(tmp_path)
        shelf.files[f"/{local.name}"] = local.read_bytes()
        with pytest.raises(MediaError) as here:
            probe_media(local)
        with pytest.raises(MediaError) as there:
            probe_media(RemoteFile(parse(f"{shelf.url}/{local.name}")))
        assert str(there.value) == str(here.value)


def test_connections_that_break_for_good_are_no_damage_of_the_media(shelf, quick, tmp_path):
    shelf.files["/x.mp3"] = write_media(tmp_path / "x.mp3", tone(200.0)).read_bytes()
    file = RemoteFile(parse(f"{shelf.url}/x.mp3"))
    shelf.breaks["/x.mp3"], shelf.after = 1_000, 60_000

    for use in (probe_media, lambda source: list(stream_pcm(source))):
        with pytest.raises(RemoteError, match="Reading failed 5 times"):
            use(file)


def _job(source, shelf, **more):
    file = RemoteFile(parse(f"{shelf.url}{source}"))
    facts = {"size": file.facts.size, "mtime_ns": file.facts.stamp_ns, "duration": 32_000, "chunks": 1}
    return SplitJob(
        **{"recording": source[1:2], "path": f"{shelf.url}{source}", "channels_mode": "mix", **facts, **more}
    )


_hooks: list[list[str]] = []


@contextmanager
def files_written():
    """Paths that Python opens for writing meanwhile."""
    written: list[str] = []

    def hook(event, details):
        if event == "open" and _hooks and isinstance(details[0], str) and details[2] & (os.O_WRONLY | os.O_RDWR):
            _hooks[0].append(details[0])

    if not hasattr(files_written, "installed"):
        # Audit hooks cannot be taken back; this one sleeps outside of this context.
        files_written.installed = sys.addaudithook(hook) is None
    _hooks.append(written)
    try:
        yield written
    finally:
        _hooks.clear()


def test_split_reads_over_the_network_and_goes_on_without_what_breaks(shelf, quick, tmp_path):
    sound = write_wav(tmp_path / "a.wav", tone(60.0)).read_bytes()
    table = tmp_path / "list.csv"
    table.write_text(f"path\n{shelf.url}/b.wav?{SIGNED}\n")
    shelf.files = dict.fromkeys(["/a.wav", "/b.wav", "/c.wav", "/d.wav"], sound)
    jobs = [_job(path, shelf, duration=960_000) for path in shelf.files]
    jobs[1] = _job("/b.wav", shelf, address_table=str(table), duration=960_000)
    shelf.needs["/b.wav"] = SIGNED
    shelf.breaks["/a.wav"], shelf.after = 2, 1_200_000
    shelf.breaks["/c.wav"] = 1_000
    shelf.files["/d.wav"] = sound[:-100]
    shelf.after = 300_000
    with files_written() as written:
        manifest = split_bundle(jobs, tmp_path / "out", "b0001")

    assert [(track.recording, track.samples) for track in manifest.tracks] == [("a", 960_000), ("b", 960_000)]
    assert "Reading failed 5 times" in manifest.problems["c"] and "was changed" in manifest.problems["d"]
    assert "5ec4e7" not in repr(manifest)
    # Nothing of a recording lies on a disk but its chunks, not even for a moment.
    assert written and all(path.startswith(str(tmp_path / "out")) for path in written)


def test_a_server_without_ranges_sends_a_file_once_for_jumps_ahead(shelf, quick):
    data = bytes(range(256)) * 200_000
    shelf.files["/x"], shelf.ranges = data, False

    with RemoteFile(parse(f"{shelf.url}/x")).open() as file:
        for place in (20_000_000, 35_000_000, len(data) - 10):
            file.seek(place)
            assert file.read(10) == data[place : place + 10]

    # The first request asks what the file is, the second one gives its beginning and all places.
    assert len([1 for command, _, _ in shelf.seen if command == "GET"]) <= 3


@pytest.mark.parametrize("kinds", ["mp3 wav", "aac ogg", "ogg ogg"])
def test_joined_files_are_heard_over_a_network(shelf, quick, tmp_path, kinds):
    codecs = {"mp3": "libmp3lame", "wav": "pcm_s16le", "ogg": "flac"}
    noise = np.random.default_rng(1).integers(-9_000, 9_000, 40 * bad_media.RATE).astype(np.int16)
    for number, kind in enumerate(kinds.split()):
        path = tmp_path / f"{number}.{kind}"
        bad_media.encode(path, noise, codecs.get(kind, kind), rate=32_000, bit_rate=192_000)
    paths = sorted(tmp_path.iterdir())
    shelf.files["/all"] = b"".join(path.read_bytes() for path in paths)
    (tmp_path / "all").write_bytes(shelf.files["/all"])

    local = sum(block.shape[1] for block in stream_pcm(tmp_path / "all"))
    remote = sum(block.shape[1] for block in stream_pcm(RemoteFile(parse(f"{shelf.url}/all"))))

    assert remote == local and local > 79 * bad_media.RATE
    assert probe_media(RemoteFile(parse(f"{shelf.url}/all"))).remarks == probe_media(tmp_path / "all").remarks
