"""A transcript as tokens with the moments at which they are said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from audiogrid.scoring.alignment import align
from audiogrid.scoring.normalising import loosely, normalise

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Timed:
    """Tokens as they are compared. ``starts``: seconds from the start of the recording, shape ``(tokens,)``."""

    tokens: list[str]
    starts: NDArray[np.float64]


def timed(document: Mapping[str, Any], language: str | None) -> Timed:
    """Tokens of a transcript (``transcripts/<recording>.json``) with their times.

    Normalising joins and splits words (``twenty one`` is ``21``), so times come from an alignment with the
    words as decoded; tokens that have no counterpart there stand evenly between their neighbours.
    """
    words: list[str] = []
    starts: list[float] = []
    for segment in document["segments"]:
        for word in segment["words"]:
            pieces = loosely(word["word"], language)
            words += pieces
            starts += np.linspace(word["start"], word["end"], len(pieces), endpoint=False).tolist()
    tokens = normalise(" ".join(segment["text"].strip() for segment in document["segments"]), language)
    if not tokens or not words:
        return Timed(tokens, np.zeros(len(tokens)))
    places: list[int] = []
    moments: list[float] = []
    for span in align(tokens, words).spans:
        if span.kind in ("equal", "substitute"):
            places += range(span.start, span.end)
            moments += starts[span.other_start : span.other_end]
    if not places:
        return Timed(tokens, np.full(len(tokens), starts[0]))
    return Timed(tokens, np.interp(np.arange(len(tokens)), places, moments))
