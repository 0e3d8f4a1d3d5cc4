"""Turns a transcript into tokens with their start times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from audiogrid.scoring.alignment import align
from audiogrid.scoring.normalising import loose_tokens, normalised_tokens

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class TimedTokens:
    """Tokens as they are compared. ``starts``: seconds from the start of the recording, shape ``(tokens,)``."""

    tokens: list[str]
    starts: NDArray[np.float64]


def timed_tokens(document: Mapping[str, Any], language: str | None) -> TimedTokens:
    """Returns the tokens of a transcript (``transcripts/<recording>.json``) with their times.

    Normalising joins and splits words (``twenty one`` is ``21``), so times come from an alignment with the
    words as decoded; the times of tokens without a counterpart are interpolated.
    """
    words: list[str] = []
    starts: list[float] = []
    for segment in document["segments"]:
        for word in segment["words"]:
            pieces = loose_tokens(word["word"], language)
            words += pieces
            starts += np.linspace(word["start"], word["end"], len(pieces), endpoint=False).tolist()
    tokens = normalised_tokens(" ".join(segment["text"].strip() for segment in document["segments"]), language)
    if not tokens or not words:
        return TimedTokens(tokens, np.zeros(len(tokens)))
    places: list[int] = []
    moments: list[float] = []
    for span in align(tokens, words).spans:
        if span.kind in ("equal", "substitute"):
            places += range(span.start, span.end)
            moments += starts[span.other_start : span.other_end]
    if not places:
        return TimedTokens(tokens, np.full(len(tokens), starts[0]))
    return TimedTokens(tokens, np.interp(np.arange(len(tokens)), places, moments))
