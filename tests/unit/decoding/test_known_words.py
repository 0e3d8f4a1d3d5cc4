"""Given words on audio, with real weights: when they are spoken, and which of two readings is said."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from audiogrid.decoding.known_words import KnownText, KnownWindow, Question, align_chunk, at_onsets, word_tokens
from audiogrid.decoding.options import DecodeOptions
from audiogrid.decoding.whisper.model import Model
from speech import RATE, TimedVoice, silence


@pytest.fixture(scope="module")
def model(base_model: Path) -> Model:
    return Model(base_model, "cpu", "auto", 1, 1)


TEXTS = [
    "The young doctor sold twelve baskets of apples at the market after a quiet lunch.",
    "Captain Morris repaired the old clock above the station, because the road was closed.",
    "Our teacher wrote a long letter to the city council before the rain began.",
]


@pytest.fixture(scope="module")
def spoken() -> tuple[np.ndarray, list[float], list[tuple[int, int]]]:
    """Samples, starts of all words in seconds, and where speech is."""
    voice = TimedVoice()
    parts, starts, speech, at = [silence(0.3)], [], [], round(0.3 * RATE)
    for text in TEXTS:
        pcm, own = voice.say(text)
        starts += [at / RATE + start for start in own]
        speech.append((at + round(own[0] * RATE), at + len(pcm) - RATE // 5))
        parts += [pcm, silence(0.5)]
        at += len(pcm) + RATE // 2
    return np.concatenate(parts), starts, speech


def ask(words: list[str], pcm: np.ndarray, speech: list[tuple[int, int]]) -> KnownText:
    return KnownText(speech, [KnownWindow([(0, len(pcm))], words, "en")], [])


def test_words_are_timed_where_they_are_spoken(model: Model, spoken) -> None:
    pcm, starts, speech = spoken
    words = [f" {word}" for text in TEXTS for word in text.split()]
    assert len(words) == len(starts)
    found = align_chunk(model, pcm, ask(words, pcm, speech), DecodeOptions(language="en"))
    late = np.array([word.start / RATE - start for word, start in zip(found.windows[0], starts, strict=True)])
    assert np.mean(abs(late) <= 0.1) >= 0.8, late
    assert np.mean(abs(late) <= 0.3) >= 0.97, late
    assert all(a.start <= a.end <= b.start for a, b in zip(found.windows[0], found.windows[0][1:], strict=False))


def test_words_as_decoded_are_moved_to_where_they_sound_and_nothing_is_encoded(
    model: Model, spoken, monkeypatch
) -> None:
    pcm, starts, speech = spoken
    monkeypatch.setattr(model, "encode", None)
    begins = [round(RATE * (start - 0.15)) for start in starts]
    heard = list(zip(begins, [*begins[1:], begins[-1] + RATE // 5], strict=True))
    # The last word of each text ends with its speech.
    lasts = np.cumsum([len(text.split()) for text in TEXTS]) - 1
    for last, (_, end) in zip(lasts, speech, strict=True):
        heard[last] = (heard[last][0], end)
    window = KnownWindow([(0, len(pcm))], [" x"] * len(heard), "en", heard)
    (found,) = align_chunk(model, pcm, KnownText(speech, [window], []), DecodeOptions(language="en")).windows
    late = np.array([word.start / RATE - start for word, start in zip(found, starts, strict=True)])
    assert np.mean(abs(late) <= 0.1) >= 0.95, late
    assert all(a.start <= a.end <= b.start for a, b in pairwise(found))
    assert [found[last].end for last in lasts] == [end for _, end in speech]


def test_words_that_are_quiet_or_at_the_edges_keep_a_duration_inside_of_the_audio() -> None:
    pcm = np.tile(np.array([9000, -9000], np.int16), RATE)
    pcm[8000:12000] = 40
    heard = [(0, 6000), (6000, 8000), (8000, 12000), (12000, 12400), (12400, 31900), (31900, len(pcm))]
    for early in (0, 1120, 2080):
        found = at_onsets(heard, pcm, early)
        assert all(
            end - start >= min(RATE // 50, before[1] - before[0])
            for (start, end), before in zip(found, heard, strict=True)
        )
        assert all(one[1] <= following[0] for one, following in pairwise(found)) and found[-1][1] <= len(pcm)
    window = KnownWindow([(0, len(pcm))], [" x"] * len(heard), "en", heard)
    (moved,) = align_chunk(
        None, pcm, KnownText([], [window], []), DecodeOptions(language="en", levelling="none")
    ).windows  # type: ignore[arg-type]
    assert all(word.start < word.end for word in moved)
    assert all(one.end <= following.start for one, following in pairwise(moved))


def test_looking_for_onsets_takes_little_memory() -> None:
    pcm = np.random.default_rng(1).integers(-9000, 9000, 60 * RATE).astype(np.int16)
    tracemalloc.start()
    try:
        at_onsets([(at, at + RATE) for at in range(0, len(pcm), RATE)], pcm)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # Bytes per sample; an array of whole numbers has 8.
    assert peak < 24 * len(pcm)


def test_what_is_said_is_more_probable_than_what_is_not(model: Model, spoken) -> None:
    pcm, _, speech = spoken
    end = speech[0][1] + RATE // 4
    readings = [TEXTS[0], TEXTS[0].replace("apples", "maples"), TEXTS[1]]
    asked = KnownText(speech, [], [Question([(0, end)], [f" {text}" for text in readings], "en")])
    ((said, near, other),) = align_chunk(model, pcm, asked, DecodeOptions(language="en")).scores
    assert said > near > other


def test_texts_that_spell_special_tokens_are_only_text(model: Model, spoken) -> None:
    pcm, _, speech = spoken
    tokenizer = model.tokenizer("en", "transcribe")
    words = [" <|endoftext|>", " <|0.00|>", " The", " <script>", " —", *(f" x{number}" for number in range(400))]
    for word in words:
        for part in word_tokens(tokenizer, word, by_characters=False):
            assert all(token < tokenizer.eot for token in part)
    found = align_chunk(model, pcm, ask(words, pcm, speech), DecodeOptions(language="en"))
    assert len(found.windows[0]) == len(words)
    assert all(0 <= word.start <= word.end <= len(pcm) for word in found.windows[0])
