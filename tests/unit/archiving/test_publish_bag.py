"""Bags in object storage: whole there or not a bag, and sent again when something has changed."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import bagit
import pytest

import finished_runs
import storages
from audiogrid.archiving import deposit
from audiogrid.archiving.bag_options import BagOptions
from audiogrid.archiving.deposit import make_bag
from audiogrid.core.errors import InputError
from audiogrid.orchestration.outstanding import is_outstanding
from audiogrid.records.bags import PAYLOAD, bag_files
from audiogrid.records.run_folder import RunFolder
from audiogrid.remote import publishing
from audiogrid.remote.publishing import Published, publish, publish_settings, target

ROOT = Path(__file__).parents[3]
TO = "s3://out/archive"


def call(folder: RunFolder) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, ROOT / "scripts" / "publish.py", "--run-dir", folder.root, "--to", TO, "--as", "bag"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "scripts")}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def fetched(buckets: storages.Buckets, into: Path) -> Path:
    for name in buckets.names("out"):
        path = into / name
        path.parent.mkdir(parents=True, exist_ok=True)
        buckets.client.download_file("out", name, str(path))
    return into / "archive" / "talks"


def test_packed_transcripts_are_published_as_a_bag_once(buckets, tmp_path: Path) -> None:
    buckets.client.create_bucket(Bucket="out")
    wish = {"to": TO, "as": "bag"}
    folder = finished_runs.finished_run(tmp_path / "packed", ["a.mp3", "b.mp3"], publish=wish, packed=True)
    settings, to = publish_settings(wish), target(TO, "packed")
    assert is_outstanding(folder, to, settings)
    done = call(folder)
    assert done.returncode == 0, done.stderr
    assert not is_outstanding(folder, to, settings)
    assert "archive/packed/data/transcripts/b0001/a.txt" in buckets.names("out")
    os.utime(folder.transcripts / "b0001.zip", ns=(1, 1))
    assert is_outstanding(folder, to, settings)


def test_a_run_is_published_as_a_valid_bag_and_kept_up_to_date(buckets, tmp_path: Path) -> None:
    buckets.client.create_bucket(Bucket="out")
    wish = {"to": TO, "as": "bag", "base_url": "https://archive.example.org"}
    folder = finished_runs.finished_run(tmp_path / "talks", ["a.mp3", "b.mp3"], publish=wish)
    settings, to = publish_settings(wish), target(TO, "talks")
    assert is_outstanding(folder, to, settings)
    done = call(folder)
    assert done.returncode == 0, done.stderr
    assert not is_outstanding(folder, to, settings)
    assert bagit.Bag(str(fetched(buckets, tmp_path / "there"))).is_valid()

    again = call(folder)
    assert "0 file(s) uploaded" in again.stderr
    # Another wish, another result: both ask for another bag.
    assert is_outstanding(folder, to, publish_settings({**wish, "title": "Other"}))
    (folder.transcripts / "a.txt").write_text("corrected\n")
    assert is_outstanding(folder, to, settings)
    assert call(folder).returncode == 0
    assert bagit.Bag(str(fetched(buckets, tmp_path / "later"))).is_valid()

    (folder.transcripts / "a.txt").unlink()
    left = call(folder)
    assert left.returncode == 2 and "makes it invalid" in left.stderr and "transcripts/a.txt" in left.stderr
    assert is_outstanding(folder, to, settings)
    buckets.client.delete_object(Bucket="out", Key="archive/talks/data/transcripts/a.txt")
    assert call(folder).returncode == 0 and not is_outstanding(folder, to, settings)


def test_a_bag_that_was_noted_and_not_put_in_its_place_is_not_published(
    buckets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    buckets.client.create_bucket(Bucket="out")
    wish = {"to": TO, "as": "bag"}
    folder = finished_runs.finished_run(tmp_path / "noted", ["a.mp3"], publish=wish)
    settings, to = publish_settings(wish), target(TO, "noted")

    def make() -> None:
        make_bag(folder, folder.bag, BagOptions(), [], settings.wish)

    make()
    publish(folder.root, to, bag_files(folder.bag), PAYLOAD)
    assert not is_outstanding(folder, to, settings)
    # Without the bag here, too: it is there.
    folder.bag.rename(tmp_path / "away")
    assert not is_outstanding(folder, to, settings)
    (tmp_path / "away").rename(folder.bag)
    (folder.transcripts / "a.txt").write_text("corrected\n")

    def killed(*given: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(deposit, "put_in_place", killed)
        with pytest.raises(KeyboardInterrupt):
            make()
    assert is_outstanding(folder, to, settings)
    make()
    publish(folder.root, to, bag_files(folder.bag), PAYLOAD)
    assert not is_outstanding(folder, to, settings)


def test_what_makes_it_a_bag_is_sent_last(tmp_path: Path) -> None:
    folder = finished_runs.finished_run(tmp_path / "talks", ["a.mp3"])
    make_bag(folder, folder.bag, BagOptions(), [])
    held, lists, last = bag_files(folder.bag)
    assert [name for name, _ in last] == ["bagit.txt"]
    assert all(name.startswith(PAYLOAD) for name, _ in held) and len(lists) == 5


def test_after_a_failed_file_no_list_is_sent(buckets: storages.Buckets, tmp_path: Path) -> None:
    held = [("data/a.txt", tmp_path / "gone.txt"), ("data/b.txt", tmp_path / "b.txt")]
    (tmp_path / "b.txt").write_text("b")
    (tmp_path / "gone.txt").write_text("a")
    (tmp_path / "bagit.txt").write_text("BagIt-Version: 1.0\n")
    refused = target("s3://not-there-at-all/x", "talks")
    done: Published = publish(tmp_path, refused, [held, [("bagit.txt", tmp_path / "bagit.txt")]], PAYLOAD)
    assert "not tried" in done.failed["bagit.txt"] and len(done.failed) == 3


@pytest.mark.parametrize(
    ("value", "to", "as_bag"),
    [
        ("", "", False),
        ("s3://a/b", "s3://a/b", False),
        ({"to": "s3://a/b", "as": "bag", "date": "2026"}, "s3://a/b", True),
        ({"date": "2026-05"}, "", False),
        ({"to": "s3://a/b", "date": "2028-02-29"}, "s3://a/b", False),
    ],
)
def test_the_key_publish(value: object, to: str, as_bag: bool) -> None:
    settings = publish_settings(value)
    assert (settings.to, settings.as_bag) == (to, as_bag)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"as": "bag"}, "as: bag lacks the key `to`"),
        ({"date": "2026-13"}, "date: '2026-13' is no date"),
        ({"to": "s3://a/b", "date": "2026-02-29"}, "date: '2026-02-29' is no date"),
    ],
)
def test_what_cannot_be_meant_by_the_key_publish(value: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        publish_settings(value)


def test_a_large_file_is_hashed_in_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "long.wav").write_bytes(bytes(1000))

    def whole(path: Path) -> bytes:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", whole)
        done = publishing._local(tmp_path / "long.wav", None)
    assert done.sha256 == hashlib.sha256(bytes(1000)).hexdigest()
