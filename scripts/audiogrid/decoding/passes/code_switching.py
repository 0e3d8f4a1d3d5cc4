"""Recordings in several languages: windows are cut where the language changes, and each is decoded in its own.

Told one language, the model writes the other one as nonsense in the letters of the first: in a window with 20 s of
English and 6 s of Russian, decoded as Russian, the English became one Russian phrase seventeen times.

A chunk in one language must cost nothing and keep its text, so it is found out in steps, each dearer than the one
before, and each only where the one before gives reason to:

1. The probabilities of languages in the windows, which are known anyway, must show seconds of a second language.
2. The phrases (speech between pauses) of the windows that show it are identified one by one. Some phrases must be in
   the second language, and not just probably.
3. All phrases of the chunk are identified, and windows are made anew from runs of phrases in one language.

A whole window says less than its phrases: Russian and English sentences in turn were taken for Russian at 0.7 to 0.99,
Spanish and Italian ones for Italian at 0.99.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from audiogrid.core.timebase import SAMPLE_RATE, to_samples
from audiogrid.decoding.chunk_language import choose_language, language_runs
from audiogrid.decoding.options import DecodeOptions
from audiogrid.decoding.whisper.model import Model
from audiogrid.decoding.windows import Layout, pack, seconds, speech_inside

# A pause that parts two phrases.
_PAUSE = to_samples(0.3)
# Seconds of a second language that the windows must show, or that share of the speech where there is little of it.
_SHOWN_SECONDS = 2.0
_SHOWN_SHARE = 0.15
# A window shows a second language if it has at least this probability there.
_SHOWN_PROBABILITY = 0.1
# A phrase is in a language at this probability; so many seconds and phrases of the second language are needed.
_CERTAIN = 0.9
_CERTAIN_SECONDS = 3.0
_CERTAIN_PHRASES = 2
# A language on the path must be certain in phrases of at least this many seconds.
_ESTABLISHED_SECONDS = 2.0


@dataclass(frozen=True)
class EncodedWindow:
    """A window, its encoder output, and the probability of every language in it.

    ``language``: the language in which it is decoded; empty where that of the chunk decides.
    """

    layout: Layout
    encoded: np.ndarray
    language_probabilities: dict[str, float]
    language: str = ""


@dataclass(frozen=True)
class Phrase:
    """Speech between two pauses, ``[start, end)`` in samples of the chunk, with the pads of voice activity.

    ``speech``: the same without pads. ``window``: index of the window that it lies in.
    """

    start: int
    end: int
    speech: tuple[int, int]
    window: int

    @property
    def seconds(self) -> float:
        """Length without pads."""
        return (self.speech[1] - self.speech[0]) / SAMPLE_RATE


class _Listener:
    """Identifies the language of phrases, each once."""

    def __init__(self, model: Model, pcm: np.ndarray, phrases: Sequence[Phrase], encoder: str) -> None:
        self._model, self._pcm, self._phrases, self._encoder = model, pcm, phrases, encoder
        self._known: dict[int, dict[str, float]] = {}

    def languages(self, indices: Iterable[int]) -> list[dict[str, float]]:
        """Probability of every language, per phrase."""
        wanted = list(indices)
        new = [index for index in wanted if index not in self._known]
        audios = [self._pcm[self._phrases[index].start : self._phrases[index].end] for index in new]
        self._known.update(zip(new, self._model.languages_of_phrases(audios, self._encoder), strict=True))
        return [self._known[index] for index in wanted]


def split_by_language(
    model: Model,
    pcm: np.ndarray,
    windows: list[EncodedWindow],
    speech: list[tuple[int, int]],
    probabilities: np.ndarray,
    options: DecodeOptions,
) -> list[EncodedWindow]:
    """Returns the windows of a chunk; if it is in several languages, other windows, each with its language.

    ``speech``: voice activity without pads, in samples. ``probabilities``: of speech in every frame.
    ``options.code_switching`` True leaves out the question whether the chunk is in several languages.

    A change of language without a pause of 0.3 s is not found.
    """
    if not model.multilingual or not windows:
        return windows
    phrases = split_phrases([window.layout for window in windows], speech)
    listener = _Listener(model, pcm, phrases, options.encoder)
    if options.code_switching is not True and not _is_in_several_languages(windows, speech, phrases, listener):
        return windows
    found = listener.languages(range(len(phrases)))
    runs = language_runs(only_established(phrases, found))
    known = {window.layout: window for window in windows}
    longest = to_samples(options.max_window_seconds)
    layouts: list[tuple[Layout, str]] = []
    for first, last, language in runs:
        inside = phrases[first:last]
        spans, spoken = [(one.start, one.end) for one in inside], [one.speech for one in inside]
        layouts += [(layout, language) for layout in pack(spans, spoken, probabilities, longest)]
    new = _encode(model, pcm, [layout for layout, _ in layouts if layout not in known], options)
    known.update({window.layout: window for window in new})
    return [replace(known[layout], language=language) for layout, language in layouts]


def split_phrases(layouts: Sequence[Layout], speech: Sequence[tuple[int, int]]) -> list[Phrase]:
    """Returns the speech in ``layouts``, in order, cut in the middle of every pause of 0.3 s or more."""
    phrases: list[Phrase] = []
    for index, layout in enumerate(layouts):
        for piece in layout.pieces:
            inside = speech_inside(Layout((piece,)), list(speech))
            if not inside:
                continue
            groups = [inside[:1]]
            for before, after in pairwise(inside):
                if after[0] - before[1] >= _PAUSE:
                    groups.append([])
                groups[-1].append(after)
            cuts = [(left[-1][1] + right[0][0]) // 2 for left, right in pairwise(groups)]
            for start, end, group in zip([piece.start, *cuts], [*cuts, piece.end], groups, strict=True):
                phrases.append(Phrase(start, end, (group[0][0], group[-1][1]), index))
    return phrases


def shown_languages(
    language_probabilities: Sequence[Mapping[str, float]], speech_seconds: Sequence[float], language: str
) -> list[str]:
    """Returns the languages besides ``language`` of which the windows of a chunk show more than a little.

    ``language_probabilities`` and ``speech_seconds``: per window.
    """
    shown: defaultdict[str, float] = defaultdict(float)
    for probabilities, length in zip(language_probabilities, speech_seconds, strict=True):
        for code, probability in probabilities.items():
            shown[code] += probability * length
    least = min(_SHOWN_SECONDS, _SHOWN_SHARE * sum(speech_seconds))
    return sorted(code for code, length in shown.items() if code != language and length >= least)


def is_certain(phrases: Sequence[Phrase], found: Sequence[Mapping[str, float]], language: str) -> bool:
    """Returns whether enough of the phrases are in ``language``, and certainly so."""
    certain = [one.seconds for one, each in zip(phrases, found, strict=True) if each.get(language, 0.0) >= _CERTAIN]
    return len(certain) >= _CERTAIN_PHRASES and sum(certain) >= _CERTAIN_SECONDS


def only_established(phrases: Sequence[Phrase], found: Sequence[Mapping[str, float]]) -> list[dict[str, float]]:
    """Returns the probabilities of those languages that some phrases are certainly in; of all if there are none.

    A short phrase is now and then taken for a language that nobody speaks in the whole recording.
    """
    lengths: defaultdict[str, float] = defaultdict(float)
    for one, each in zip(phrases, found, strict=True):
        code = max(sorted(each), key=lambda name: each[name])
        if each[code] >= _CERTAIN:
            lengths[code] += one.seconds
    kept = {code for code, length in lengths.items() if length >= _ESTABLISHED_SECONDS}
    return [{code: value for code, value in each.items() if not kept or code in kept} for each in found]


def _is_in_several_languages(
    windows: Sequence[EncodedWindow],
    speech: list[tuple[int, int]],
    phrases: Sequence[Phrase],
    listener: _Listener,
) -> bool:
    ranked = [window.language_probabilities for window in windows]
    voiced = [speech_inside(window.layout, speech) for window in windows]
    language, _ = choose_language(ranked, voiced)
    candidates = shown_languages(ranked, [seconds(spans) for spans in voiced], language)
    for candidate in candidates:
        indices = [
            index
            for index, phrase in enumerate(phrases)
            if ranked[phrase.window].get(candidate, 0.0) >= _SHOWN_PROBABILITY
        ]
        if is_certain([phrases[index] for index in indices], listener.languages(indices), candidate):
            return True
    return False


def _encode(model: Model, pcm: np.ndarray, layouts: list[Layout], options: DecodeOptions) -> list[EncodedWindow]:
    encoded = model.encode([layout.audio(pcm) for layout in layouts], options.encoder, options.encoder_margin)
    return [EncodedWindow(*one) for one in zip(layouts, encoded, model.languages(encoded), strict=True)]
