"""Windows that hold two languages are split where the language changes.

Told one language, the model writes the other one as nonsense in the letters of the first: in a window with 20 s of
English and 6 s of Russian, decoded as Russian, the English became one Russian phrase seventeen times.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from audiogrid.decoding.chunk_language import ONE_LANGUAGE, language_runs
from audiogrid.decoding.whisper.model import Model
from audiogrid.decoding.windows import Layout


@dataclass(frozen=True)
class EncodedWindow:
    """A window, its encoder output, and the probability of every language in it.

    ``language``: the language it was split off for; empty where its own probabilities decide.
    """

    layout: Layout
    encoded: np.ndarray
    language_probabilities: dict[str, float]
    language: str = ""


def part_by_language(model: Model, pcm: np.ndarray, windows: list[EncodedWindow]) -> list[EncodedWindow]:
    """Returns the windows; those without a clear language are split between pieces whose languages differ.

    A piece is a stretch of speech. A change without a pause, inside a piece, is not found. Each piece of such a window
    costs a run of the encoder; windows with a clear language cost nothing.
    """
    found: list[EncodedWindow] = []
    for window in windows:
        pieces = window.layout.pieces
        if max(window.language_probabilities.values()) >= ONE_LANGUAGE or len(pieces) < 2:
            found.append(window)
            continue
        alone = _encode(model, pcm, [Layout((piece,)) for piece in pieces])
        runs = language_runs([one.language_probabilities for one in alone])
        if len(runs) == 1:
            found.append(window)
            continue
        for first, last, language in runs:
            # A piece that becomes a window of its own has just been encoded.
            parts = alone[first:last] if last == first + 1 else _encode(model, pcm, [Layout(pieces[first:last])])
            found += [replace(part, language=language) for part in parts]
    return found


def _encode(model: Model, pcm: np.ndarray, layouts: list[Layout]) -> list[EncodedWindow]:
    encoded = model.encode([layout.audio(pcm) for layout in layouts])
    return [EncodedWindow(*one) for one in zip(layouts, encoded, model.languages(encoded), strict=True)]
