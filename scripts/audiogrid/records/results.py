"""What decoding a chunk yields, and how it is spelt in JSON.

All times are samples at 16 kHz counted from the first sample that was decoded
(``Chunk.context_start``), so that the same audio elsewhere has the same result.
"""

from __future__ import annotations

from dataclasses import dataclass, field

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Word:
    """A word with its span in samples. ``text`` keeps the leading space Whisper writes."""

    start: int
    end: int
    text: str
    probability: float


@dataclass(frozen=True, slots=True)
class Segment:
    """Consecutive words of one decoded window."""

    start: int
    end: int
    text: str
    words: list[Word]
    avg_logprob: float
    compression_ratio: float
    no_speech_prob: float
    temperature: float
    language: str
    window: int


@dataclass(frozen=True, slots=True)
class HypothesisRecord:
    """One hypothesis of a window: how it was decoded (``path``), its score and its text."""

    path: str
    score: float
    words: int
    avg_logprob: float
    compression_ratio: float
    temperature: float
    flags: list[str] = field(default_factory=list)
    text: str = ""


@dataclass(frozen=True, slots=True)
class Window:
    """At most 30 s of speech that the model decoded at once.

    ``speech``: spans of speech in it. ``flags``: the quality rules that the fast
    hypothesis broke. ``kept``: path of the hypothesis that was kept. ``readings``: all hypotheses, in order.
    """

    start: int
    end: int
    speech: list[tuple[int, int]]
    flags: list[str]
    kept: str
    readings: list[HypothesisRecord]


@dataclass(frozen=True)
class ChunkResult:
    """The text of a chunk and how it came about."""

    samples: int
    language: str
    language_probability: float
    speech: list[tuple[int, int]]
    windows: list[Window]
    segments: list[Segment]
    notes: list[str] = field(default_factory=list)


def empty_result(samples: int, language: str) -> ChunkResult:
    """Result of a span in which nobody speaks."""
    return ChunkResult(samples, language, 0.0, [], [], [])
