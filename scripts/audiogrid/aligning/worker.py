"""The child process in which texts are held against audio: the model loaded once, results straight into the store.

The pool of ``transcribing`` runs this module in place of its own worker: it calls ``start``, ``ready`` and ``work``.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audiogrid.decoding.whisper.device_access import device_access
from audiogrid.records.outcome import Outcome
from audiogrid.records.store import AlignedStore
from audiogrid.transcribing.worker import (
    Job,
    WorkerSettings,
    leave_signals_to_parent,
    open_checked_engine,
    peak_memory_mb,
    provenance,
    read_chunk,
)

if TYPE_CHECKING:
    from audiogrid.decoding.known_words import KnownText
    from audiogrid.decoding.memory_fallback import AdaptiveEngine

#: What ``WorkerSettings.program`` is set to.
PROGRAM = __name__

_engine: AdaptiveEngine | None = None
_settings: WorkerSettings | None = None
_start_error: BaseException | None = None


def start(settings: WorkerSettings) -> None:
    """Load the model; called once per process. A failure is kept and raised by ``ready``."""
    global _engine, _settings, _start_error
    leave_signals_to_parent()
    _settings = settings
    if settings.gpus:
        # Before any CUDA library is loaded: this process sees one GPU only.
        os.environ["CUDA_VISIBLE_DEVICES"] = settings.gpus[0]
    try:
        _engine = open_checked_engine(settings)
    except Exception as error:
        _start_error = error


def ready() -> dict[str, Any]:
    """What this process aligns with. Raises what went wrong while it started."""
    if _start_error is not None:
        raise _start_error
    assert _engine is not None and _settings is not None
    return provenance(_engine, _settings)


def known_text(asked: Mapping[str, Any]) -> KnownText:
    """Returns what a job is asked, from its options."""
    from audiogrid.decoding.known_words import KnownText, KnownWindow, Question

    def spans(value: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
        return [(start, end) for start, end in value]

    return KnownText(
        spans(asked["speech"]),
        [KnownWindow(spans(one["pieces"]), one["words"], one["language"]) for one in asked["windows"]],
        [Question(spans(one["pieces"]), one["readings"], one["language"]) for one in asked["questions"]],
    )


def work(jobs: Sequence[Job]) -> list[Outcome]:
    """Align ``jobs`` one after another; each result is stored as soon as it is complete."""
    from audiogrid.decoding.options import DecodeOptions

    assert _engine is not None and _settings is not None
    store = AlignedStore(Path(_settings.store), Path(_settings.own_store))
    outcomes = []
    for job in jobs:
        if store.has(job.key):
            outcomes.append(Outcome(job.name, job.key, "stored", job.audio))
            continue
        device_access().before_chunk(f"align:{job.name}")
        began, at = time.perf_counter(), round(time.time(), 3)
        options = DecodeOptions(**job.options["decoding"])
        result = _engine.align(read_chunk(job), known_text(job.options), options)
        made = provenance(_engine, _settings) | {"encoder": _engine.encoder_name(options.encoder)}
        is_new = store.put(job.key, result, made)
        outcomes.append(
            Outcome(
                job.name,
                job.key,
                "decoded" if is_new else "stored",
                job.audio,
                seconds=round(time.perf_counter() - began, 3),
                memory_mb=peak_memory_mb(),
                began=at,
                worker=f"{socket.gethostname()}/{os.getpid()}",
                device=_engine.device,
            )
        )
    return outcomes
