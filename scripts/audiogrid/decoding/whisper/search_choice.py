"""Chooses the search that reads a window first: greedy, or at once a wide one.

A small model is so unsure in most languages but English that nearly every window was read greedily and then again with
a wide beam. In these languages one search with three beams and the text before as context takes the place of both: on
15 minutes each of recorded Spanish, French, Italian and Russian it took seven tenths of the time, and fewer words
were wrong (BENCHMARKS.md, "Passes and short windows").
"""

from __future__ import annotations

from audiogrid.decoding.options import DecodeOptions

# Width of a multilingual model -> languages in which nearly all of its windows were read twice. Base is all that was
# measured.
_READ_TWICE = {512: frozenset({"es", "fr", "it", "ru"})}
_BEAMS = 3


def first_beams(width: int, language: str, options: DecodeOptions) -> int:
    """Returns the beams with which a window is read at once; 0: greedily first, and again where that is unsure.

    ``width``: of a multilingual model; 0 for one that knows English only.
    """
    if options.first_beam_size >= 0:
        return options.first_beam_size
    twice = options.second_beam_size > options.beam_size and options.second_look_word_logprob > -10
    measured = options.task == "transcribe" and language in _READ_TWICE.get(width, ())
    return _BEAMS if twice and measured else 0
