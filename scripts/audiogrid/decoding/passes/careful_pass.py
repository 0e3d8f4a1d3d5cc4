"""The careful pass: other ways to decode a window that breaks a quality rule, the most promising first.

1. ``sequential``: the same audio with timestamps and a wide beam; where the model stops early, decoding goes
   on from its last timestamp, as in Whisper's reference decoder. Unlike there, it also goes on when the last timestamp
   says that nothing follows but voice activity says otherwise.
2. ``parts``: the window cut where speech without words begins and ends; each part without timestamps.
3. ``halves``: the window split at its longest inner pause; both parts without timestamps.
4. ``continuous``: the audio as it was recorded, with the silence that had been left out and half a second on both
   sides, so that nothing depends on voice activity.
5. ``temperature``: sampling, only where everything before is repetitive or very improbable. Not reproducible.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from itertools import pairwise

import numpy as np

from audiogrid.core.timebase import to_samples
from audiogrid.decoding.judging.holes import layouts_around_holes
from audiogrid.decoding.judging.hypotheses import (
    DecodedSpan,
    DecodingWindow,
    Hypothesis,
    align,
    best,
    build_hypothesis,
    confirm,
    has_sound_to_match,
    judge,
    without_repetitions,
)
from audiogrid.decoding.judging.loops import has_loop, is_short, plain_words
from audiogrid.decoding.options import DecodeOptions
from audiogrid.decoding.whisper.frame_merging import FRAMES
from audiogrid.decoding.whisper.model import TIMESTAMP_SAMPLES, Model
from audiogrid.decoding.windows import Layout, Piece, seconds, speech_inside

# Flags that alone do not call for another hypothesis.
HARMLESS_FLAGS = frozenset({"maybe_invented"})
_MAX_CALLS = 8
_MARGIN = to_samples(0.5)
# Share of words that two hypotheses of the same speech have in common.
_SAME_WORDS = 0.9
# Flags that other hypotheses can refute, and how many of them have to agree.
_AGREEMENT_NEEDED = {frozenset({"compressible"}): 1, frozenset({"compressible", "loop"}): 2, frozenset({"loop"}): 2}


def run_careful_pass(
    model: Model,
    pcm: np.ndarray,
    window: DecodingWindow,
    first: Sequence[Hypothesis],
    median_rate: float,
    options: DecodeOptions,
) -> list[Hypothesis]:
    """Returns all hypotheses of a window: the ``first`` ones, then others up to the first one without flags.

    If all have flags, each with a loop follows once more, without what the loop repeats.
    """
    hypotheses = list(first)
    if window.encoded.shape[1] < FRAMES:
        # Nothing here shall suffer from an encoder that was given less than 30 s.
        window = replace(window, encoded=model.encode([window.layout.audio(pcm)], options.encoder)[0])
    for one in _alternatives(model, pcm, window, hypotheses, options):
        hypotheses.append(judge(align(model, one, window, options), median_rate, options))
        if not set(hypotheses[-1].flags) - HARMLESS_FLAGS:
            return hypotheses
        if is_confirmed(hypotheses[-1], hypotheses[:-1], options) and has_sound_to_match(hypotheses[-1], options):
            return [*hypotheses[:-1], judge(confirm(hypotheses[-1]), median_rate, options)]
    looping = [one for one in hypotheses if one.words and is_loop(one, options)]
    cut = [without_repetitions(one, window, options) for one in looping]
    return [*hypotheses, *(judge(one, median_rate, options) for one in cut)]


def is_loop(one: Hypothesis, options: DecodeOptions) -> bool:
    """Returns whether a hypothesis repeats something again and again that nothing confirms."""
    return has_loop(one.text, options.min_repeats) and not one.evidence.confirmed


def is_confirmed(one: Hypothesis, others: Sequence[Hypothesis], options: DecodeOptions) -> bool:
    """Returns whether a hypothesis is flagged for repetition only, and others have the same words.

    People do repeat themselves (lists, forms, responses): what several ways of decoding agree on was said. Text that
    compresses too well needs one other hypothesis that agrees, a loop two, and one of the three must have decoded the
    window in parts: a model in a loop does not repeat a phrase equally often on other audio, but it does on the same.
    A loop of the fewest repetitions that lasts a few seconds is no such loop, and needs no parts.
    """
    doubts = frozenset(one.flags) - HARMLESS_FLAGS
    if doubts not in _AGREEMENT_NEEDED:
        return False
    words = plain_words(one.text)
    agreeing = [
        other
        for other in others
        if frozenset(other.flags) - HARMLESS_FLAGS == doubts
        and SequenceMatcher(None, words, plain_words(other.text), autojunk=False).ratio() >= _SAME_WORDS
    ]
    in_parts = any(len(each.decoded) > 1 for each in [one, *agreeing])
    plausible = in_parts or "loop" not in doubts or is_short(one.words or [], options.min_repeats)
    return len(agreeing) >= _AGREEMENT_NEEDED[doubts] and plausible


def _alternatives(
    model: Model, pcm: np.ndarray, window: DecodingWindow, hypotheses: Sequence[Hypothesis], options: DecodeOptions
) -> Iterator[Hypothesis]:
    other, probability = window.other_language
    if probability >= options.flip_probability:
        turned = replace(window, language=other)
        yield build_hypothesis(
            model, f"language:{other}", other, window, decode_sequentially(model, pcm, turned, window.layout, options)
        )
    yield build_hypothesis(
        model, "sequential", window.language, window, decode_sequentially(model, pcm, window, window.layout, options)
    )
    aligned = [one for one in hypotheses if one.words and one.evidence.unspoken_seconds > 0]
    if aligned:
        least = to_samples(options.max_unspoken_seconds)
        parts = layouts_around_holes(window.layout, aligned[-1].words or [], window.speech, least)
        if len(parts) > 1:
            yield build_hypothesis(
                model, "parts", window.language, window, _decode_parts(model, pcm, window, parts, options)
            )
    parts = split_at_longest_pause(window)
    if len(parts) > 1:
        yield build_hypothesis(
            model, "halves", window.language, window, _decode_parts(model, pcm, window, parts, options)
        )
    whole = restore_silence(window, len(pcm))
    if whole.samples <= 1.5 * to_samples(options.max_window_seconds) and whole != window.layout:
        yield build_hypothesis(
            model, "continuous", window.language, window, decode_sequentially(model, pcm, window, whole, options)
        )
    for temperature in options.temperatures:
        if not may_sample(best(hypotheses), options):
            return
        decoded = decode_sequentially(model, pcm, window, window.layout, options, temperature)
        yield build_hypothesis(model, f"temperature:{temperature:g}", window.language, window, decoded)


def may_sample(one: Hypothesis, options: DecodeOptions) -> bool:
    """Returns whether a hypothesis is bad enough for sampling, by Whisper's own conditions."""
    evidence = one.evidence
    if evidence.no_speech_prob > options.no_speech_probability and evidence.avg_logprob < options.no_speech_logprob:
        return False
    return bool({"compressible", "loop", "runaway"} & set(one.flags)) or (
        evidence.avg_logprob < options.no_speech_logprob
    )


