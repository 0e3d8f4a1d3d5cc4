"""One attempt at a window: what was decoded, how it was heard, and what that says about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from audiogrid.core.timebase import SAMPLE_RATE, to_samples
from audiogrid.decoding.judging.quality_rules import flags
from audiogrid.decoding.judging.scoring import Evidence, score
from audiogrid.decoding.options import DecodeOptions
from audiogrid.decoding.whisper.model import Heard, Model, compression_ratio
from audiogrid.decoding.windows import Layout, heard, seconds
from audiogrid.decoding.word_times import place, unheard_share, unspoken
from audiogrid.media.vad import FRAME
from audiogrid.records.results import Reading, Word


@dataclass(frozen=True)
class Take:
    """A stretch of audio that the model saw at once and what it wrote for it."""

    layout: Layout
    encoded: np.ndarray
    heard: Heard


@dataclass(frozen=True)
class Job:
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
class Attempt:
    """One reading of a window. ``words`` is ``None`` as long as nobody asked for times."""

    path: str
    language: str
    takes: list[Take]
    text: str
    evidence: Evidence
    words: list[Word] | None = None
    flags: tuple[str, ...] = ()
    score: float = 0.0

    @property
    def temperature(self) -> float:
        """Highest temperature that was needed."""
        return max((take.heard.temperature for take in self.takes), default=0.0)

    def reading(self) -> Reading:
        """What the chunk's result records."""
        return Reading(
            path=self.path,
            score=self.score,
            words=len(self.words) if self.words is not None else len(self.text.split()),
            avg_logprob=self.evidence.avg_logprob,
            compression_ratio=self.evidence.compression_ratio,
            temperature=self.temperature,
            flags=list(self.flags),
            text=self.text,
        )


def attempt(model: Model, path: str, language: str, job: Job, takes: list[Take]) -> Attempt:
    """An attempt from what the model wrote, not yet aligned nor judged."""
    text = " ".join(filter(None, (model.text(take.heard.tokens).strip() for take in takes)))
    weights = [len(take.heard.tokens) + 1 for take in takes] or [1]
    logprob = sum(w * take.heard.avg_logprob for w, take in zip(weights, takes, strict=False)) / sum(weights)
    evidence = Evidence(
        text=text,
        speech_seconds=seconds(job.speech),
        avg_logprob=round(logprob, 4),
        compression_ratio=compression_ratio(text) if text else 0.0,
        no_speech_prob=max((take.heard.no_speech_prob for take in takes), default=0.0),
        capped=any(take.heard.capped for take in takes),
        voice=job.voice,
        other_language=job.other_language[1] if language != job.other_language[0] else 0.0,
    )
    return Attempt(path, language, takes, text, evidence)


def align(model: Model, one: Attempt, job: Job, options: DecodeOptions) -> Attempt:
    """The attempt with times for its words, and the evidence that follows from them."""
    words: list[Word] = []
    for take in one.takes:
        aligned = model.align(take.encoded, take.heard.tokens, one.language, options.task, take.layout.samples)
        words += place(aligned, take.layout, job.speech)
    words = _in_order(words)
    least = to_samples(options.max_unspoken_seconds)
    evidence = replace(
        one.evidence,
        unspoken_seconds=round(unspoken(words, job.speech, least) / SAMPLE_RATE, 3),
        unheard_share=round(unheard_share(words, job.speech), 3),
    )
    return replace(one, words=words, evidence=evidence)


def judge(one: Attempt, usual: float, options: DecodeOptions) -> Attempt:
    """The attempt with its flags and its score."""
    return replace(
        one,
        flags=tuple(flags(one.evidence, usual, options)),
        score=score(one.evidence, usual, options),
    )


def best(attempts: Sequence[Attempt]) -> Attempt:
    """The attempt of highest score; the earlier one of equals."""
    return max(attempts, key=lambda one: one.score)


def speech_in(
    layout: Layout, speech: list[tuple[int, int]], probabilities: np.ndarray
) -> tuple[list[tuple[int, int]], float]:
    """Voice activity inside a layout, and its mean probability."""
    found = heard(layout, speech)
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
