"""What a track holds apart from speech: spans that tile it, whatever the blocks in which it arrives."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from audiogrid.media.vad import FRAME
from audiogrid.records.chunks import Chunk, Seam
from audiogrid.records.ledger import Sound
from audiogrid.splitting.sound_levels import SoundLevels, promised_samples, with_sounds

SECOND = 16_000


def hiss(seconds: float, level: float, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, level, round(seconds * SECOND)).astype("<i2")


def levels_of(pcm: np.ndarray, block: int = 480_000) -> list[Sound]:
    levels = SoundLevels()
    for start in range(0, len(pcm), block):
        levels.feed(pcm[start : start + block])
    return levels.sounds()


def chunk(index: int, start: int, end: int) -> Chunk:
    return Chunk(
        f"a.{index:04d}", "a", None, index, start, end, start, end, Seam("edge", start, 0), Seam("edge", end, 0), ""
    )


def test_silence_is_told_from_sound() -> None:
    click = hiss(2 * FRAME / SECOND, 3000)
    pcm = np.concatenate([hiss(2, 20), hiss(3, 2000), hiss(1, 20), click, hiss(1, 20), hiss(0.2, 3000), hiss(0.1, 5)])
    found = levels_of(pcm)
    assert [one.kind for one in found] == ["silence", "sound", "silence", "sound", "silence"]
    # Within a frame or two; a click does not end a silence.
    for one, seconds in zip(found, (2, 5, 7 + 2 * FRAME / SECOND), strict=False):
        assert abs(one.end - seconds * SECOND) <= 2 * FRAME
    assert found[-1].end == len(pcm)


def test_nothing_gives_nothing() -> None:
    assert levels_of(np.zeros(0, "<i2")) == []
    assert levels_of(np.zeros(5, "<i2")) == [Sound(0, 5, "silence")]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.integers(1, 20_000), st.sampled_from([0, 30, 3000])), min_size=1, max_size=6), st.data())
def test_blocks_make_no_difference_and_spans_tile_the_track(parts: list[tuple[int, int]], data: st.DataObject) -> None:
    pcm = np.concatenate([hiss(length / SECOND, level, length) for length, level in parts])
    whole = levels_of(pcm)
    assert levels_of(pcm, data.draw(st.integers(100, 9_000))) == whole
    assert whole[0].start == 0 and whole[-1].end == len(pcm)
    assert all(one.end == other.start and one.kind != other.kind for one, other in pairwise(whole))


@settings(deadline=None)
@given(st.data())
def test_each_chunk_gets_what_lies_in_it(data: st.DataObject) -> None:
    samples = data.draw(st.integers(10, 1000))
    edges = sorted(data.draw(st.sets(st.integers(1, samples - 1), max_size=4)) | {0, samples})
    cuts = sorted(data.draw(st.sets(st.integers(1, samples - 1), max_size=6)) | {0, samples})
    sounds = [Sound(a, b, "sound" if n % 2 else "silence") for n, (a, b) in enumerate(pairwise(cuts))]
    holes = data.draw(st.lists(st.tuples(st.integers(0, samples), st.integers(1, 200)), max_size=4))
    missing = sorted(Sound(start, start + length, "damaged_audio") for start, length in holes)
    chunks = [chunk(n, a, b) for n, (a, b) in enumerate(pairwise(edges))]
    found = with_sounds(chunks, sounds, missing, samples + 100)
    spans = [sound for one in found for sound in one.sounds]
    assert [spans[0].start, *(one.end for one in spans[:-1])] == [one.start for one in spans]
    assert spans[-1] == Sound(samples, samples + 100, "cut_off")
    for one in found:
        assert all(one.start <= sound.start < sound.end <= one.end for sound in one.sounds if sound.kind != "cut_off")
    damaged = {n for sound in missing for n in range(sound.start, min(sound.end, samples))}
    assert {n for one in spans if one.kind == "damaged_audio" for n in range(one.start, one.end)} == damaged


def test_less_than_a_second_is_no_shortfall() -> None:
    assert promised_samples(20 * SECOND, 0, 20 * SECOND - SECOND) == 0
    assert promised_samples(20 * SECOND, 0, 18 * SECOND) == 20 * SECOND
    assert promised_samples(20 * SECOND, 25 * SECOND, 20 * SECOND) == 25 * SECOND
