"""Remote recordings of a run: prefixes, globs, tables, and storage that does not answer."""

from __future__ import annotations

import sys

import pytest

import storages
from audiogrid.core.atomic_files import read_json
from audiogrid.core.errors import InputError, RetryableError
from audiogrid.probing import isolation
from audiogrid.probing.fingerprint import attempts_file, current_listing, listing_hash, record_attempt
from audiogrid.probing.list_recordings import list_sources
from audiogrid.probing.probe import probe
from audiogrid.probing.tables import private_addresses
from audiogrid.remote.address import parse
from audiogrid.remote.connections import service
from audiogrid.remote.listing import look_at_all
from bad_media import tone, write_wav

SIGNED = "X-Amz-Algorithm=A&X-Amz-Credential=c&X-Amz-Signature=5ec4e7"


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
        ("s3://pile/talks/notes.txt", "not a media file"),
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
    words = ("no single file", "is not the name of a bucket", "does not exist", "status 403", "it answers 503")
    assert len(reasons) == len(words) and all(word in reason for word, reason in zip(words, reasons, strict=True))
    assert report.unreachable == 1
    kept = repr([report.recordings, report.rejected, listing.rejected]) + (tmp_path / "cache.jsonl").read_text()
    assert "hush" not in kept and "5ec4e7" not in kept
    signed = report.recordings[1]
    assert signed.address_table == str(table)
    assert private_addresses(table)[signed.path].url.endswith(SIGNED)
    # The server is away: what is known of its recordings stays.
    shelf.status["/a.wav"] = 503
    away = probe(list_sources(str(table)).sources, processes=1, cache=tmp_path / "cache.jsonl")
    assert (away.recordings, away.unreachable) == (report.recordings, 1)
    del shelf.status["/a.wav"]
    # The same again: only what is not known yet is fetched.
    shelf.seen.clear()
    again = probe(list_sources(str(table)).sources, processes=1, cache=tmp_path / "cache.jsonl")
    assert again.recordings == report.recordings
    assert [path for verb, path, _ in shelf.seen if verb == "GET" and path == "/a.wav"] == []


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
    seen = current_listing(given, "mix", state, is_read_only=False)
    assert seen == listing_hash(given, "mix") == current_listing(given, "mix", state, is_read_only=True)

    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("AWS_RETRY_MODE", "standard")
    service.cache_clear()
    try:
        with pytest.raises(RetryableError, match=r"s3://pile/talks: .*cannot be reached.*AWS_ENDPOINT_URL"):
            current_listing(given, "mix", state, is_read_only=False)
        assert current_listing(given, "mix", state, is_read_only=True) == seen
        with pytest.raises(RetryableError):
            current_listing("s3://pile/other", "mix", state, is_read_only=True)
    finally:
        service.cache_clear()


def test_a_changed_object_is_another_listing(pile):
    before = listing_hash("s3://pile/talks", "mix")
    body = pile.client.get_object(Bucket="pile", Key="talks/plain.wav")["Body"].read()
    pile.client.put_object(Bucket="pile", Key="talks/plain.wav", Body=body[:-2] + b"\x01\x02")

    assert listing_hash("s3://pile/talks", "mix") != before


def test_probes_that_reached_everything_leave_no_note(tmp_path):
    note = attempts_file(tmp_path)
    record_attempt(note, 0)
    assert not note.exists()
    record_attempt(note, 2)
    assert read_json(note) == {"attempt": 0, "unreachable": 2}
    record_attempt(note, 0)
    assert read_json(note) == {"attempt": 1, "unreachable": 0}
    record_attempt(note, 0)
    assert read_json(note) == {"attempt": 1, "unreachable": 0}


def test_a_service_that_is_down_is_not_asked_for_every_recording(shelf, quick):
    shelf.files["/up.wav"] = b"x"
    down = [parse(f"http://127.0.0.1:9/{number}.wav") for number in range(200)]

    looked = look_at_all([*down, parse(f"{shelf.url}/up.wav")])

    assert [one.trouble.kind for one in looked[:-1]] == ["unreachable"] * 200
    assert looked[-1].facts.size == 1
    assert sum("not answered" in str(one.trouble) for one in looked[:-1]) > 180


def test_large_remote_files_have_the_time_they_need():
    assert isolation.reading_seconds("s3://pile/x", {"s3://pile/x": 2_000_000_000}) > 10_000


@pytest.mark.parametrize(("scheme", "extra"), [("gs", "gcs"), ("az", "azure"), ("s3", "s3")])
def test_a_missing_package_is_named_with_the_command(monkeypatch, scheme, extra):
    service.cache_clear()
    for name in ("s3", "gcs", "azure"):
        monkeypatch.setitem(sys.modules, f"snakemake_storage_plugin_{name}", None)
        monkeypatch.delitem(sys.modules, f"audiogrid.remote.{name}", raising=False)
    with pytest.raises(InputError, match=rf"{scheme}:// needs .*pip install '\.\[{extra}\]'"):
        list_sources(f"{scheme}://pile/x")
