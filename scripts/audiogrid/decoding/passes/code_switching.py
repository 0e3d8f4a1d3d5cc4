"""Windows that hold two languages, parted where the language changes.

Led by one language, the model reads the other as nonsense in the first one's letters: in a window with 20 s of
English and 6 s of Russian, taken for Russian, the English came out as one Russian phrase seventeen times over.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from audiogrid.decoding.chunk_language import ONE_LANGUAGE, language_runs
from audiogrid.decoding.whisper.model import Model
from audiogrid.decoding.windows import Layout


@dataclass(frozen=True)
class Listened:
    """A window, its encoder output, and the probability of every language in it.

    ``language``: the one for which it was parted from its neighbours; empty where its own ranking decides.
    """

    layout: Layout
    encoded: np.ndarray
    ranked: dict[str, float]
    language: str = ""


def part_by_language(model: Model, pcm: np.ndarray, windows: list[Listened]) -> list[Listened]:
    """The windows, those in which no language is sure parted between pieces (stretches of speech) if these differ.

    A change inside a piece, without a pause, stays inside its window. Pieces are listened to one by one: that costs an
    encoder run each, in windows that are not sure only.
    """
    found: list[Listened] = []
    for window in windows:
        pieces = window.layout.pieces
        if max(window.ranked.values()) >= ONE_LANGUAGE or len(pieces) < 2:
            found.append(window)
            continue
        alone = _listen(model, pcm, [Layout((piece,)) for piece in pieces])
        runs = language_runs([one.ranked for one in alone])
        if len(runs) == 1:
            found.append(window)
            continue
        for first, last, language in runs:
            # A piece that is a window of its own has just been listened to.
            parts = alone[first:last] if last == first + 1 else _listen(model, pcm, [Layout(pieces[first:last])])
            found += [replace(part, language=language) for part in parts]
    return found


def _listen(model: Model, pcm: np.ndarray, layouts: list[Layout]) -> list[Listened]:
    encoded = model.encode([layout.audio(pcm) for layout in layouts])
    return [Listened(*one) for one in zip(layouts, encoded, model.languages(encoded), strict=True)]
