"""The child process in which chunks are embedded: both networks loaded once, results straight into the store.

The pool of ``transcribing`` runs this module in place of its own worker: it calls ``start``, ``ready`` and ``work``.
"""

from __future__ import annotations

import platform
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from audiogrid import __version__
from audiogrid.core.errors import InputError
from audiogrid.embedding.chunk_voices import Networks, embed_chunk
from audiogrid.embedding.segmentation import LOOK
from audiogrid.models.registry import open_staged, read_record
from audiogrid.records.outcome import Outcome
from audiogrid.records.store import VoiceStore
from audiogrid.transcribing.worker import Job, WorkerSettings, leave_signals_to_parent, read_chunk, store_each

#: What ``WorkerSettings.program`` is set to.
PROGRAM = __name__

_networks: Networks | None = None
_settings: WorkerSettings | None = None
_start_error: BaseException | None = None


def start(settings: WorkerSettings) -> None:
    """Load the networks; called once per process. A failure is kept and raised by ``ready``."""
    global _networks, _settings, _start_error
    leave_signals_to_parent()
    _settings = settings
    try:
        from audiogrid.embedding.networks.sessions import open_networks

        folder = Path(settings.model_dir)
        if read_record(folder).get("identity") != settings.model_hash:
            raise InputError(f"{folder} holds other speaker networks than the run needs: delete it and run again")
        open_staged(folder)
        _networks = open_networks(folder)
    except Exception as error:
        _start_error = error


def ready() -> dict[str, Any]:
    """What this process embeds with. Raises what went wrong while it started."""
    if _start_error is not None:
        raise _start_error
    return _made_by(LOOK)


def _made_by(samples: int) -> dict[str, Any]:
    """Provenance of the result for a chunk of ``samples``: what may differ between machines and is not in the key."""
    from importlib.metadata import version

    from audiogrid.embedding.networks.sessions import choose_runtime, openvino_version

    runtime = choose_runtime(samples)
    return {
        "audiogrid": __version__,
        "onnxruntime": version("onnxruntime"),
        "segmentation": runtime,
        **({"openvino": openvino_version()} if runtime != "onnxruntime" else {}),
        "python": platform.python_version(),
        "device": "cpu",
        "host": socket.gethostname(),
    }


def work(jobs: Sequence[Job]) -> list[Outcome]:
    """Embed ``jobs`` one after another; each result is stored as soon as it is complete."""
    assert _networks is not None and _settings is not None
    networks = _networks

    def make(job: Job) -> tuple[Any, dict[str, Any]]:
        owned = (job.chunk.start - job.chunk.context_start, job.chunk.end - job.chunk.context_start)
        pcm = read_chunk(job)
        return embed_chunk(pcm, owned, networks), _made_by(len(pcm))

    return store_each(jobs, VoiceStore(Path(_settings.store), Path(_settings.own_store)), "embed", make)
