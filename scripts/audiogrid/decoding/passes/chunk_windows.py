"""From a prepared chunk to its windows: encoded, each with its speech and the language that it is decoded in."""

from __future__ import annotations

import numpy as np

from audiogrid.decoding.chunk_language import choose_language, other_language
from audiogrid.decoding.judging.hypotheses import DecodingWindow, speech_and_voice
from audiogrid.decoding.options import DecodeOptions
from audiogrid.decoding.passes.code_switching import EncodedWindow, split_by_language
from audiogrid.decoding.passes.prepare import Prepared
from audiogrid.decoding.whisper.model import Model


def encode_windows(
    model: Model, pcm: np.ndarray, options: DecodeOptions, prepared: Prepared
) -> tuple[str, float, list[DecodingWindow]]:
    """Returns the language of a chunk, its probability, and the windows.

    ``pcm``: the audio that windows are made of, int16 at 16 kHz. The language is ``auto`` if nobody speaks and none is
    given; a language that is given has probability 1.
    """
    speech, layouts = prepared.speech, prepared.layouts
    encoded = model.encode_features(prepared.features, options.encoder)
    language, probability = options.language, 1.0
    found: list[dict[str, float]] = [{}] * len(layouts)
    if language == "auto" and layouts:
        found = model.languages(encoded)
    windows = [EncodedWindow(*one) for one in zip(layouts, encoded, found, strict=True)]
    if language == "auto" and options.code_switching:
        windows = split_by_language(model, pcm, windows, speech, prepared.probabilities, options)
    voiced = [speech_and_voice(window.layout, speech, prepared.probabilities) for window in windows]
    if language == "auto" and windows:
        probabilities = [window.language_probabilities for window in windows]
        language, probability = choose_language(probabilities, [spans for spans, _ in voiced])
    spoken = [window.language or language for window in windows]
    return (
        language,
        probability,
        [
            DecodingWindow(
                number,
                window.layout,
                window.encoded,
                *voiced[number],
                code,
                other_language(window.language_probabilities, code),
            )
            for number, (window, code) in enumerate(zip(windows, spoken, strict=True))
        ],
    )
