"""Chunks made ready while the model is busy."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest

import runs
from audiogrid.decoding.passes.prepare import map_ahead


def feeders() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("prepare")]


@pytest.mark.parametrize("ahead", [0, 1, 2, 9])
def test_everything_comes_in_order_with_what_was_made_of_it(ahead: int):
    assert list(map_ahead(lambda number: number * number, range(5), ahead)) == [(n, n * n) for n in range(5)]
    assert not feeders()


def test_so_many_are_made_ahead_and_no_more_in_one_other_thread():
    made: list[tuple[int, str]] = []

    def make(number: int) -> int:
        made.append((number, threading.current_thread().name))
        return number

    ready = map_ahead(make, range(10), 2)
    assert next(ready) == (0, 0)
    deadline = time.monotonic() + 60
    while len(made) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.05)
    assert [number for number, _ in made] == [0, 1, 2]
    assert len({name for _, name in made}) == 1 and made[0][1].startswith("prepare")
    ready.close()
    assert not feeders()


def test_as_many_are_made_at_once_as_there_are_threads():
    together = threading.Barrier(3, timeout=60)
    # Only three at the same time get past the barrier.
    found = list(map_ahead(lambda number: (together.wait(), number)[1], range(6), 3, 3))
    assert found == [(number, number) for number in range(6)] and not feeders()


@pytest.mark.parametrize("threads", [0, 1, 3, 8])
def test_several_threads_keep_the_order_and_raise_an_error_where_its_chunk_would_have_come(threads: int):
    released = threading.Event()

    def make(number: int) -> int:
        # The first ones are ready last.
        if threads > 1 and number == 0:
            assert released.wait(10)
        if number == 1:
            released.set()
        if number == 3:
            raise ValueError("this chunk is damaged")
        return number

    found = []
    with pytest.raises(ValueError, match="damaged"):
        for _, value in map_ahead(make, range(9), 5, threads):
            found.append(value)
    assert found == [0, 1, 2] and not feeders()


def test_who_gives_up_in_the_middle_leaves_no_thread_and_nothing_more_is_made():
    made: list[int] = []
    ready = map_ahead(lambda number: made.append(number), range(100), 5, 3)
    next(ready)
    ready.close()
    assert not feeders() and len(made) <= 6


def test_without_a_feeder_nothing_happens_elsewhere_or_early():
    made: list[str] = []
    ready = map_ahead(lambda number: made.append(threading.current_thread().name), range(3))
    next(ready)
    assert made == [threading.current_thread().name]


def test_an_error_comes_out_where_its_chunk_would_have():
    def make(number: int) -> int:
        if number == 2:
            raise ValueError("this chunk is damaged")
        return number

    found = []
    with pytest.raises(ValueError, match="damaged"):
        for thing, _ in map_ahead(make, range(5), 2):
            found.append(thing)
    assert found == [0, 1] and not feeders()


@pytest.mark.workflow
def test_a_fed_engine_gives_the_same_bytes(
    base_model: Path, speech, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from audiogrid.decoding.engine import ChunkAudio, Engine
    from audiogrid.decoding.options import DecodeOptions

    # Simulated GPUs compute as CTranslate2 does on a CPU.
    options = DecodeOptions(language="en", **runs.AS_ON_A_CPU)
    chunks = [ChunkAudio(pcm, (0, len(pcm)), options) for pcm in (speech(seconds=5, seed=n).pcm for n in range(60, 64))]
    alone = dict(Engine(base_model).decode(chunks))
    (tmp_path / "faults.json").write_text(json.dumps({"gpus": {"devices": [{"uuid": "GPU-a"}]}}))
    monkeypatch.setenv("AUDIOGRID_FAULTS", str(tmp_path / "faults.json"))
    engine = Engine(base_model, device="cuda", compute_type="float16", batch_size=64)
    assert engine.device == "cuda"
    assert dict(engine.decode(chunks)) == alone and len(alone) == 4
