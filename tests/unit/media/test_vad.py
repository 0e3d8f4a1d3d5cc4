"""Voice activity: probabilities agree with the library they come from and do not depend on blocks."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiogrid.media.vad import (
    FRAME,
    VoiceDetector,
    VoiceOptions,
    speech_probabilities,
    speech_spans,
    trimmed,
    with_pads,
)


@pytest.fixture(scope="module")
def spoken() -> np.ndarray:
    """2 s of silence, a synthesised sentence, 2 s of silence: int16 at 16 kHz, no whole number of frames."""
    from hibari import Hibari

    voice = Hibari()
    sentence = voice("The committee met on Tuesday and agreed on almost everything.", seed=1)
    count = len(sentence) * 16_000 // voice.sample_rate
    at_16k = np.interp(np.arange(count) * voice.sample_rate / 16_000, np.arange(len(sentence)), sentence)
    silence = np.zeros(32_000, dtype=np.int16)
    return np.concatenate([silence, (at_16k * 20_000).astype(np.int16), silence, silence[:100]])


def test_probabilities_tell_speech_from_silence(spoken: np.ndarray) -> None:
    probabilities = speech_probabilities(spoken)
    assert probabilities.dtype == np.float32
    assert len(probabilities) == -(-len(spoken) // FRAME)
    assert probabilities[:60].max() < 0.2
    assert probabilities[-55:].max() < 0.2
    assert (probabilities[70:-75] > 0.5).mean() > 0.8


def test_probabilities_do_not_depend_on_blocks(spoken: np.ndarray) -> None:
    whole = speech_probabilities(spoken)
    for step in (1_000, 16_000, 77_777):
        detector = VoiceDetector()
        pieces = [detector.feed(spoken[at : at + step]) for at in range(0, len(spoken), step)]
        assert np.array_equal(np.concatenate([*pieces, detector.finish()]), whole)


def test_probabilities_are_those_of_faster_whisper(spoken: np.ndarray) -> None:
    from faster_whisper.vad import get_vad_model

    pcm = spoken[: len(spoken) // FRAME * FRAME]
    theirs = get_vad_model()(pcm.astype(np.float32) / 32768).reshape(-1)
    # It silences the end of its last frame (a slip in its context handling), so that one is left out.
    assert np.allclose(speech_probabilities(pcm)[:-1], theirs[:-1], atol=1e-6)


def test_spans_are_those_of_faster_whisper(spoken: np.ndarray) -> None:
    from faster_whisper.vad import VadOptions, get_speech_timestamps

    pcm = np.tile(spoken, 2)
    theirs = get_speech_timestamps(
        pcm.astype(np.float32) / 32768, VadOptions(min_silence_duration_ms=160, speech_pad_ms=400)
    )
    assert speech_spans(speech_probabilities(pcm), len(pcm)) == [(span["start"], span["end"]) for span in theirs]
    assert len(theirs) >= 2


@pytest.mark.parametrize("samples", [0, 1, 100, 512, 3_200])
def test_short_and_silent_signals_have_no_speech(samples: int) -> None:
    probabilities = speech_probabilities(np.zeros(samples, dtype=np.int16))
    assert len(probabilities) == -(-samples // FRAME)
    assert speech_spans(probabilities, samples) == []


def test_hysteresis_keeps_a_word_together() -> None:
    options = VoiceOptions(min_silence_ms=0, pad_ms=0)
    probabilities = np.array([0.1, 0.6, 0.4, 0.6, 0.2, 0.4, 0.6], dtype=np.float32)
    assert speech_spans(probabilities, 7 * FRAME - 5, options) == [(FRAME, 4 * FRAME), (6 * FRAME, 7 * FRAME - 5)]


def test_short_pauses_are_bridged_and_short_spans_dropped() -> None:
    probabilities = np.array([0.9, 0.9, 0.1, 0.9, 0.9, 0.1, 0.1, 0.1, 0.1, 0.9, 0.1, 0.1, 0.1, 0.1], dtype=np.float32)
    options = VoiceOptions(min_silence_ms=64, min_speech_ms=40, pad_ms=0)
    assert speech_spans(probabilities, 14 * FRAME, options) == [(0, 5 * FRAME)]


def test_pads_share_a_short_pause() -> None:
    probabilities = np.array([0.9] * 3 + [0.1] * 3 + [0.9] * 3, dtype=np.float32)
    options = VoiceOptions(min_silence_ms=64, pad_ms=400)
    assert speech_spans(probabilities, 9 * FRAME, options) == [(0, 2304), (2304, 9 * FRAME)]


@given(
    st.lists(st.floats(0, 1, width=32), max_size=60),
    st.integers(0, 511),
    st.integers(0, 200),
    st.integers(0, 100),
    st.integers(0, 500),
)
def test_spans_are_ordered_disjoint_and_inside(
    values: list[float], missing: int, silence: int, speech: int, pad: int
) -> None:
    samples = max(0, len(values) * FRAME - missing)
    options = VoiceOptions(min_silence_ms=silence, min_speech_ms=speech, pad_ms=pad)
    spans = speech_spans(np.array(values, dtype=np.float32), samples, options)
    edges = [edge for span in spans for edge in span]
    assert edges == sorted(edges)
    assert all(0 <= start < end <= samples for start, end in spans)


def test_certain_speech_is_what_is_left_unless_pads_do_not_reach_the_rest() -> None:
    assert trimmed([(0, 100)], [(10, 40), (50, 90)], 10) == [(10, 40), (50, 90)]
    # Before, between and behind certain speech, each longer than the pads.
    assert trimmed([(0, 100)], [(30, 40), (70, 80)], 10) == [(0, 20), (30, 40), (50, 60), (70, 80), (90, 100)]
    assert trimmed([(0, 10), (20, 30)], [], 10) == [(0, 10), (20, 30)]
    assert trimmed([(0, 10), (20, 60)], [(25, 55)], 5) == [(0, 10), (25, 55)]


@given(
    st.lists(st.sampled_from([0.0, 0.1, 0.2, 0.3, 0.4, 0.6, 1.0]), max_size=120),
    st.integers(0, FRAME - 1),
    st.sampled_from([0, 30, 400]),
)
def test_no_speech_is_lost_between_spans_that_were_trimmed(values: list[float], short: int, pad_ms: int) -> None:
    samples = max(0, len(values) * FRAME - short)
    options = VoiceOptions(0.25, 0.15, pad_ms=0)
    probabilities, pad = np.array(values, dtype=np.float32), pad_ms * 16
    spans = speech_spans(probabilities, samples, options)
    found = trimmed(spans, speech_spans(probabilities, samples, options.certain()), pad)
    assert all(start < end for start, end in found)
    assert all(one[1] <= other[0] for one, other in itertools.pairwise(found))
    heard = np.zeros(samples, bool)
    for start, end in with_pads(found, samples, pad):
        assert 0 <= start <= end <= samples
        heard[start:end] = True
    assert all(heard[start:end].all() for start, end in spans)
