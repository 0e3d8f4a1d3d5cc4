"""Speech is found beside a far louder voice and in recordings of very low level; noise at any level is not speech."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from audiogrid.decoding.options import DecodeOptions
from audiogrid.decoding.passes.levelling import frame_energies
from audiogrid.decoding.passes.quiet_speech import add_quiet_speech, block_gains, quiet_stretches, split_at
from audiogrid.decoding.windows import overlap
from audiogrid.media.vad import FRAME, speech_probabilities, speech_spans
from speech import hiss, say, silence

VOICE = replace(DecodeOptions().voice(), pad_ms=0)
NEAR, FAR = "The engineers say it must be closed before winter.", "My neighbours have paid much more than last year."


def voiced(pcm: np.ndarray) -> tuple[list[tuple[int, int]], list[tuple[int, int]], list[tuple[int, int]]]:
    """Speech as detection has it, speech after another look, and what that found."""
    probabilities = speech_probabilities(pcm)
    more, quiet = add_quiet_speech(pcm, frame_energies(pcm), probabilities, VOICE)
    return speech_spans(probabilities, len(pcm), VOICE), speech_spans(more, len(pcm), VOICE), quiet


def trimmed(pcm: np.ndarray) -> np.ndarray:
    loud = np.flatnonzero(np.abs(pcm) > 0.03 * np.abs(pcm).max())
    return pcm[loud[0] : loud[-1]]


def near_far_near(decibels: float) -> tuple[np.ndarray, tuple[int, int]]:
    near, far = trimmed(say(NEAR)), trimmed(say(FAR, seed=2, pitch=0.8))
    parts = [near, silence(0.3), np.rint(far / 10 ** (decibels / 20)).astype(np.int16), silence(0.3), near]
    start = len(near) + len(parts[1])
    pcm = np.concatenate(parts)
    return (pcm + hiss(len(pcm) / 16_000, 2.0)[: len(pcm)]).astype(np.int16), (start, start + len(far))


@pytest.mark.parametrize("decibels", [20, 30, 42])
def test_a_far_voice_between_near_ones_is_found_and_cut_out(decibels: int) -> None:
    pcm, far = near_far_near(decibels)
    before, after, quiet = voiced(pcm)
    assert overlap(far, after) > 0.75 * (far[1] - far[0])
    assert overlap(far, after) >= overlap(far, before)
    # Cut out of its neighbours, so that its level is its own.
    assert sum(overlap(far, [part]) for part in quiet) > 0.75 * (far[1] - far[0])
    for start, end in quiet:
        assert end - start - overlap((start, end), [far]) < 0.35 * 16_000


def test_detection_alone_loses_the_far_voice() -> None:
    # The reason why there is another look. If a new detector does not need it, it can go.
    pcm, far = near_far_near(42)
    assert overlap(far, voiced(pcm)[0]) < 0.25 * (far[1] - far[0])


@pytest.mark.parametrize("peak", [33, 16])
def test_a_whole_recording_of_very_low_level_has_its_speech(peak: int) -> None:
    spoken = say(NEAR)
    pcm = (np.rint(spoken * (peak / np.abs(spoken).max())) + hiss(len(spoken) / 16_000, 0.5)[: len(spoken)]).astype(
        np.int16
    )
    _, after, _ = voiced(pcm)
    assert sum(end - start for start, end in after) > 0.7 * len(pcm)


@pytest.mark.parametrize("deviation", [0.5, 3.0, 30.0, 300.0])
def test_noise_is_no_speech_at_any_level(deviation: float) -> None:
    pcm = hiss(12, deviation)
    assert voiced(pcm)[1:] == ([], [])


def test_hum_and_digital_silence_are_no_speech() -> None:
    at = np.arange(10 * 16_000) / 16_000
    hum = 20 * np.sin(2 * np.pi * 50 * at) + 10 * np.sin(2 * np.pi * 150 * at)
    assert voiced(np.rint(hum).astype(np.int16))[1] == []
    assert voiced(silence(5))[1] == []


def test_pauses_and_ends_of_words_of_one_speaker_stay_as_they_are() -> None:
    pcm = np.concatenate([say(NEAR), silence(0.8), say(FAR), silence(0.8), say(NEAR)])
    pcm = (pcm + hiss(len(pcm) / 16_000, 5.0)[: len(pcm)]).astype(np.int16)
    before, after, quiet = voiced(pcm)
    assert (after, quiet) == (before, [])


def test_stretches_are_half_a_second_and_without_loud_frames() -> None:
    energies = np.full(200, FRAME * 10_000)
    energies[50:60] = FRAME
    energies[100:140] = FRAME
    energies[[112, 125]] = FRAME * 10_000
    energies[150:180] = FRAME
    assert quiet_stretches(energies, [(0, 200 * FRAME)]) == [(150, 180)]
    assert quiet_stretches(energies, []) == [(0, 200)]


@pytest.mark.parametrize("samples", [0, 1, 100, 511, 513, 20_000])
def test_chunks_of_any_length_are_examined(samples: int) -> None:
    pcm = np.zeros(samples, np.int16)
    pcm[samples // 2 : samples // 2 + 1] = 7
    assert voiced(pcm)[1:] == ([], []) if samples else quiet_stretches(frame_energies(pcm), []) == []


def test_blocks_have_their_own_gains_within_bounds() -> None:
    energies = np.concatenate([np.full(63, FRAME * 200**2), np.full(63, FRAME * 20**2), np.zeros(40, np.int64)])
    gains = block_gains(energies)
    assert gains[0] == pytest.approx(10) and gains[94] == pytest.approx(100, rel=0.05) and gains[-1] == 1
    assert block_gains(np.full(5, FRAME)).max() == 1000
    assert block_gains(np.full(5, FRAME * 5000**2)).tolist() == [1] * 5


def test_spans_are_split_at_the_edges_inside_of_them() -> None:
    assert split_at([(0, 10), (20, 30)], [(5, 20), (25, 40)]) == [(0, 5), (5, 10), (20, 25), (25, 30)]
    assert split_at([(0, 10)], []) == [(0, 10)]


@pytest.mark.parametrize("frames", range(1, 17))
def test_the_end_of_a_word_and_a_little_silence_are_examined(frames: int) -> None:
    energies = np.where(np.arange(frames) < frames // 2, 10**9, 0)
    assert quiet_stretches(energies, [(0, max(1, frames // 2) * FRAME)]) == []
