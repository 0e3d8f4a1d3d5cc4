"""Recordings on web servers and in object storage: addresses, reading, listing, and what goes wrong."""

from __future__ import annotations

import io
import os
import re
import socket
import sys
from contextlib import contextmanager
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

import bad_media
import storages
from audiogrid import guarded
from audiogrid.errors import InputError, RetryableError
from audiogrid.files import read_json
from audiogrid.listing import attempts_file, current_listing, listing_hash, note_attempt
from audiogrid.media import MediaError, probe_media, stream_pcm
from audiogrid.probing import probe
from audiogrid.recordings import list_sources
from audiogrid.remote import reader, web
from audiogrid.remote import service as service_module
from audiogrid.remote.address import parse, parse_public
from audiogrid.remote.listing import glob_pattern, look_at_all
from audiogrid.remote.publishing import check_target, is_published, publish, target
from audiogrid.remote.reader import RemoteFile
from audiogrid.remote.service import RemoteError, RemoteFacts, service
from audiogrid.splitting import SplitJob, split_bundle
from audiogrid.tables import address_in_table
from bad_media import tone, write_wav
from media import write_media
from require import require

SIGNED = "X-Amz-Algorithm=A&X-Amz-Credential=c&X-Amz-Signature=5ec4e7"


@pytest.fixture
def shelf():
    with storages.web_server() as shelf:
        yield shelf


@pytest.fixture
def quick(monkeypatch):
    """No pauses between tries, short patience."""
    monkeypatch.setattr(reader, "PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(web, "READ_SECONDS", 0.5)
    monkeypatch.setattr(web, "_TRIES", web._TRIES.new(total=1, backoff_factor=0))
    monkeypatch.setattr(service_module, "_silence", {})
    service.cache_clear()
    yield
    service.cache_clear()


@pytest.fixture(scope="module")
def buckets():
    with storages.s3_server() as buckets, pytest.MonkeyPatch.context() as patch:
        for name, value in buckets.environment.items():
            patch.setenv(name, value)
        service.cache_clear()
        yield buckets
        service.cache_clear()


@pytest.mark.parametrize(
    ("text", "public", "stem"),
    [
        ("s3://pile/a b/it's #1?.x.mp3", "s3://pile/a b/it's #1?.x.mp3", "it's #1?.x"),
        ("S3://pile/../a//b", "s3://pile/../a//b", "b"),
        ("gcs://pile/a.wav", "gs://pile/a.wav", "a"),
        ("az://box/folder/a", "az://box/folder/a", "a"),
        (f"https://Host/a%20b.mp3?{SIGNED}", "https://host/a%20b.mp3", "a b"),
        ("https://me:pw@host:8080/x.wav#t", "https://host:8080/x.wav", "x"),
        ("https://box.example/c/x.wav?sv=1&sp=r&sig=abc", "https://box.example/c/x.wav", "x"),
    ],
)
def test_an_address_has_a_form_that_may_be_shown(text, public, stem):
    address = parse(text)

    assert (address.public, address.stem) == (public, stem)
    assert not any(secret in repr(address) for secret in ("5ec4e7", "pw@", "abc"))


def test_queries_tell_files_apart_without_being_shown():
    first, second = parse("https://host/get?id=1&token=hush"), parse("https://host/get?id=2&token=hush")

    assert first.public != second.public
    assert first.public == parse(f"https://host/get?id=1&token=hush&{SIGNED}").public
    assert "hush" not in first.public + repr(first)


@pytest.mark.parametrize("text", ["s3://", "s3:///key", "s3://AKIA:secret@bucket/x", "https://", "https://ho st/x"])
def test_an_address_that_is_none_is_refused_without_repeating_it(text):
    with pytest.raises(InputError) as caught:
        parse(text)

    assert "secret" not in str(caught.value) and "AKIA" not in str(caught.value)


def test_a_signed_address_belongs_into_a_table():
    with pytest.raises(InputError, match="table") as caught:
        parse_public(f"https://host/x.mp3?{SIGNED}")

    assert "5ec4e7" not in str(caught.value)


def test_facts_tell_a_change_within_a_second():
    assert RemoteFacts.of(5, 1700000000.9, '"a"') != RemoteFacts.of(5, 1700000000.2, '"b"')
    assert RemoteFacts.of(5, 1700000000.9, '"a"') == RemoteFacts.of(5, 1700000000.2, '"a"')


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("a/*.wav", ["a/x.wav", "a/x.wav/below"], ["a/b/x.wav", "a/xwav"]),
        ("a/**/x.wav", ["a/x.wav", "a/b/c/x.wav"], ["b/x.wav"]),
        ("a/[bc]?", ["a/bx", "a/cy/z"], ["a/dx", "a/b"]),
    ],
)
def test_globs_over_keys(pattern, yes, no):
    matcher = re.compile(glob_pattern(pattern))
    assert all(matcher.fullmatch(key) for key in yes)
    assert not any(matcher.fullmatch(key) for key in no)


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


