"""Recordings from a real S3 service and a web server through the whole workflow, results copied back."""

from __future__ import annotations

import json
import re
import threading
import time
import urllib.request

import bagit
import pytest

import runs
import storages
from media import write_media, write_wav
from speech import say

pytestmark = pytest.mark.workflow

SIGNATURE = "X-Amz-Credential=somebody&X-Amz-Signature=5ec4e7c0ffee"
SAID = ["The ferry leaves the harbour at half past six.", "Bring the second ledger to the town hall tomorrow."]
ODD = 'talks/it\'s "odd" & $(touch x) #1?/../ünï ☃.mp3'
BREAKING = "/late.wav"


def check_credentials(endpoint, after):
    """Let the service check credentials after so many more requests (`inf`: never); it keeps this for the process."""
    request = urllib.request.Request(f"{endpoint}/moto-api/reset-auth", after, {"Content-Type": "text/plain"})
    urllib.request.urlopen(request).close()


@pytest.fixture(scope="module")
def buckets():
    with storages.s3_server() as buckets:
        yield buckets
        check_credentials(buckets.environment["AWS_ENDPOINT_URL"], b"inf")


@pytest.fixture
def shelf():
    with storages.web_server() as shelf:
        yield shelf


def remove_bucket_when(path, client, bucket):
    """Delete an empty bucket as soon as ``path`` exists."""

    def wait():
        deadline = time.monotonic() + 120
        while not path.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        client.delete_bucket(Bucket=bucket)

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def leaks(folder, *secrets):
    """Files below ``folder`` that hold a secret."""
    found = []
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink() and path.stat().st_size < 20_000_000:
            data = path.read_bytes()
            found += [path for secret in secrets if secret.encode() in data]
    return found


