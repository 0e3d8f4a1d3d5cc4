"""What an ``align`` job is asked about a chunk, and the key under which the store keeps the answer."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from audiogrid.aligning.anchoring import Anchored
from audiogrid.aligning.stretches import speech_pieces
from audiogrid.core.atomic_files import canonical_json
from audiogrid.records.aligned import ALIGNED_SCHEMA
from audiogrid.records.chunks import Chunk
from audiogrid.records.store import storable_options

#: To be raised with every change of how texts are held against audio.
ALIGNING_REVISION = 3
# The decoding options that shape what the model hears; no other changes an alignment.
_HEARD_THROUGH = ("task", "compute_type", "encoder", "encoder_margin", "levelling")


def windows_of(anchored: Anchored, piece: int) -> list[dict[str, Any]]:
    """Returns what is to be aligned in a chunk, as JSON has it: spans of audio, words and language of each window."""
    _, result = anchored.pieces[piece]
    starts = [(segment.start, segment.language) for segment in result.segments]

    def language_at(sample: int) -> str:
        before = [code for start, code in starts if start <= sample and code]
        return (before or [code for _, code in starts if code] or [result.language])[-1 if before else 0]

    return [
        {
            "pieces": [[stretch.start, stretch.end]]
            if stretch.heard
            else [list(span) for span in speech_pieces(stretch, result.speech)],
            "words": [anchored.words[index].text for index in stretch.words],
            "language": language_at((stretch.start + stretch.end) // 2),
            **({"heard": [list(span) for span in stretch.heard]} if stretch.heard else {}),
        }
        for stretch in anchored.stretches
        if stretch.piece == piece
    ]


def question(
    speech: Iterable[tuple[int, int]],
    windows: list[dict[str, Any]],
    questions: Sequence[Mapping[str, Any]],
    options: Mapping[str, Any],
) -> dict[str, Any]:
    """Returns the options of a job: everything besides model and audio that its result depends on."""
    return storable_options(
        {
            "speech": [list(span) for span in speech],
            "windows": windows,
            "questions": [dict(one) for one in questions],
            "decoding": {name: options[name] for name in _HEARD_THROUGH if name in options},
        }
    )


def aligned_key(chunk: Chunk, model_hash: str, asked: Mapping[str, Any]) -> str:
    """Store key of a chunk's alignment: SHA-256 over the PCM, the model and everything that is asked.

    What decoding found is in it only as far as it shapes the question, so that a text has the same times again
    whatever became of the rest of the recording.
    """
    value = {
        "kind": "aligned",
        "schema": ALIGNED_SCHEMA,
        "revision": ALIGNING_REVISION,
        "pcm": chunk.pcm_sha256,
        "model": model_hash,
        "asked": dict(asked),
    }
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()