WEIRD = [
    'talks/it\'s "odd" & $(x) #1?.wav',
    "talks/sub//ünï ☃.wav",
    "talks/a/../up.wav",
    "talks/%41+b.wav",
    "talks/[x]*.wav",
    "talks/plain.wav",
]


@pytest.fixture(scope="module")
def pile(buckets, tmp_path_factory):
    """A bucket with odd names, things that are no recordings, and an empty object."""
    sound = write_wav(tmp_path_factory.mktemp("pile") / "x.wav", tone(1.0)).read_bytes()
    buckets.client.create_bucket(Bucket="pile")
    for key in WEIRD:
        buckets.client.put_object(Bucket="pile", Key=key, Body=sound)
    for key in ("talks/folder/", "talks/notes.txt", "talks/.hidden/x.wav", "talks/empty.mp3"):
        buckets.client.put_object(Bucket="pile", Key=key, Body=b"")
    return buckets


def test_a_prefix_is_a_folder_whatever_its_objects_are_called(pile):
    for given in ("s3://pile/talks", "s3://pile/talks/", "s3://pile", ["s3://pile/talks", "s3://pile/talks/plain.wav"]):
        listing = list_sources(given)
        assert sorted(source.path for source in listing.sources) == sorted(
            [*(f"s3://pile/{key}" for key in WEIRD), "s3://pile/talks/empty.mp3"]
        )
        assert len({source.recording for source in listing.sources}) == len(WEIRD) + 1
    report = probe(list_sources("s3://pile/talks").sources, processes=1)
    assert {found.duration for found in report.recordings} == {16_000}
    assert [(bad.recording, "empty" in bad.reason) for bad in report.rejected] == [("empty", True)]


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ("s3://pile/talks/[x]*.wav", ["[x]*"]),
        ("s3://pile/talks/p*.wav", ["plain"]),
        ("s3://pile/talks/*", ["%41+b", "[x]*", "empty", 'it\'s "odd" & $(x) #1?', "plain", "up", "ünï ☃"]),
        ("s3://pile/**/[up]*.wav", ["plain", "up"]),
        ('s3://pile/talks/it\'s "odd" & $(x) #1?.wav', ['it\'s "odd" & $(x) #1?']),
    ],
)
def test_single_objects_and_globs(pile, given, names):
    assert sorted(source.remote.address.stem for source in list_sources(given).sources) == names


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("s3://pile/nothing/", "holds no audio or video"),
        ("s3://nowhere/x/", "bucket does not exist"),
        ("https://host/", "table"),
        ("ftp://host/x.wav", "ftp:// is not supported"),
        ("s3://pile/talks/notes.txt", "no media file"),
    ],
)
def test_what_cannot_be_listed(pile, given, words):
    with pytest.raises(InputError, match=words) as caught:
        list_sources(given)

    assert given.split("://")[1].split("/")[0] in str(caught.value) or given.startswith("ftp")


