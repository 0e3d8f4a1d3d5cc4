import errno
import json
import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from audiogrid.core.errors import StoreError
from audiogrid.records.chunks import Chunk, Seam
from audiogrid.records.ledger import Sound
from audiogrid.records.results import ChunkResult, HypothesisRecord, Segment, Window, Word
from audiogrid.records.store import Store, VoiceStore, chunk_key
from audiogrid.records.voices import ChunkVoices

CHUNK = Chunk(
    "a.0000", "a", None, 0, 1000, 2000, 900, 2100, Seam("pause", 1000, 100), Seam("hard", 2000, 100), "ab" * 32
)
RESULT = ChunkResult(
    1200,
    "en",
    0.9,
    [(0, 600)],
    [Window(0, 600, [(0, 600)], ["slow"], "fast", [HypothesisRecord("fast", 0.5, 1, -0.2, 1.0, 0.0, ["slow"], " hi")])],
    [Segment(0, 500, " hi", [Word(0, 500, " hi", 0.75)], -0.2, 1.0, 0.01, 0.0, "en", 0)],
)
KEY = chunk_key(CHUNK, "model", {"beam_size": 1}, 1)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def test_a_result_comes_back_as_it_went_in(store):
    assert store.put(KEY, RESULT, {"device": "cpu"})
    stored = store.get(KEY)
    assert stored is not None
    assert stored.result == RESULT
    assert stored.made == {"device": "cpu"}
    assert store.path(KEY).parent.name == KEY[:2]


def test_a_valid_result_is_never_replaced(store):
    store.put(KEY, RESULT, {"host": "one"})
    before = store.path(KEY).stat()
    assert not store.put(KEY, replace(RESULT, language="de"), {"host": "two"})
    after = store.path(KEY).stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert store.get(KEY).made == {"host": "one"}


@pytest.mark.parametrize("damage", ["flip", "truncate", "empty", "rubbish", "other key"])
def test_a_damaged_file_is_as_good_as_absent_and_is_replaced(store, damage):
    store.put(KEY, RESULT, {})
    path = store.path(KEY)
    data = path.read_bytes()
    place = data.index(b" hi") + 1
    flipped = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
    other = json.dumps({**json.loads(data), "key": "0" * 64}).encode()
    path.write_bytes(
        {"flip": flipped, "truncate": data[: len(data) // 2], "empty": b"", "rubbish": b"[1]", "other key": other}[
            damage
        ]
    )
    assert store.get(KEY) is None
    assert store.put(KEY, RESULT, {})
    assert store.get(KEY).result == RESULT


def test_nothing_temporary_is_left(store):
    store.put(KEY, RESULT, {})
    assert [path.name for path in store.path(KEY).parent.iterdir()] == [f"{KEY}.json"]


def test_a_success_removes_the_record_of_a_failure(store):
    store.put_error(KEY, {"cause": "crash"})
    assert store.get_error(KEY) == {"cause": "crash"}
    store.put(KEY, RESULT, {})
    assert store.get_error(KEY) is None


def test_a_store_that_cannot_be_written_says_so(store, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="No space left"):
        store.put(KEY, RESULT, {})
    assert list(store.path(KEY).parent.iterdir()) == []


@pytest.mark.parametrize(
    "chunk, model, options, revision",
    [
        (replace(CHUNK, pcm_sha256="cd" * 32), "model", {"beam_size": 1}, 1),
        (replace(CHUNK, start=1001), "model", {"beam_size": 1}, 1),
        (CHUNK, "other", {"beam_size": 1}, 1),
        (CHUNK, "model", {"beam_size": 2}, 1),
        (CHUNK, "model", {"beam_size": 1, "prompt": "x"}, 1),
        (CHUNK, "model", {"beam_size": 1}, 2),
        (CHUNK, "model", {"beam_size": 1}, 0),
    ],
)
def test_whatever_determines_the_text_is_in_the_key(chunk, model, options, revision):
    assert chunk_key(chunk, model, options, revision) != KEY


def test_where_a_chunk_lies_is_not_in_the_key():
    moved = replace(
        CHUNK, chunk="b.0007", recording="b", start=11000, end=12000, context_start=10900, context_end=12100
    )
    assert chunk_key(moved, "model", {"beam_size": 1}, 1) == KEY


def test_what_a_chunk_holds_apart_from_speech_changes_no_key():
    heard = replace(CHUNK, sounds=(Sound(CHUNK.start, CHUNK.end, "music"),))
    assert chunk_key(heard, "model", {"beam_size": 1}, 1) == KEY


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize(("root_mode", "folder", "file"), [(0o2775, 0o2775, 0o664), (0o777, 0o777, 0o666)])
def test_a_store_that_its_group_may_write_is_shared_whatever_the_umask(tmp_path, root_mode, folder, file):
    root = tmp_path / "store"
    root.mkdir()
    root.chmod(root_mode)
    before = os.umask(0o077)
    try:
        Store(root).put(KEY, RESULT, {})
        Store(root).put_error("ff" * 32, {"cause": "crash"})
        VoiceStore(root).put("ee" * 32, ChunkVoices(1, []), {})
    finally:
        os.umask(before)
    assert mode(VoiceStore(root).path("ee" * 32)) == file
    for key in (KEY, "ff" * 32, "ee" * 32):
        assert mode(root / key[:2]) == folder
    assert mode(Store(root).path(KEY)) == mode(Store(root).error_path("ff" * 32)) == file


def test_a_store_of_one_user_keeps_the_umask(store):
    before = os.umask(0o077)
    try:
        store.put(KEY, RESULT, {})
    finally:
        os.umask(before)
    assert mode(store.path(KEY)) == 0o600


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EROFS])
def test_what_a_store_refuses_is_kept_in_the_folder_of_the_run(tmp_path, monkeypatch, number):
    root, own = tmp_path / "shared", tmp_path / "run" / "store"
    link = Path.hardlink_to

    def refuse(self, target):
        if self.is_relative_to(root):
            raise OSError(number, os.strerror(number))
        link(self, target)

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    monkeypatch.setattr(Path, "replace", refuse)
    store = Store(root, own)
    assert store.put(KEY, RESULT, {})
    assert os.strerror(number) in store.refused and str(root) in store.refused
    assert not store.path(KEY).exists() and store.exists(KEY)
    assert Store(root, own).get(KEY).result == RESULT
    assert not Store(root, own).put(KEY, RESULT, {})
    monkeypatch.undo()
    with pytest.raises(StoreError, match="No space"):
        monkeypatch.setattr(os, "fsync", lambda descriptor: (_ for _ in ()).throw(OSError(28, "No space left")))
        Store(root, own).put("ab" * 32, RESULT, {})


def test_a_file_of_another_user_that_may_not_be_read_is_left_alone(tmp_path, monkeypatch):
    root, own = tmp_path / "shared", tmp_path / "run" / "store"
    Store(root).put(KEY, RESULT, {"host": "theirs"})
    data = Store(root).path(KEY).read_bytes()
    read, opened = Path.read_bytes, Path.open

    def deny(call):
        def denied(self, *given, **named):
            if self == Store(root).path(KEY):
                raise PermissionError(errno.EACCES, "Permission denied", str(self))
            return call(self, *given, **named)

        return denied

    monkeypatch.setattr(Path, "read_bytes", deny(read))
    monkeypatch.setattr(Path, "open", deny(opened))
    assert Store(root, own).put(KEY, RESULT, {"host": "ours"})
    assert Store(root, own).get(KEY).made == {"host": "ours"}
    monkeypatch.undo()
    assert Store(root).path(KEY).read_bytes() == data
