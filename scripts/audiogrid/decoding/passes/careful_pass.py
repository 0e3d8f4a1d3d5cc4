"""The careful pass: ways to read a suspicious window again, from the likeliest to help to the last resort.

1. ``sequential``: the same audio with timestamps and a wide beam; where the model stops early, it goes on
   from its last timestamp, as Whisper's reference decoder does, and, unlike that, also when the last
   timestamp claims that nothing follows while voice activity says otherwise.
2. ``halves``: parted at its longest inner pause; both parts without timestamps.
3. ``continuous``: the audio as it was recorded, with the silence that was left out and half a second
   on both sides, so nothing depends on voice activity.
4. ``temperature``: sampling, only where all else is repetitive or very unsure. Not reproducible.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from itertools import pairwise

import numpy as np

from audiogrid.core.timebase import to_samples
from audiogrid.decoding.judging.hypotheses import Attempt, Job, Take, align, attempt, best, judge
from audiogrid.decoding.judging.scoring import plain_words
from audiogrid.decoding.options import DecodeOptions
from audiogrid.decoding.whisper.model import TIMESTAMP_SAMPLES, Model
from audiogrid.decoding.windows import Layout, Piece, heard, seconds

# Flags that a better reading of the same audio can remove.
HARMLESS = frozenset({"maybe_invented"})
_MOST_ROUNDS = 8
_MARGIN = to_samples(0.5)
# Share of words that two readings of the same speech have in common.
_SAME = 0.9
# Doubts that other readings dispel, and how many have to agree.
_AGREEING = {frozenset({"compressible"}): 1, frozenset({"compressible", "loop"}): 2, frozenset({"loop"}): 2}


def read_carefully(
    model: Model, pcm: np.ndarray, job: Job, first: Sequence[Attempt], usual: float, options: DecodeOptions
) -> list[Attempt]:
    """All attempts at a window: those of the fast pass, then the ladder down to the first one without flags."""
    attempts = list(first)
    for one in _ladder(model, pcm, job, attempts, options):
        attempts.append(judge(align(model, one, job, options), usual, options))
        if not set(attempts[-1].flags) - HARMLESS or is_confirmed(attempts[-1], attempts[:-1]):
            break
    return attempts


def is_confirmed(one: Attempt, others: Sequence[Attempt]) -> bool:
    """Whether a reading is flagged for nothing but repetition, and others say the same.

    People do repeat themselves (lists, forms, responses): where different ways to read find the same words, they were
    said. Text that deflates too well needs one other reading, a loop two: one of them has read the window in parts,
    and a model that runs round in circles does not do so equally often on other audio.
    """
    doubts = frozenset(one.flags) - HARMLESS
    if doubts not in _AGREEING:
        return False
    words = plain_words(one.text)
    agreeing = sum(
        frozenset(other.flags) - HARMLESS == doubts
        and SequenceMatcher(None, words, plain_words(other.text), autojunk=False).ratio() >= _SAME
        for other in others
    )
    return agreeing >= _AGREEING[doubts]


def _ladder(
    model: Model, pcm: np.ndarray, job: Job, attempts: Sequence[Attempt], options: DecodeOptions
) -> Iterator[Attempt]:
    other, probability = job.other_language
    if probability >= options.flip_probability:
        turned = replace(job, language=other)
        yield attempt(model, f"language:{other}", other, job, sequential(model, pcm, turned, job.layout, options))
    yield attempt(model, "sequential", job.language, job, sequential(model, pcm, job, job.layout, options))
    parts = halves(job)
    if len(parts) > 1:
        yield attempt(model, "halves", job.language, job, _plain(model, pcm, job, parts, options))
    whole = continuous(job, len(pcm))
    if whole.samples <= 1.5 * to_samples(options.max_window_seconds) and whole != job.layout:
        yield attempt(model, "continuous", job.language, job, sequential(model, pcm, job, whole, options))
    for temperature in options.temperatures:
        if not hopeless(best(attempts), options):
            return
        takes = sequential(model, pcm, job, job.layout, options, temperature)
        yield attempt(model, f"temperature:{temperature:g}", job.language, job, takes)


def hopeless(one: Attempt, options: DecodeOptions) -> bool:
    """Whether sampling is worth its irreproducibility: Whisper's own conditions for it."""
    evidence = one.evidence
    if evidence.no_speech_prob > options.no_speech_probability and evidence.avg_logprob < options.no_speech_logprob:
        return False
    return bool({"compressible", "loop", "runaway"} & set(one.flags)) or (
        evidence.avg_logprob < options.no_speech_logprob
    )