def test_a_table_names_objects_and_addresses(pile, shelf, quick, tmp_path):
    """Missing and forbidden ones are rejected, an unreachable one is tried again, and the rest is probed."""
    shelf.files |= {"/a.wav": write_wav(tmp_path / "a.wav", tone(2.0)).read_bytes(), "/b.wav": b""}
    shelf.needs, shelf.status["/late.wav"] = {"/a.wav": SIGNED, "/b.wav": "x"}, 503
    table = tmp_path / "list.tsv"
    rows = [f"s3://pile/{WEIRD[0]}", "s3://pile/gone.wav", f"{shelf.url}/a.wav?{SIGNED}", f"{shelf.url}/b.wav?hush=1"]
    rows += [f"{shelf.url}/late.wav", "s3://pile/talks/", "s3://AKIA:hush@x/y.wav"]
    table.write_text("path\n" + "".join('"{}"\n'.format(row.replace('"', '""')) for row in rows))

    listing = list_sources(str(table))
    report = probe(listing.sources, processes=1, cache=tmp_path / "cache.jsonl")

    assert [found.path for found in report.recordings] == [f"s3://pile/{WEIRD[0]}", f"{shelf.url}/a.wav"]
    reasons = [bad.reason for bad in [*listing.rejected, *report.rejected]]
    words = ("no single file", "no name of a bucket", "does not exist", "status 403", "it answers 503")
    assert len(reasons) == len(words) and all(word in reason for word, reason in zip(words, reasons, strict=True))
    assert report.unreachable == 1
    kept = repr([report.recordings, report.rejected, listing.rejected]) + (tmp_path / "cache.jsonl").read_text()
    assert "hush" not in kept and "5ec4e7" not in kept
    signed = report.recordings[1]
    assert signed.address_table == str(table)
    assert address_in_table(table, signed.path).url.endswith(SIGNED)
    # The same again: only what is not known yet is fetched.
    shelf.seen.clear()
    again = probe(list_sources(str(table)).sources, processes=1, cache=tmp_path / "cache.jsonl")
    assert again.recordings == report.recordings
    assert [path for verb, path, _ in shelf.seen if verb == "GET" and path == "/a.wav"] == []


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


def test_access_refused_names_the_prefix_and_the_variables(pile, monkeypatch):
    def forbid(request, **_):
        from botocore.awsrequest import AWSResponse

        class Raw:
            def stream(self):
                yield b"<Error><Code>InvalidAccessKeyId</Code></Error>"

        return AWSResponse(request.url, 403, {}, Raw())

    service.cache_clear()
    service("s3")._client.meta.events.register("before-send.s3", forbid)
    try:
        with pytest.raises(InputError, match=r"s3://pile/talks.*InvalidAccessKeyId.*AWS_ACCESS_KEY_ID") as caught:
            list_sources("s3://pile/talks/")
    finally:
        service.cache_clear()
    assert storages.KEYS["AWS_SECRET_ACCESS_KEY"] not in str(caught.value)


def test_an_unreachable_store_stops_a_run_and_no_look(pile, tmp_path, monkeypatch):
    given, state = "s3://pile/talks", tmp_path / ".state"
    seen = current_listing(given, "mix", state, only_looks=False)
    assert seen == listing_hash(given, "mix") == current_listing(given, "mix", state, only_looks=True)

    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("AWS_RETRY_MODE", "standard")
    service.cache_clear()
    try:
        with pytest.raises(RetryableError, match=r"s3://pile/talks: .*cannot be reached.*AWS_ENDPOINT_URL"):
            current_listing(given, "mix", state, only_looks=False)
        assert current_listing(given, "mix", state, only_looks=True) == seen
        with pytest.raises(RetryableError):
            current_listing("s3://pile/other", "mix", state, only_looks=True)
    finally:
        service.cache_clear()


def test_a_changed_object_is_another_listing(pile):
    before = listing_hash("s3://pile/talks", "mix")
    body = pile.client.get_object(Bucket="pile", Key="talks/plain.wav")["Body"].read()
    pile.client.put_object(Bucket="pile", Key="talks/plain.wav", Body=body[:-2] + b"\x01\x02")

    assert listing_hash("s3://pile/talks", "mix") != before


def test_probes_that_reached_everything_leave_no_note(tmp_path):
    note = attempts_file(tmp_path)
    note_attempt(note, 0)
    assert not note.exists()
    note_attempt(note, 2)
    assert read_json(note) == {"attempt": 0, "unreachable": 2}
    note_attempt(note, 0)
    assert read_json(note) == {"attempt": 1, "unreachable": 0}
    note_attempt(note, 0)
    assert read_json(note) == {"attempt": 1, "unreachable": 0}


