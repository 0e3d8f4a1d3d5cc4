"""Continuous speech over many seams, a third of them where nobody pauses: each word once."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice

import numpy as np
import pytest

import speech as made
from media import write_wav

pytestmark = pytest.mark.workflow

# An error this near to a seam is the seam's.
NEAR_SECONDS = 2.0


def gapless(told: made.Speech) -> np.ndarray:
    """The speech without a frame in which voice activity hears no one: no cut finds a pause in it."""
    from audiogrid.media.vad import FRAME, speech_probabilities

    pcm = told.pcm
    for _ in range(2):
        pcm = pcm[np.repeat(speech_probabilities(pcm) >= 0.5, FRAME)[: len(pcm)]]
    return pcm


def reading(blocks: int) -> tuple[np.ndarray, str]:
    """Blocks of about a minute, in turn with short pauses and with none, and their words."""
    source = made.sentences(7)
    parts, texts = [], []
    for block in range(blocks):
        told = made.read_aloud(list(islice(source, 12)), gap=0.15, seed=100 * block, lead=0.0)
        parts.append(gapless(told) if block % 2 else told.pcm)
        texts.append(told.text)
    return np.concatenate(parts), " ".join(texts)


@dataclass(frozen=True)
class Mistake:
    """Words that were lost or added, and when."""

    kind: str
    words: str
    at: float


def mistakes(wanted: str, words: list[tuple[float, str]]) -> Iterator[Mistake]:
    """What a transcript lacks or has too many of (not: misheard)."""
    import jiwer
    from whisper_normalizer.english import EnglishTextNormalizer

    plain = EnglishTextNormalizer()
    heard = list(chain.from_iterable([(start, word) for word in plain(text).split()] for start, text in words))
    reference = plain(wanted).split()
    found = jiwer.process_words(" ".join(reference), " ".join(word for _, word in heard))
    for part in found.alignments[0]:
        at = heard[min(part.hyp_start_idx, len(heard) - 1)][0]
        if part.type == "delete":
            yield Mistake("lost", " ".join(reference[part.ref_start_idx : part.ref_end_idx]), at)
        elif part.type == "insert":
            yield Mistake("added", " ".join(word for _, word in heard[part.hyp_start_idx : part.hyp_end_idx]), at)


def test_no_word_is_lost_or_doubled_at_a_seam(workspace, speech):
    pcm, text = reading(10)
    # The same minutes once more: their seams fall elsewhere.
    pcm, text = np.concatenate([pcm, pcm]), f"{text} {text}"
    (workspace.path / "in").mkdir()
    write_wav(workspace.path / "in" / "long.wav", pcm)
    workspace.snakemake("--config", "run=seams", "recordings=in", "chunk_minutes=0.5", "language=en", "formats=json")
    transcript = json.loads((workspace.path / "results" / "seams" / "transcripts" / "long.json").read_text())
    seams = [(seam["at"], seam["kind"]) for seam in transcript["seams"]]
    kinds = [kind for _, kind in seams]
    assert len(seams) >= 40
    assert kinds.count("hard") >= 10, kinds
    words = [(word["start"], word["word"]) for part in transcript["segments"] for word in part["words"]]
    wrong = list(mistakes(text, words))
    places = [at for at, _ in seams]

    def distance(mistake: Mistake) -> float:
        index = bisect_left(places, mistake.at)
        return min(abs(mistake.at - at) for at in places[max(0, index - 1) : index + 1])

    assert [mistake for mistake in wrong if distance(mistake) < NEAR_SECONDS] == []
    # Elsewhere the model may err as it does on any speech, but not much.
    assert len(wrong) <= len(words) // 200, wrong
