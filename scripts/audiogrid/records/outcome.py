"""How the decoding of a chunk went, as workers report it and journals keep it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Outcome:
    """How one chunk went. ``status``: ``decoded``, ``stored`` (it was there already) or ``failed``.

    ``notes``: sentences on what the worker did without from then on; ``memory_mb``: the most
    that its process has held so far. ``began``: seconds since 1970 when its task began; chunks that were
    decoded together share it. ``worker``: host and pid of the process; ``device``: its device.
    """

    chunk: str
    key: str
    status: str
    audio: int
    seconds: float = 0.0
    error: str = ""
    notes: tuple[str, ...] = ()
    memory_mb: int = 0
    began: float = 0.0
    worker: str = ""
    device: str = ""