def test_a_service_that_is_down_is_not_asked_for_every_recording(shelf, quick):
    shelf.files["/up.wav"] = b"x"
    down = [parse(f"http://127.0.0.1:9/{number}.wav") for number in range(200)]

    looked = look_at_all([*down, parse(f"{shelf.url}/up.wav")])

    assert [one.trouble.kind for one in looked[:-1]] == ["unreachable"] * 200
    assert looked[-1].facts.size == 1
    assert sum("not answered" in str(one.trouble) for one in looked[:-1]) > 180


def test_large_remote_files_have_the_time_they_need():
    child = guarded._Child(guarded.probe_one, {"s3://pile/x": 2_000_000_000})
    try:
        assert child._reading("s3://pile/x") > 10_000
    finally:
        child.end()


@pytest.mark.parametrize(("scheme", "extra"), [("gs", "gcs"), ("az", "azure"), ("s3", "s3")])
def test_a_missing_package_is_named_with_the_command(monkeypatch, scheme, extra):
    service.cache_clear()
    for name in ("s3", "gcs", "azure"):
        monkeypatch.setitem(sys.modules, f"snakemake_storage_plugin_{name}", None)
        monkeypatch.delitem(sys.modules, f"audiogrid.remote.{name}", raising=False)
    with pytest.raises(InputError, match=rf"{scheme}:// needs .*pip install '\.\[{extra}\]'"):
        list_sources(f"{scheme}://pile/x")


