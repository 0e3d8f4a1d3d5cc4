"""A hypothesis: one way to decode a window, with its text, its word times and how well it fits the audio."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from audiogrid.core.timebase import SAMPLE_RATE, to_samples
from audiogrid.decoding.judging.holes import credible_words, unheard_share
from audiogrid.decoding.judging.loops import cut_loops, is_evenly_spoken, log_probability, loop_words
from audiogrid.decoding.judging.quality_rules import flags
from audiogrid.decoding.judging.scoring import Evidence, score
from audiogrid.decoding.options import DecodeOptions
from audiogrid.decoding.whisper.model import Model, ModelOutput, compression_ratio
from audiogrid.decoding.windows import Layout, seconds, speech_inside
from audiogrid.decoding.word_times import place_words, unspoken_samples
from audiogrid.media.vad import FRAME
from audiogrid.records.results import HypothesisRecord, Word

CUT = " without loop"
"""Ends the path of a hypothesis whose loops were cut off."""


@dataclass(frozen=True)
class DecodedSpan:
    """Audio that the model decoded in one call, and what it wrote."""

    layout: Layout
    encoded: np.ndarray
    output: ModelOutput


@dataclass(frozen=True)
class DecodingWindow:
    """A window to decode: its audio, where speech is in it, and its language.

    ``speech``: voice activity without pads, in samples of the chunk. ``voice``: its mean probability.
    ``other_language``: the likeliest language besides the chunk's, and its probability.
    """

    number: int
    layout: Layout
    encoded: np.ndarray
    speech: list[tuple[int, int]]
    voice: float
    language: str
    other_language: tuple[str, float] = ("", 0.0)


@dataclass(frozen=True)
class Hypothesis:
    """One decoding of a window.

    ``path``: how it was made (``fast``, ``beam:5+context``, ``sequential`` …). ``words``: ``None`` until ``align`` has
    added their times.
    """

    path: str
    language: str
    decoded: list[DecodedSpan]
    text: str
    evidence: Evidence
    words: list[Word] | None = None
    flags: tuple[str, ...] = ()
    score: float = 0.0

    @property
    def temperature(self) -> float:
        """Highest sampling temperature of any of its calls."""
        return max((span.output.temperature for span in self.decoded), default=0.0)

    def record(self) -> HypothesisRecord:
        """Returns the form that is stored in the chunk's result."""
        return HypothesisRecord(
            path=self.path,
            score=self.score,
            words=len(self.words) if self.words is not None else len(self.text.split()),
            avg_logprob=self.evidence.avg_logprob,
            compression_ratio=self.evidence.compression_ratio,
            temperature=self.temperature,
            flags=list(self.flags),
            text=self.text,
        )


def build_hypothesis(
    model: Model, path: str, language: str, window: DecodingWindow, decoded: list[DecodedSpan]
) -> Hypothesis:
    """Returns a hypothesis made of the model's output, not yet aligned or judged."""
    text = " ".join(filter(None, (model.text(span.output.tokens).strip() for span in decoded)))
    weights = [len(span.output.tokens) + 1 for span in decoded] or [1]
    logprob = sum(w * span.output.avg_logprob for w, span in zip(weights, decoded, strict=False)) / sum(weights)
    evidence = Evidence(
        text=text,
        speech_seconds=seconds(window.speech),
        avg_logprob=round(logprob, 4),
        compression_ratio=compression_ratio(text) if text else 0.0,
        no_speech_prob=_no_speech_probability(model, decoded),
        capped=any(span.output.capped for span in decoded),
        voice=window.voice,
        other_language=window.other_language[1] if language != window.other_language[0] else 0.0,
    )
    return Hypothesis(path, language, decoded, text, evidence)


def _no_speech_probability(model: Model, decoded: Sequence[DecodedSpan]) -> float:
    """Returns the highest probability of no speech of the parts that have text; of all parts if none has.

    A silent part without text says nothing against the words of the other parts.
    """
    spoken = [span for span in decoded if model.text(span.output.tokens).strip()]
    return max((span.output.no_speech_prob for span in spoken or decoded), default=0.0)


