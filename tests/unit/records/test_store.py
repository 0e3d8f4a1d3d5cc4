import json
import os
from dataclasses import replace

import pytest

from audiogrid.core.errors import StoreError
from audiogrid.records.chunks import Chunk, Seam
from audiogrid.records.results import ChunkResult, HypothesisRecord, Segment, Window, Word
from audiogrid.records.store import Store, chunk_key

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
