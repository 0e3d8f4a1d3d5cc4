"""The child process in which texts are held against audio: the model loaded once, results straight into the store.

The pool of ``transcribing`` runs this module in place of its own worker. It calls ``work``, and the ``start`` and
``ready`` of that worker.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audiogrid.records.outcome import Outcome
from audiogrid.records.store import AlignedStore
from audiogrid.transcribing.worker import Job, loaded, provenance, read_chunk, ready, start, store_each

if TYPE_CHECKING:
    from audiogrid.decoding.known_words import KnownText

__all__ = ["PROGRAM", "known_text", "ready", "start", "work"]

#: What ``WorkerSettings.program`` is set to.
PROGRAM = __name__


def known_text(asked: Mapping[str, Any]) -> KnownText:
    """Returns what a job is asked, from its options."""
    from audiogrid.decoding.known_words import KnownText, KnownWindow, Question

    def spans(value: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
        return [(start, end) for start, end in value]

    return KnownText(
        spans(asked["speech"]),
        [
            KnownWindow(spans(one["pieces"]), one["words"], one["language"], spans(one.get("heard", [])))
            for one in asked["windows"]
        ],
        [
            Question(spans(one["pieces"]), one["readings"], one["language"], one.get("prompt", ""))
            for one in asked["questions"]
        ],
    )


def work(jobs: Sequence[Job]) -> list[Outcome]:
    """Align ``jobs`` one after another; each result is stored as soon as it is complete."""
    from audiogrid.decoding.options import DecodeOptions

    engine, settings = loaded()

    def make(job: Job) -> tuple[Any, dict[str, Any]]:
        options = DecodeOptions(**job.options["decoding"])
        result = engine.align(read_chunk(job), known_text(job.options), options)
        return result, provenance(engine, settings) | {"encoder": engine.encoder_name(options.encoder)}

    return store_each(jobs, AlignedStore(Path(settings.store), Path(settings.own_store)), "align", make)