def align(model: Model, hypothesis: Hypothesis, window: DecodingWindow, options: DecodeOptions) -> Hypothesis:
    """Returns the hypothesis with word times, and with the evidence that follows from them."""
    words: list[Word] = []
    for span in hypothesis.decoded:
        aligned = model.align(span.encoded, span.output.tokens, hypothesis.language, options.task, span.layout.samples)
        words += place_words(aligned, span.layout, window.speech)
    words = _in_order(words)
    return with_words(hypothesis, words, window, options)


def with_words(hypothesis: Hypothesis, words: list[Word], window: DecodingWindow, options: DecodeOptions) -> Hypothesis:
    """Returns the hypothesis with these words, and with the evidence that follows from their times."""
    least = to_samples(options.max_unspoken_seconds)
    # A word that is stretched over a lost sentence must not hide it.
    credible = credible_words(words)
    unspoken = unspoken_samples(credible, window.speech, least)
    # The repetitions of a loop have times like all words, so they hide that nothing was read there.
    truly = unspoken_samples(cut_loops(credible, options.min_repeats), window.speech, least)
    evidence = replace(
        hypothesis.evidence,
        unspoken_seconds=round(unspoken / SAMPLE_RATE, 3),
        looped_seconds=round((truly - unspoken) / SAMPLE_RATE, 3),
        unheard_share=round(unheard_share(words, window.speech), 3),
    )
    return replace(hypothesis, words=words, evidence=evidence)


def confirm(hypothesis: Hypothesis) -> Hypothesis:
    """Returns a hypothesis whose repetitions count as said; it has to be judged again."""
    return replace(hypothesis, evidence=replace(hypothesis.evidence, confirmed=True))


def has_sound_to_match(hypothesis: Hypothesis, options: DecodeOptions) -> bool:
    """Returns whether all repetitions of the hypothesis's loops are spoken alike, judging by word times."""
    words = hypothesis.words or []
    return all(
        is_evenly_spoken([words[index] for index in indices], loop)
        for loop, indices in loop_words(words, options.min_repeats)
    )


def without_repetitions(hypothesis: Hypothesis, window: DecodingWindow, options: DecodeOptions) -> Hypothesis:
    """Returns a hypothesis with word times without what its loops repeat; its path says so.

    The model's log-probability is that of the loop, so it is replaced by that of the words that stay.
    """
    words = cut_loops(hypothesis.words or [], options.min_repeats)
    text = "".join(word.text for word in words).strip()
    evidence = replace(
        hypothesis.evidence,
        text=text,
        avg_logprob=round(min(hypothesis.evidence.avg_logprob, log_probability(words)), 4),
        compression_ratio=compression_ratio(text) if text else 0.0,
    )
    cut = replace(hypothesis, path=f"{hypothesis.path}{CUT}", text=text, evidence=evidence)
    return with_words(cut, words, window, options)


def judge(hypothesis: Hypothesis, median_rate: float, options: DecodeOptions) -> Hypothesis:
    """Returns the hypothesis with its flags and its score."""
    return replace(
        hypothesis,
        flags=tuple(flags(hypothesis.evidence, median_rate, options)),
        score=score(hypothesis.evidence, median_rate, options),
    )


def best(hypotheses: Sequence[Hypothesis]) -> Hypothesis:
    """Returns the hypothesis of highest score; the first of equals."""
    return max(hypotheses, key=lambda one: one.score)


def speech_and_voice(
    layout: Layout, speech: list[tuple[int, int]], probabilities: np.ndarray
) -> tuple[list[tuple[int, int]], float]:
    """Returns the voice activity inside a layout, in samples of the chunk, and its mean probability."""
    found = speech_inside(layout, speech)
    frames = [probabilities[start // FRAME : max(start // FRAME + 1, end // FRAME)] for start, end in found]
    mean = float(np.mean(np.concatenate(frames))) if frames else 0.0
    return found, round(mean, 4)


def _in_order(words: list[Word]) -> list[Word]:
    previous = 0
    ordered = []
    for word in words:
        start = max(word.start, previous)
        previous = max(word.end, start)
        ordered.append(replace(word, start=start, end=previous))
    return ordered