def decode_sequentially(
    model: Model,
    pcm: np.ndarray,
    window: DecodingWindow,
    layout: Layout,
    options: DecodeOptions,
    temperature: float = 0.0,
) -> list[DecodedSpan]:
    """Decodes ``layout`` with timestamps; each call starts where the one before ended.

    Returns one ``DecodedSpan`` per call.
    """
    limit = to_samples(options.max_window_seconds)
    decoded: list[DecodedSpan] = []
    at = 0
    for _ in range(_MAX_CALLS):
        part = layout.part(at, min(at + limit, layout.samples))
        if part.samples < to_samples(0.1) or (at and seconds(speech_inside(part, window.speech)) < 0.1):
            break
        encoded = window.encoded if part == window.layout else model.encode([part.audio(pcm)], options.encoder)[0]
        # The prompt is left out: it may be the cause of the fault.
        found = model.generate(
            [encoded],
            [window.language],
            options,
            beam_size=options.careful_beam_size,
            temperature=temperature,
            timestamps=True,
            prompted=False,
        )[0]
        begin = model.tokenizer(window.language, options.task).timestamp_begin
        tokens, length, finished = cut_at_timestamp(found.tokens, begin, part.samples)
        rest = speech_inside(part.part(length, part.samples), window.speech)
        silent = found.no_speech_prob > options.no_speech_probability and found.avg_logprob < options.no_speech_logprob
        if silent:
            tokens, length, finished = (), part.samples, True
        decoded.append(DecodedSpan(part, encoded, replace(found, tokens=tokens)))
        if length < to_samples(0.5):
            break
        # Less than a second of speech after a finished text is ignored; an unfinished text is always continued.
        if finished and seconds(rest) < 1.0 and at + part.samples >= layout.samples:
            break
        at += length
    return decoded