class _Blobs:
    """As much of Azure's client as is used; entity tags are quoted in one answer and not in the other, as there."""

    def __init__(self, blobs):
        self.blobs, self.asked = blobs, []

    def get_container_client(self, container):
        def list_blobs(name_starts_with):
            return [self._properties(name, "1") for name in sorted(self.blobs) if name.startswith(name_starts_with)]

        return SimpleNamespace(list_blobs=list_blobs)

    def get_blob_client(self, container, name):
        self.asked.append((container, name))

        def properties():
            from azure.core.exceptions import ResourceNotFoundError

            if name not in self.blobs:
                raise ResourceNotFoundError
            return self._properties(name, '"1"')

        def download(offset, etag, match_condition):
            assert etag == '"1"'
            return io.BytesIO(self.blobs[name][offset:])

        def upload(file, overwrite, content_settings):
            self.blobs[name] = file.read()
            return {"etag": '"2"'}

        return SimpleNamespace(get_blob_properties=properties, download_blob=download, upload_blob=upload)

    def _properties(self, name, tag):
        when = datetime.fromtimestamp(1_700_000_000, UTC)
        return SimpleNamespace(name=name, size=len(self.blobs[name]), last_modified=when, etag=tag)


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """The folder of a run."""
    root = tmp_path_factory.mktemp("results") / "talks"
    for name in ("transcripts/a.txt", "transcripts/a.chunks/1.txt", "summary.tsv", "report.html", "run_config.yaml"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    for name in ("plan.json", ".state/x.json", "journal/s1.jsonl", "logs/a.log", "transcripts/.tmp-1"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    return root


def test_publishing_sends_what_changed(buckets, published):
    buckets.client.create_bucket(Bucket="out")
    to = target("s3://out/x/", "talks")
    first = publish(published, to)
    assert is_published(published, to) and not is_published(published, target("s3://out/y", "talks"))
    assert sorted(first.fresh) == sorted(name.removeprefix("x/talks/") for name in buckets.names("out"))
    assert set(first.fresh) == {
        "transcripts/a.txt",
        "transcripts/a.chunks/1.txt",
        "summary.tsv",
        "report.html",
        "run_config.yaml",
    }
    page = buckets.client.head_object(Bucket="out", Key="x/talks/report.html")
    assert page["ContentType"] == "text/html; charset=utf-8"

    (published / "summary.tsv").write_text("more")
    buckets.client.put_object(Bucket="out", Key="x/talks/report.html", Body=b"somebody else's")
    buckets.client.delete_object(Bucket="out", Key="x/talks/transcripts/a.txt")
    second = publish(published, to)
    assert sorted(second.fresh) == ["report.html", "summary.tsv", "transcripts/a.txt"]
    assert publish(published, to).fresh == []


def test_what_cannot_be_published_is_named_and_tried_again(buckets, published):
    to = target("s3://not-there/x", "talks")
    with pytest.raises(RemoteError, match="bucket does not exist"):
        check_target(to)
    done = publish(published, to)
    assert done.refused and len(done.failed) == 5 and not is_published(published, to)
    assert any("bucket does not exist" in reason for reason in done.failed.values())

    buckets.client.create_bucket(Bucket="not-there")
    assert len(publish(published, to).fresh) == 5


@pytest.mark.parametrize("given", ["https://host/x", "/data/results", "s3://"])
def test_where_nothing_can_be_published(given):
    with pytest.raises(InputError):
        target(given, "talks")


@pytest.fixture(scope="module")
def google():
    """An emulator of Google's service with a bucket."""
    try:
        import snakemake_storage_plugin_gcs  # noqa: F401
        from gcp_storage_emulator.server import create_server
    except ImportError as error:
        require("gcs", False, f"{error}; pip install -e '.[test]'")
        raise
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = create_server("127.0.0.1", port, in_memory=True, default_bucket="pile")
    server.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{port}")
        service.cache_clear()
        yield
        service.cache_clear()
    server.stop()


def test_google_storage(google, published, tmp_path):
    sound = write_wav(tmp_path / "x.wav", tone(60.0))
    for key in ('talks/it\'s "odd" & $(x).wav', "talks/sub//ünï ☃.wav"):
        service("gs").put(sound, parse(f"gs://pile/{key}"), "audio/wav")

    report = probe(list_sources("gcs://pile/talks").sources, processes=1)

    assert [(found.path, found.duration) for found in report.recordings] == [
        ('gs://pile/talks/it\'s "odd" & $(x).wav', 960_000),
        ("gs://pile/talks/sub//ünï ☃.wav", 960_000),
    ]
    remote = RemoteFile(parse("gs://pile/talks/sub//ünï ☃.wav")).open()
    remote.seek(-100, 2)
    assert remote.read(200) == sound.read_bytes()[-100:]
    with pytest.raises(RemoteError, match="does not exist"):
        service("gs").facts(parse("gs://pile/talks/nothing.wav"))
    with pytest.raises(InputError, match=r"gs://nowhere/x: .*does not exist"):
        list_sources("gs://nowhere/x")
    to = target("gs://pile/out", "talks")
    assert len(publish(published, to).fresh) == 5
    assert publish(published, to).fresh == []


def test_azure_errors_and_requests(tmp_path):
    try:
        from azure.core import exceptions as answers

        from audiogrid.remote import azure
    except ImportError as error:
        require("azure", False, f"{error}; pip install -e '.[test]'")
        raise
    for status, kind in ((403, "refused"), (400, "refused"), (503, "unreachable"), (429, "unreachable")):
        answer = answers.HttpResponseError("https://account/x?sig=5ec4e7")
        answer.status_code = status
        found = azure.explained(answer)
        assert found.kind == kind and "5ec4e7" not in str(found)
    assert azure.explained(answers.ResourceNotFoundError()).kind == "missing"
    assert azure.explained(answers.ResourceModifiedError()).kind == "changed"
    assert azure.explained(answers.ClientAuthenticationError()).kind == "anonymous"
    assert azure.explained(answers.ServiceRequestError("no route")).kind == "unreachable"

    client = _Blobs({"talks/a #1?.wav": b"abcdefgh", "other": b""})
    storage = azure.AzureService(client)
    address = parse("az://box/talks/a #1?.wav")
    assert [key for key, _ in storage.list(parse("az://box/talks/"))] == ["talks/a #1?.wav"]
    facts = storage.facts(address)
    assert facts == dict(storage.list(address))["talks/a #1?.wav"]
    body, start = storage.read_from(address, 3, facts)
    assert (body.read(10), start) == (b"defgh", 3)
    assert client.asked == [("box", "talks/a #1?.wav")] * 2
    with pytest.raises(RemoteError, match="does not exist"):
        storage.facts(parse("az://box/nothing"))
    assert storage.put(write_wav(tmp_path / "x.wav", tone(0.1)), parse("az://box/x"), "audio/wav") == "2"
    assert client.blobs["x"].startswith(b"RIFF")
