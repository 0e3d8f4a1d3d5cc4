"""The alternatives that the careful pass tries, with a model whose answers are given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from audiogrid.decoding.judging.hypotheses import (
    DecodedSpan,
    DecodingWindow,
    Hypothesis,
    align,
    best,
    build_hypothesis,
    judge,
)
from audiogrid.decoding.judging.scoring import Evidence
from audiogrid.decoding.options import DecodeOptions
from audiogrid.decoding.passes.careful_pass import (
    cut_at_timestamp,
    decode_sequentially,
    is_confirmed,
    is_loop,
    may_sample,
    restore_silence,
    run_careful_pass,
    split_at_longest_pause,
)
from audiogrid.decoding.whisper.model import AlignedWord, ModelOutput
from audiogrid.decoding.windows import Layout, Piece

SECOND = 16_000
BEGIN = 50_000


class Tokenizer:
    timestamp_begin = BEGIN


@dataclass
class FakeModel:
    """Answers from a list, one per window asked for; tokens are code points, timestamps from ``BEGIN``."""

    answers: list[ModelOutput]
    calls: list[dict[str, Any]] = field(default_factory=list)

    def encode(self, audios: Sequence[np.ndarray], encoder: str = "auto") -> list[np.ndarray]:
        return [np.full((1, 1), len(audio)) for audio in audios]

    def generate(
        self, encoded: Sequence[np.ndarray], languages: Sequence[str], options: Any, **search: Any
    ) -> list[ModelOutput]:
        self.calls += [
            {"length": int(one[0, 0]), "language": said, **search} for one, said in zip(encoded, languages, strict=True)
        ]
        return [self.answers.pop(0) for _ in encoded]

    def align(
        self, encoded: np.ndarray, tokens: Sequence[int], language: str, task: str, samples: int
    ) -> list[AlignedWord]:
        words = self.text(tokens).split()
        step = samples // max(1, len(words))
        return [AlignedWord(i * step, (i + 1) * step, f" {word}", 0.9) for i, word in enumerate(words)]

    def text(self, tokens: Sequence[int]) -> str:
        return "".join(chr(token) for token in tokens if token < BEGIN)

    def tokenizer(self, language: str, task: str) -> Tokenizer:
        return Tokenizer()


def said(*parts: str | float, logprob: float = -0.2, no_speech: float = 0.0) -> ModelOutput:
    """What the model wrote: strings, and timestamps in seconds."""
    tokens: list[int] = []
    for part in parts:
        tokens += [ord(letter) for letter in part] if isinstance(part, str) else [BEGIN + round(part * 50)]
    return ModelOutput(tuple(tokens), logprob, no_speech, 0.0, False)


def window(seconds: int = 24, other: tuple[str, float] = ("", 0.0)) -> DecodingWindow:
    layout = Layout((Piece(0, seconds * SECOND),))
    middle = seconds * SECOND // 2
    speech = [(1000, middle - 3000), (middle + 3000, seconds * SECOND - 1000)]
    return DecodingWindow(0, layout, np.full((1, 1), layout.samples), speech, 0.95, "en", other)


PCM = np.zeros(60 * SECOND, np.int16)
FULL = (
    "The committee described the winter garden before the storm arrived. My sister borrowed two heavy boxes "
    "without saying a word. Every student measured the broken clock because nobody else would. A young engineer "
    "followed the northern road on a cold morning in March. Our neighbour painted seven letters."
)


@pytest.mark.parametrize(
    ("tokens", "kept", "seconds", "finished"),
    [
        (said(0.0, "ab", 4.0, 4.0, "cd", 9.0), 8, 9.0, True),
        (said(0.0, "ab", 4.0, 4.0, "cd"), 4, 4.0, False),
        (said(0.0, "ab", 4.0, 4.0), 4, 4.0, False),
        (said("abcd"), 4, 20.0, True),
        (said(0.0, "ab"), 3, 20.0, True),
        (said(), 0, 20.0, True),
        (said(0.0, "ab", 25.0), 4, 20.0, True),
    ],
)
def test_cut_at_timestamp(tokens: ModelOutput, kept: int, seconds: float, finished: bool) -> None:
    left, length, done = cut_at_timestamp(tokens.tokens, BEGIN, 20 * SECOND)
    assert (len(left), length, done) == (kept, seconds * SECOND, finished)


def test_sequential_does_not_lose_the_last_word_of_an_unfinished_reading() -> None:
    model = FakeModel([said(0.0, "the wind was ", 23.4, 23.4), said(0.0, "cold.", 0.5)])
    decoded = decode_sequentially(model, PCM, window(), window().layout, DecodeOptions())  # type: ignore[arg-type]
    assert [model.text(span.output.tokens) for span in decoded] == ["the wind was ", "cold."]


def test_a_silent_part_without_text_does_not_drop_the_words_of_the_others() -> None:
    audio = window()
    parts = split_at_longest_pause(audio)
    spoken, silent = said("the wind was cold", logprob=-1.1), said(logprob=-1.4, no_speech=0.9)

    def no_speech(*outputs: ModelOutput) -> float:
        spans = [DecodedSpan(part, audio.encoded, one) for part, one in zip(parts, outputs, strict=True)]
        return build_hypothesis(FakeModel([]), "halves", "en", audio, spans).evidence.no_speech_prob  # type: ignore[arg-type]

    assert no_speech(spoken, silent) == 0.0
    assert no_speech(spoken, said("you", no_speech=0.9)) == 0.9
    assert no_speech(silent, silent) == 0.9


def test_sequential_goes_on_where_an_unfinished_sentence_began() -> None:
    model = FakeModel([said(0.0, "one ", 10.0, 10.0, "tw"), said(0.0, "two", 14.0)])
    decoded = decode_sequentially(model, PCM, window(), window().layout, DecodeOptions())  # type: ignore[arg-type]
    assert [model.text(span.output.tokens) for span in decoded] == ["one ", "two"]
    assert decoded[1].layout.pieces[0] == Piece(10 * SECOND, 24 * SECOND)


def test_sequential_goes_on_when_the_last_timestamp_leaves_speech_behind() -> None:
    model = FakeModel([said(0.0, "one ", 5.0), said(0.0, "two", 19.0)])
    decoded = decode_sequentially(model, PCM, window(), window().layout, DecodeOptions())  # type: ignore[arg-type]
    assert [model.text(span.output.tokens) for span in decoded] == ["one ", "two"]


def test_sequential_writes_nothing_where_the_model_hears_nobody() -> None:
    model = FakeModel([said(0.0, "you", 24.0, logprob=-1.4, no_speech=0.9)])
    decoded = decode_sequentially(model, PCM, window(), window().layout, DecodeOptions())  # type: ignore[arg-type]
    assert [model.text(span.output.tokens) for span in decoded] == [""]


def test_sequential_ends_whatever_the_model_does() -> None:
    model = FakeModel([said(0.0, "a ", 1.0)] * 50)
    assert len(decode_sequentially(model, PCM, window(), window().layout, DecodeOptions())) <= 8  # type: ignore[arg-type]


def first(model: FakeModel, heard: ModelOutput, one: DecodingWindow) -> list[Any]:
    made = build_hypothesis(model, "fast", "en", one, [DecodedSpan(one.layout, one.encoded, heard)])  # type: ignore[arg-type]
    return [judge(align(model, made, one, DecodeOptions()), 13.0, DecodeOptions())]  # type: ignore[arg-type]


def read(model: FakeModel, heard: ModelOutput, one: DecodingWindow, options: DecodeOptions) -> list[Any]:
    return run_careful_pass(model, PCM, one, first(model, heard, one), 13.0, options)  # type: ignore[arg-type]


def test_the_careful_pass_stops_at_the_first_hypothesis_without_flags() -> None:
    model = FakeModel([said(0.0, FULL, 24.0)])
    hypotheses = read(model, said("The committee"), window(), DecodeOptions())
    assert [one.path for one in hypotheses] == ["fast", "sequential"]
    assert "too_few_letters" in hypotheses[0].flags
    assert hypotheses[1].flags == ()
    assert hypotheses[1].score > hypotheses[0].score
    assert model.calls[0]["prompted"] is False


def test_the_careful_pass_tries_all_and_samples_only_repetition() -> None:
    short = said(0.0, "The committee", 24.0)
    # Two words in 24 s leave a hole before and one behind them, so the window is decoded in three parts, too.
    parts = [said("no"), said("The"), said("end")]
    model = FakeModel([short, *parts, said("The"), said("end"), short])
    hypotheses = read(model, said("The"), window(), DecodeOptions())
    assert [one.path for one in hypotheses] == ["fast", "sequential", "parts", "halves", "continuous"]
    assert len(hypotheses[2].decoded) == 3 and not model.answers
    bad = said(0.0, "no " * 60, 24.0, logprob=-1.5)
    model = FakeModel([bad, said("no " * 30), said("no " * 30), bad, bad, said(0.0, FULL, 24.0)])
    hypotheses = read(model, bad, window(), DecodeOptions(temperatures=[0.2, 0.4, 0.6]))
    assert [one.path for one in hypotheses][-2:] == ["temperature:0.2", "temperature:0.4"]
    assert [call["temperature"] for call in model.calls[-2:]] == [0.2, 0.4]


def test_another_language_is_tried_first() -> None:
    model = FakeModel([said(0.0, FULL, 24.0)])
    hypotheses = read(model, said("The committee"), window(other=("fr", 0.95)), DecodeOptions())
    assert (hypotheses[1].path, hypotheses[1].language, model.calls[0]["language"]) == ("language:fr", "fr", "fr")


def test_halves_part_in_the_longest_pause() -> None:
    left, right = split_at_longest_pause(window())
    assert left.samples == right.samples == 12 * SECOND
    whole = DecodingWindow(0, Layout((Piece(0, SECOND),)), np.zeros(1), [(0, SECOND)], 0.9, "en")
    assert split_at_longest_pause(whole) == [whole.layout]


def test_halves_part_between_pieces_where_silence_was_left_out() -> None:
    layout = Layout((Piece(0, 10 * SECOND), Piece(30 * SECOND, 42 * SECOND)))
    speech = [(SECOND, 9 * SECOND), (31 * SECOND, 41 * SECOND)]
    left, right = split_at_longest_pause(DecodingWindow(0, layout, np.zeros(1), speech, 0.9, "en"))
    assert (left.pieces, right.pieces) == ((layout.pieces[0],), (layout.pieces[1],))


def test_continuous_has_the_silence_and_a_margin() -> None:
    layout = Layout((Piece(0, 2 * SECOND), Piece(5 * SECOND, 6 * SECOND)))
    one = DecodingWindow(0, layout, np.zeros(1), [(0, SECOND)], 0.9, "en")
    assert restore_silence(one, 60 * SECOND).pieces == (Piece(0, 6 * SECOND + SECOND // 2),)
    assert restore_silence(one, 6 * SECOND).pieces == (Piece(0, 6 * SECOND),)


def test_only_repetition_and_great_doubt_are_worth_sampling() -> None:
    model = FakeModel([])
    assert not may_sample(first(model, said(FULL), window())[0], DecodeOptions())
    assert may_sample(first(model, said("no " * 60), window())[0], DecodeOptions())
    assert may_sample(first(model, said(FULL, logprob=-1.1), window())[0], DecodeOptions())
    assert not may_sample(first(model, said(FULL, logprob=-1.1, no_speech=0.9), window())[0], DecodeOptions())


def reading(text: str, *flags: str, parts: int = 1) -> Hypothesis:
    whole = DecodedSpan(Layout((Piece(0, SECOND),)), np.zeros(1), said(text))
    return Hypothesis("fast", "en", [whole] * parts, text, Evidence(text, 10.0, -0.2, 2.6, 0.0), flags=flags)


def test_repetition_that_two_readings_agree_on_is_believed() -> None:
    form = "name and number please thank you " * 6
    one = reading(form, "compressible")
    assert is_confirmed(
        one, [reading(form.replace("please", "please,", 1), "compressible", "maybe_invented")], DecodeOptions()
    )
    assert not is_confirmed(one, [reading("name and number please thank you " * 3, "compressible")], DecodeOptions())
    assert not is_confirmed(one, [], DecodeOptions())


def test_a_loop_is_believed_when_three_readings_have_it() -> None:
    verse = "we shall go home again to the sea " * 4
    one = reading(verse, "compressible", "loop")
    again = reading(verse.replace("again", "once again", 1), "compressible", "loop")
    longer = reading("we shall go home again to the sea " * 9, "compressible", "loop")
    in_parts = reading(verse, "compressible", "loop", parts=2)
    assert is_confirmed(one, [again, in_parts], DecodeOptions())
    # Three readings of the same audio agree in their loops, too.
    assert not is_confirmed(one, [again, one], DecodeOptions())
    assert not is_confirmed(one, [in_parts], DecodeOptions())
    assert not is_confirmed(one, [in_parts, longer], DecodeOptions())


@pytest.mark.parametrize("flags", [("compressible", "loop"), ("compressible", "runaway"), ("too_few_letters",), ()])
def test_any_other_doubt_is_not_dispelled_by_agreement(flags: tuple[str, ...]) -> None:
    form = "name and number please thank you " * 6
    assert not is_confirmed(reading(form, *flags), [reading(form, "compressible")], DecodeOptions())
    assert not is_confirmed(reading(form, "compressible"), [reading(form, *flags)], DecodeOptions())


def test_a_loop_is_cut_off_where_every_hypothesis_is_one() -> None:
    loop = said(0.0, "We saw " + "mice " * 60, 24.0, logprob=-0.05)
    part = said("We saw " + "mice " * 12, logprob=-0.05)
    model = FakeModel([loop, part, part, loop])
    hypotheses = read(model, loop, window(), DecodeOptions())
    kept = max((one for one in hypotheses if not is_loop(one, DecodeOptions())), key=lambda one: one.score)
    assert kept.path.endswith(" without loop")
    assert kept.text in ("We saw mice", "We saw mice We saw mice")
    assert {"speech_without_words", "too_few_letters"} <= set(kept.flags)
    assert kept.evidence.unspoken_seconds > 15
    assert kept.score > max(one.score for one in hypotheses if is_loop(one, DecodeOptions()))


def test_what_is_said_in_a_row_and_sounds_so_stays() -> None:
    verse = "the committee described it " * 11
    halves = "the committee described it " * 5 + "the committee", "described it " + "the committee described it " * 5
    model = FakeModel([said(0.0, verse, 24.0), said(halves[0]), said(halves[1]), said(0.0, verse, 24.0)])
    hypotheses = read(model, said(verse), window(), DecodeOptions())
    assert hypotheses[-1].evidence.confirmed
    assert not is_loop(hypotheses[-1], DecodeOptions())
    assert best(hypotheses) is hypotheses[-1]