def cut_at_timestamp(tokens: Sequence[int], begin: int, samples: int) -> tuple[tuple[int, ...], int, bool]:
    """Returns the tokens up to the last finished sentence, the sample where it ends, and whether the model was done.

    ``begin``: the token of timestamp zero. Sentences lie between timestamps; a sentence without an end is decoded again
    in the next call. Without any inner timestamp all tokens are kept and all ``samples`` are used up.
    """
    marks = [index for index, token in enumerate(tokens) if token >= begin]
    pairs = [index for before, index in pairwise(marks) if index == before + 1]
    last_is_mark = bool(marks) and marks[-1] == len(tokens) - 1
    if len(marks) >= 2 and last_is_mark and marks[-1] not in pairs:
        return tuple(tokens), min(samples, (tokens[marks[-1]] - begin) * TIMESTAMP_SAMPLES), True
    if pairs:
        last = pairs[-1]
        return tuple(tokens[:last]), min(samples, (tokens[last - 1] - begin) * TIMESTAMP_SAMPLES), False
    return tuple(tokens), samples, True


def split_at_longest_pause(window: DecodingWindow) -> list[Layout]:
    """Returns the window in two parts, split in the longest pause of its middle three fifths.

    Returns one part if there is no pause.
    """
    total = window.layout.samples
    gaps = []
    for (_, end), (start, _) in pairwise(window.speech):
        middle = (end + start) // 2
        at = next(
            (
                offset + middle - piece.start
                for offset, piece in zip(window.layout.offsets, window.layout.pieces, strict=False)
                if piece.start <= middle <= piece.end
            ),
            None,
        )
        if at is None:
            # The pause was left out: the cut falls between two pieces.
            index = next(i for i, piece in enumerate(window.layout.pieces) if piece.start > middle)
            at = window.layout.offsets[index]
        if 0.2 * total <= at <= 0.8 * total:
            gaps.append((start - end, at))
    if not gaps:
        return [window.layout]
    at = max(gaps)[1]
    return [window.layout.part(0, at), window.layout.part(at, total)]


def restore_silence(window: DecodingWindow, samples: int) -> Layout:
    """Returns the window as it was recorded, half a second wider on both sides."""
    start = max(0, window.layout.pieces[0].start - _MARGIN)
    return Layout((Piece(start, min(samples, window.layout.pieces[-1].end + _MARGIN)),))


def _decode_parts(
    model: Model, pcm: np.ndarray, window: DecodingWindow, parts: list[Layout], options: DecodeOptions
) -> list[DecodedSpan]:
    encoded = model.encode([part.audio(pcm) for part in parts], options.encoder)
    found = model.generate(
        encoded, [window.language] * len(parts), options, beam_size=options.careful_beam_size, prompted=False
    )
    return [DecodedSpan(*span) for span in zip(parts, encoded, found, strict=True)]
