"""Quiet speakers are raised to those around them; nothing else changes by a bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audiogrid.decoding.passes.levelling import (
    apply_gains,
    frame_energies,
    gain_curve,
    level,
    level_speech,
    span_gains,
)
from audiogrid.media.vad import FRAME

SECOND = 16_000


def tone(seconds: float, decibels: float, noise: float = 1.0) -> np.ndarray:
    """A tone of ``decibels`` above one step of 16 bits, with noise."""
    at = np.arange(int(seconds * SECOND))
    wave = 10 ** (decibels / 20) * 2**0.5 * np.sin(at / 7)
    return np.rint(wave + np.random.default_rng(1).normal(0, noise, len(at))).astype(np.int16)


def talk(*decibels: float, noise: float = 1.0) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """Spans of two seconds at these levels with half a second between, and where they are."""
    pieces, spans, at = [], [], 0
    for each in decibels:
        pieces += [tone(2, each, noise), tone(0.5, -60, noise)]
        spans.append((at, at + 2 * SECOND))
        at += 5 * SECOND // 2
    return np.concatenate(pieces), spans


def gains(*decibels: float, noise: float = 1.0) -> list[int]:
    pcm, spans = talk(*decibels, noise=noise)
    return span_gains(frame_energies(pcm), spans)


def test_energies_are_exact_at_full_scale() -> None:
    assert frame_energies(np.full(FRAME, -32768, np.int16)).tolist() == [FRAME * 2**30]
    assert frame_energies(np.full(FRAME + 1, 3, np.int16)).tolist() == [9 * FRAME, 9]


def test_a_level_is_that_of_the_louder_part_and_silence_is_zero() -> None:
    assert level(frame_energies(tone(1, 60))) == pytest.approx(600, abs=3)
    assert level(np.zeros(9, np.int64)) == 0
    quiet_with_loud_edge = np.concatenate([frame_energies(tone(1, 30)), frame_energies(tone(0.05, 70))])
    assert level(quiet_with_loud_edge) == pytest.approx(300, abs=10)


@pytest.mark.parametrize(("below", "gain"), [(0, 0), (5, 0), (10, 60), (20, 160), (30, 260), (48, 400)])
def test_a_span_is_brought_to_four_decibels_below_the_loudest(below: int, gain: int) -> None:
    assert gains(70, 70 - below, 70) == pytest.approx([0, gain, 0], abs=4)


def test_noise_is_not_raised() -> None:
    assert gains(70, 30, 70, noise=20.0) == [0, 0, 0]


def test_noise_that_is_taken_for_speech_without_any_pause_is_not_raised() -> None:
    loud, noise = tone(2, 70), np.random.default_rng(3).normal(0, 300, 40 * SECOND).astype(np.int16)
    spans = [(0, len(loud)), (len(loud), len(loud) + len(noise))]
    assert span_gains(frame_energies(np.concatenate([loud, noise])), spans) == [0, 0]
    # Speech without any pause has quieter moments.
    syllables = np.concatenate([np.concatenate([tone(0.3, 45), tone(0.1, 20)]) for _ in range(100)])
    spans = [(0, len(loud)), (len(loud), len(loud) + len(syllables))]
    raised = span_gains(frame_energies(np.concatenate([loud, syllables])), spans)
    assert raised == pytest.approx([0, 210], abs=6)


def test_only_speech_within_half_a_minute_is_a_measure() -> None:
    near, spans = talk(70, 50)
    far = np.concatenate([near[: 2 * SECOND], np.zeros(31 * SECOND, np.int16), near[5 * SECOND // 2 :]])
    shift = 31 * SECOND - SECOND // 2
    apart = [spans[0], (spans[1][0] + shift, spans[1][1] + shift)]
    assert span_gains(frame_energies(far), apart) == [0, 0]
    assert span_gains(frame_energies(near), spans)[1] == pytest.approx(160, abs=4)


def test_a_click_is_no_measure() -> None:
    pcm, spans = talk(50, 50)
    pcm[spans[0][1] + 2000 : spans[0][1] + 3000] = 30_000
    assert span_gains(frame_energies(pcm), [spans[0], (spans[0][1] + 2000, spans[0][1] + 3000), spans[1]]) == [0, 0, 0]


def test_one_level_leaves_the_very_same_samples() -> None:
    pcm, spans = talk(60, 58, 62)
    assert level_speech(pcm, frame_energies(pcm), spans) is pcm
    assert level_speech(pcm, frame_energies(pcm), spans[:1]) is pcm


def test_loud_spans_keep_their_samples_and_the_quiet_one_gets_its_gain() -> None:
    pcm, spans = talk(70, 50, 70)
    levelled = level_speech(pcm, frame_energies(pcm), spans)
    assert levelled.dtype == np.float32
    assert (levelled[: spans[0][1]] == pcm[: spans[0][1]]).all()
    assert (levelled[spans[2][0] :] == pcm[spans[2][0] :]).all()
    middle = slice(spans[1][0] + SECOND // 2, spans[1][1] - SECOND // 2)
    assert 20 * np.log10(levelled[middle].std() / pcm[middle].std()) == pytest.approx(16, abs=0.5)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 400), st.integers(1, 40), st.integers(6, 40)), min_size=1, max_size=8))
def test_a_curve_never_exceeds_its_gains_nor_reaches_over_a_pause(spans: list[tuple[int, int, int]]) -> None:
    speech, found, at = [], [], 0
    for gain, length, pause in spans:
        at += pause * FRAME
        speech.append((at, at + length * FRAME))
        found.append(gain)
        at += length * FRAME
    frames = at // FRAME + 20
    curve = gain_curve(found, speech, frames)
    assert len(curve) == frames and curve.min() >= 0 and curve.max() <= max(found)
    for index, (start, end) in enumerate(speech):
        middle = (start + end) // 2 // FRAME
        near = [found[other] for other in (index - 1, index, index + 1) if 0 <= other < len(found)]
        assert curve[middle] <= max(near)


def test_a_last_incomplete_frame_is_kept() -> None:
    pcm = np.full(FRAME + 100, 100, np.int16)
    assert apply_gains(pcm, np.array([0, 200])).shape == pcm.shape