def sequential(
    model: Model, pcm: np.ndarray, job: Job, layout: Layout, options: DecodeOptions, temperature: float = 0.0
) -> list[Take]:
    """Takes of ``layout``, read with timestamps from the start, each going on where the one before ended."""
    limit = to_samples(options.max_window_seconds)
    takes: list[Take] = []
    at = 0
    for _ in range(_MOST_ROUNDS):
        part = layout.part(at, min(at + limit, layout.samples))
        if part.samples < to_samples(0.1) or (at and seconds(heard(part, job.speech)) < 0.1):
            break
        encoded = job.encoded if part == job.layout else model.encode([part.audio(pcm)])[0]
        # The prompt is left out: it may be what led the fast pass astray.
        found = model.generate(
            [encoded],
            [job.language],
            options,
            beam_size=options.careful_beam_size,
            temperature=temperature,
            timestamps=True,
            prompted=False,
        )[0]
        begin = model.tokenizer(job.language, options.task).timestamp_begin
        tokens, length, finished = cut_at_timestamp(found.tokens, begin, part.samples)
        rest = heard(part.part(length, part.samples), job.speech)
        silent = found.no_speech_prob > options.no_speech_probability and found.avg_logprob < options.no_speech_logprob
        if silent:
            tokens, length, finished = (), part.samples, True
        takes.append(Take(part, encoded, replace(found, tokens=tokens)))
        if length < to_samples(0.5):
            break
        # A finished reading is believed about the last second, an unfinished one says itself that more follows.
        if finished and seconds(rest) < 1.0 and at + part.samples >= layout.samples:
            break
        at += length
    return takes


def cut_at_timestamp(tokens: Sequence[int], begin: int, samples: int) -> tuple[tuple[int, ...], int, bool]:
    """Tokens up to the last finished sentence, the sample where it ends, and whether the model was done there.

    ``begin``: the token of timestamp zero. Sentences lie between timestamps; one without its end is read
    again in the next round. Without any inner timestamp all tokens are kept, and all ``samples`` are used up.
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


def halves(job: Job) -> list[Layout]:
    """The window in two parts, parted in the longest pause of its middle three fifths (one part if there is none)."""
    total = job.layout.samples
    gaps = []
    for (_, end), (start, _) in pairwise(job.speech):
        middle = (end + start) // 2
        at = next(
            (
                offset + middle - piece.start
                for offset, piece in zip(job.layout.offsets, job.layout.pieces, strict=False)
                if piece.start <= middle <= piece.end
            ),
            None,
        )
        if at is None:
            # The pause was left out: the cut falls between two pieces.
            index = next(i for i, piece in enumerate(job.layout.pieces) if piece.start > middle)
            at = job.layout.offsets[index]
        if 0.2 * total <= at <= 0.8 * total:
            gaps.append((start - end, at))
    if not gaps:
        return [job.layout]
    at = max(gaps)[1]
    return [job.layout.part(0, at), job.layout.part(at, total)]


def continuous(job: Job, samples: int) -> Layout:
    """The window as it was recorded, half a second wider on both sides."""
    start = max(0, job.layout.pieces[0].start - _MARGIN)
    return Layout((Piece(start, min(samples, job.layout.pieces[-1].end + _MARGIN)),))


def _plain(model: Model, pcm: np.ndarray, job: Job, parts: list[Layout], options: DecodeOptions) -> list[Take]:
    encoded = model.encode([part.audio(pcm) for part in parts])
    found = model.generate(
        encoded, [job.language] * len(parts), options, beam_size=options.careful_beam_size, prompted=False
    )
    return [Take(*take) for take in zip(parts, encoded, found, strict=True)]
