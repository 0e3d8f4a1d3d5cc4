"""The streaming cutter: chunks tile the track and carry the right hashes, whatever the blocks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audiogrid.core.timebase import SAMPLE_RATE
from audiogrid.records.chunks import Chunk, pcm_hash
from audiogrid.splitting import track_cutter
from audiogrid.splitting.track_cutter import TrackCutter

pytestmark = pytest.mark.usefixtures("quiet_detector")

SECOND = SAMPLE_RATE


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(-2_000, 2_000, round(seconds * SECOND)).astype(np.int16)


def speech_like(seconds: int, pauses: list[tuple[float, float]]) -> np.ndarray:
    """Noise for ``seconds`` with exact silence from a to b (in seconds) for each of ``pauses``."""
    pcm = noise(seconds)
    for start, end in pauses:
        pcm[round(start * SECOND) : round(end * SECOND)] = 0
    return pcm


def cut_track(pcm: np.ndarray, sizes: list[int], duration: int, count: int) -> list[Chunk]:
    cutter = TrackCutter("talk", None, duration, count)
    position = 0
    while position < len(pcm):
        size = sizes[position % len(sizes)] if sizes else len(pcm)
        cutter.feed(pcm[position : position + size])
        position += size
    return cutter.finish()


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 40 * SECOND),
    st.integers(0, 40 * SECOND),
    st.integers(1, 9),
    st.lists(st.integers(1_000, 90_000), min_size=1, max_size=4),
    st.lists(st.tuples(st.floats(0, 40), st.floats(0.05, 1.5)), max_size=12),
)
def test_any_track_is_tiled_and_hashed_whatever_the_blocks(
    samples: int, duration: int, count: int, sizes: list[int], pauses: list[tuple[float, float]]
) -> None:
    pcm = speech_like(40, [(start, start + length) for start, length in pauses])[:samples]
    chunks = cut_track(pcm, sizes, duration, count)
    assert [chunk.index for chunk in chunks] == list(range(count))
    assert [chunk.start for chunk in chunks] == [0, *(chunk.end for chunk in chunks[:-1])]
    assert chunks[-1].end == samples
    for chunk in chunks:
        assert 0 <= chunk.context_start <= chunk.start <= chunk.end <= chunk.context_end <= samples
        assert chunk.pcm_sha256 == pcm_hash(pcm[chunk.context_start : chunk.context_end])
    assert chunks == cut_track(pcm, [], duration, count)


def only_cut(pcm: np.ndarray) -> tuple[str, float]:
    """Kind and place (in seconds) of the cut that makes two chunks."""
    seam = cut_track(pcm, [], len(pcm), 2)[0].right
    return seam.kind, seam.at / SECOND


def test_an_ample_pause_nearby_spares_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = 0
    listen = track_cutter.speech_probabilities

    def count(pcm: np.ndarray) -> np.ndarray:
        nonlocal heard
        heard += len(pcm)
        return listen(pcm)

    monkeypatch.setattr(track_cutter, "speech_probabilities", count)
    assert only_cut(speech_like(300, [(125, 127), (151, 152.4)])) == ("pause", pytest.approx(151.7, abs=0.25))
    assert heard < 4 * SECOND


def test_without_an_ample_pause_the_whole_search_counts() -> None:
    assert only_cut(speech_like(300, [(148, 148.6), (171, 173)])) == ("pause", pytest.approx(172, abs=0.6))
    assert only_cut(speech_like(300, [(148, 148.2), (121, 121.7)])) == ("pause", pytest.approx(121.35, abs=0.05))
    assert only_cut(speech_like(300, [(148, 148.2), (110, 115), (181, 199)]))[0] == "short_pause"


def test_the_real_detector_finds_the_gap_between_sentences(monkeypatch: pytest.MonkeyPatch) -> None:
    from hibari import Hibari

    from audiogrid.media.vad import speech_probabilities

    monkeypatch.setattr(track_cutter, "speech_probabilities", speech_probabilities)
    voice = Hibari()
    sentence = voice("Nobody had expected that the river would rise so quickly, and yet the bridges held.", seed=1)
    count = len(sentence) * SECOND // voice.sample_rate
    at_16k = np.interp(np.arange(count) * voice.sample_rate / SECOND, np.arange(len(sentence)), sentence)
    spoken = (np.clip(at_16k, -1, 1) * 20_000).astype(np.int16)
    gap = np.zeros(round(0.7 * SECOND), dtype=np.int16)
    pcm = np.concatenate([spoken, gap] * 6)
    kind, at = only_cut(pcm)
    period = (len(spoken) + len(gap)) / SECOND
    assert kind == "pause"
    assert len(spoken) / SECOND - 0.1 < at % period < period
    assert not np.abs(pcm[round((at - 0.1) * SECOND) : round((at + 0.1) * SECOND)]).max() > 500
