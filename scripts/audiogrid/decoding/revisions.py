"""The revision of the decoding code: a number in the key of every stored result.

Any change of what decoding writes, through code or through the default of an option, raises ``REVISION``
and needs an entry in ``CHANGED_DEFAULTS``. Results of earlier revisions are then decoded again, unless the
configuration accepts them (``accept_revisions``). To find those, each revision's defaults are kept here: a key of
revision 0 can still be computed from a configuration of today.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from audiogrid.core.errors import InputError
from audiogrid.core.json_values import to_json
from audiogrid.decoding.options import DecodeOptions
from audiogrid.records.chunks import Chunk
from audiogrid.records.store import chunk_key, storable_options

REVISION = 3

# Defaults of revision 0. Its results carry no revision in their keys.
FIRST_DEFAULTS: Mapping[str, Any] = {
    "task": "transcribe",
    "language": "auto",
    "prompt": "",
    "hotwords": "",
    "compute_type": "auto",
    "code_switching": False,
    "beam_size": 1,
    "merged_pairs": -1,
    "second_beam_size": 5,
    "second_look_word_logprob": -0.12,
    "context_tokens": 223,
    "careful_beam_size": 5,
    "temperatures": [0.2, 0.4, 0.6, 0.8, 1.0],
    "patience": 1.0,
    "length_penalty": 1.0,
    "repetition_penalty": 1.0,
    "no_repeat_ngram_size": 0,
    "suppress_tokens": [-1],
    "max_tokens": 448,
    "max_window_seconds": 30.0,
    "vad_threshold": 0.25,
    "vad_neg_threshold": 0.15,
    "vad_min_silence_ms": 160,
    "vad_min_speech_ms": 0,
    "vad_pad_ms": 400,
    "min_rate_ratio": 0.6,
    "max_rate_ratio": 1.6,
    "min_rate": 4.0,
    "max_rate": 30.0,
    "hard_rate": 40.0,
    "max_compression_ratio": 2.4,
    "min_logprob": -0.8,
    "min_repeats": 4,
    "max_unspoken_seconds": 0.8,
    "max_unheard_share": 0.3,
    "echo_share": 0.8,
    "flip_probability": 0.8,
    "no_speech_probability": 0.6,
    "no_speech_logprob": -1.0,
    "faint_voice": 0.75,
}

# Revision -> options that it added, with their defaults, and options whose default it changed. An option that a
# revision removed is listed in REMOVED_OPTIONS instead.
CHANGED_DEFAULTS: Mapping[int, Mapping[str, Any]] = {
    1: {"code_switching": "auto", "temperatures": [], "encoder": "auto", "levelling": "relative"},
    # Besides: quality rules measure what they guard against without being misled by it.
    2: {"encoder_margin": -1.0, "context_tokens": 64},
    # Besides: windows are divided where speech is uncertain.
    3: {"first_beam_size": -1},
}
REMOVED_OPTIONS: Mapping[int, frozenset[str]] = {}

# The value at which an option leaves the text as it was before the option existed. Keys of earlier revisions can be
# computed for a configuration with this value; with any value but this one and the default they cannot.
WITHOUT_EFFECT: Mapping[str, Any] = {
    "code_switching": False,
    "encoder": "ctranslate2",
    "levelling": "none",
    "encoder_margin": 30.0,
    "first_beam_size": 0,
}

# Options that were added within a revision: its keys do not contain them at these values.
LEFT_OUT: Mapping[int, Mapping[str, Any]] = {0: {"code_switching": False}}


def defaults(revision: int) -> dict[str, Any]:
    """The defaults of all decoding options in ``revision``, spelt as in store keys."""
    found = dict(FIRST_DEFAULTS)
    for number in range(1, revision + 1):
        found.update(CHANGED_DEFAULTS[number])
        for name in REMOVED_OPTIONS.get(number, ()):
            found.pop(name, None)
    return found


def complete_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """``options`` with the defaults of today for all others, spelt as in store keys."""
    return storable_options(to_json(DecodeOptions(**options)))


def options_in(revision: int, options: Mapping[str, Any]) -> dict[str, Any] | None:
    """What the keys of ``revision`` contain for a configuration with ``options``.

    An option at today's default is taken to be unset, so it gets that revision's default. Returns ``None`` where
    that revision cannot have a result, because an option is set that it did not have.
    """
    today, now = complete_options({}), complete_options(options)
    if revision == REVISION:
        return now
    then = defaults(revision)
    for name, value in now.items():
        if value == today[name]:
            continue
        if name in then:
            then[name] = value
        elif name not in WITHOUT_EFFECT or WITHOUT_EFFECT[name] != value:
            return None
    left_out = LEFT_OUT.get(revision, {})
    return {name: value for name, value in then.items() if name not in left_out or value != left_out[name]}


def store_keys(chunk: Chunk, model_hash: str, options: Mapping[str, Any], accepted: Sequence[int] = ()) -> list[str]:
    """Keys under which a result for ``chunk`` may lie in the store: that of today first.

    ``accepted``: earlier revisions whose results are good enough, in order of preference. Raises ``InputError``
    for one that does not exist.
    """
    check_revisions(accepted)
    keys = []
    for revision in dict.fromkeys([REVISION, *accepted]):
        in_key = options_in(revision, options)
        if in_key is not None:
            keys.append(chunk_key(chunk, model_hash, in_key, revision))
    return keys


def check_revisions(accepted: Sequence[int]) -> None:
    """Raises ``InputError`` if ``accepted`` names a revision that does not exist."""
    unknown = sorted({revision for revision in accepted if not 0 <= revision <= REVISION})
    if unknown:
        known = ", ".join(map(str, range(REVISION)))
        raise InputError(
            f"accept_revisions names revision {unknown[0]} of the decoding code, which this version does not know; "
            f"it is at revision {REVISION}, and earlier ones are: {known}"
        )