def test_a_pile_in_the_cloud(workspace, buckets, shelf):
    """Whatever cannot be had costs itself alone; the rest is byte for byte what local files give."""
    store, scratch = workspace.path / "results" / "store", workspace.path / "scratch"
    here = workspace.path / "in"
    for folder in (here, scratch):
        folder.mkdir()
    first = write_media(here / "first.mp3", say(SAID[0], 3)).read_bytes()
    second = write_wav(here / "second.wav", say(SAID[1], 4)).read_bytes()
    options = ["language=en", "formats=json,txt"]
    workspace.snakemake("--config", "run=here", "recordings=in", *options)
    known = runs.stored(store)

    buckets.client.create_bucket(Bucket="pile")
    for key, body in {ODD: first, "talks/empty.ogg": b"", "talks/folder/": b"", "talks/read.me.txt": b"x"}.items():
        buckets.client.put_object(Bucket="pile", Key=key, Body=body)
    shelf.files = {"/second.wav": second, "/closed.wav": second, BREAKING: second}
    shelf.needs = {"/second.wav": SIGNATURE, "/closed.wav": "another signature"}
    shelf.breaks[BREAKING], shelf.after = 1_000, 1_000
    private = workspace.path.parent / "private.tsv"
    rows = ["s3://pile/gone.mp3", f"{shelf.url}/second.wav?{SIGNATURE}", f"{shelf.url}/closed.wav?{SIGNATURE}"]
    private.write_text("\n".join(["path", *rows, f"{shelf.url}{BREAKING}", ""]))
    environment = {**buckets.environment, "TMPDIR": str(scratch)}
    (workspace.path / "cloud.yaml").write_text(
        json.dumps(
            {"run": "cloud", "recordings": ["s3://pile/talks", str(private)], "publish": "s3://late/my results/"}
        )
    )

    def go(*more, code=1, env=environment):
        return workspace.snakemake("--configfile", "cloud.yaml", *more, "--config", *options, env=env, code=code)

    missing = go()
    assert "publish: s3://late/my results/cloud/: The bucket does not exist" in missing.stdout
    assert not (workspace.path / "results" / "cloud" / "probe.json").exists()

    # The bucket for the results vanishes on the way.
    buckets.client.create_bucket(Bucket="late")
    run = workspace.path / "results" / "cloud"
    vanishing = remove_bucket_when(run / "plan.json", buckets.client, "late")
    done = go()
    vanishing.join()

    reasons = {row["path"]: row["reason"] for row in runs.table(run / "rejected.tsv")}
    words = {
        "s3://pile/gone.mp3": "does not exist",
        "s3://pile/talks/empty.ogg": "empty (0 bytes)",
        f"{shelf.url}/closed.wav": "status 403",
        f"{shelf.url}{BREAKING}": "Reading failed 5 times",
    }
    assert set(reasons) == set(words)
    assert all(word in reasons[path] for path, word in words.items())
    assert "4 recording(s) rejected and results are not published; everything else is done" in done.stdout
    assert "s3://late/my results/cloud/, which the same command mends" in done.stdout
    paths = {row["path"]: row["recording"] for row in runs.table(run / "summary.tsv")}
    assert set(paths) == {f"s3://pile/{ODD}", f"{shelf.url}/second.wav"}
    local = workspace.path / "results" / "here"
    for path, name in paths.items():
        assert runs.text(run, name) == runs.text(local, "first" if path.endswith(".mp3") else "second")
        assert json.loads((run / "transcripts" / f"{name}.json").read_text())["path"] == path
    # The same sound has the same keys: nothing was decoded.
    assert runs.stored(store) == known

    # A second start does what is left, and only that.
    buckets.client.create_bucket(Bucket="late")
    shelf.breaks.clear()
    again = go()
    assert "3 recording(s) rejected; everything else is done" in again.stdout
    assert runs.stored(store) == known
    prefix = "my results/cloud/"
    published = {name.removeprefix(prefix) for name in buckets.names("late")}
    names = {f"transcripts/{name}.{kind}" for name in [*paths.values(), "late"] for kind in ("json", "txt")}
    beside = {path.name for path in run.iterdir() if path.suffix in (".tsv", ".html", ".yaml")}
    assert beside >= {"summary.tsv", "rejected.tsv", "failed.tsv", "run_config.yaml"}
    index = {path.relative_to(run).as_posix() for path in (run / "search").rglob("*.js")}
    assert published == names | beside | index and index
    for name in published:
        body = buckets.client.get_object(Bucket="late", Key=prefix + name)["Body"].read()
        assert body == (run / name).read_bytes(), name

    # And a third one nothing but look; what somebody deleted there comes back.
    buckets.client.delete_object(Bucket="late", Key=f"{prefix}summary.tsv")
    third = go()
    assert f"{prefix}summary.tsv" in buckets.names("late")
    assert int(re.search(r"(\d+) there already", third.stdout)[1]) >= len(names)
    assert not {"probe", "split", "transcribe", "merge"} & runs.jobs(workspace.path).keys()

    # As a bag, with the recordings from where they are; a program of others finds it whole.
    wish = {"to": "s3://late/bags", "as": "bag", "recordings": "copy", "mets": True}
    cloud = json.loads((workspace.path / "cloud.yaml").read_text())
    (workspace.path / "cloud.yaml").write_text(json.dumps({**cloud, "publish": wish}))
    packed = go()
    assert "published in s3://late/bags/cloud/" in packed.stdout and "not published" not in packed.stdout
    assert not {"probe", "split", "transcribe", "merge"} & runs.jobs(workspace.path).keys()
    there = workspace.path.parent / "there"
    for name in buckets.names("late"):
        if name.startswith("bags/"):
            (there / name).parent.mkdir(parents=True, exist_ok=True)
            buckets.client.download_file("late", name, str(there / name))
    bag = there / "bags" / "cloud"
    assert bagit.Bag(str(bag)).is_valid()
    copied = sorted((bag / "data" / "recordings").iterdir())
    assert sorted(path.read_bytes() for path in copied) == sorted([first, second, second])
    assert sorted(path.suffix for path in copied) == [".mp3", ".wav", ".wav"]
    assert {path.stem for path in copied} == {path.stem for path in (bag / "data" / "mets").iterdir()}

    # Away from the network one can look, and a start says what is wrong.
    away = {**environment, "AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_MAX_ATTEMPTS": "1"}
    assert "cannot be reached" not in go("-n", code=0, env=away).stdout
    assert "recordings: s3://pile/talks: The storage cannot be reached" in go(env=away).stdout
    # Wrong credentials, too (from here on the service checks them).
    check_credentials(buckets.environment["AWS_ENDPOINT_URL"], b"0")
    wrong = go()
    assert "recordings: s3://pile/talks: Access is refused" in wrong.stdout
    assert "AWS_ACCESS_KEY_ID" in wrong.stdout

    secrets = (storages.KEYS["AWS_SECRET_ACCESS_KEY"], "5ec4e7c0ffee")
    assert leaks(workspace.path, *secrets) == leaks(bag, *secrets) == []
    assert not any(
        secret in output.stdout for output in (missing, done, again, third, packed, wrong) for secret in secrets
    )
    # Sound is read over the network; nothing of it was put down on the way.
    assert [path for path in scratch.rglob("*") if path.is_file()] == []
