"""What ``split`` leaves behind: a bundle's audio in one file and a manifest of its chunks.

``chunks/<bundle>/audio.s16`` holds the tracks of the bundle one after another (16 kHz, mono,
signed 16-bit little endian); ``chunks/<bundle>/manifest.json`` says where everything lies.
A *track* is a recording mixed down to one channel, or one channel of it (``channels: split``).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from audiogrid.core.atomic_files import write_json
from audiogrid.core.json_values import read_document, to_json
from audiogrid.records.ledger import Sound

if TYPE_CHECKING:
    import numpy as np

AUDIO_NAME = "audio.s16"
MANIFEST_NAME = "manifest.json"

SeamKind = Literal["edge", "pause", "short_pause", "hard"]


@dataclass(frozen=True)
class Seam:
    """The boundary of a chunk.

    ``kind``: ``edge`` (the recording begins or ends), ``pause`` (>= 0.5 s), ``short_pause``
    (>= 0.1 s) or ``hard`` (there may be speech). ``at``: the first sample owned by the
    right-hand chunk. ``margin``: samples on each side of ``at`` without speech, or, at a
    ``hard`` seam, of overlap.
    """

    kind: SeamKind
    at: int
    margin: int


@dataclass(frozen=True)
class Chunk:
    """A span of a track: the unit of checkpointing and retry. All numbers are samples at 16 kHz.

    ``[start, end)`` is owned; ``[context_start, context_end)`` is decoded. Both count from the
    start of the track. A chunk may be empty (``start == end``) where a file turned out shorter
    than its header said. ``sounds``: what its owned span holds apart from speech, ordered; what no span covers is not
    known. After the last owned sample of a recording that was cut off lies one that says how much is missing.
    """

    chunk: str
    recording: str
    channel: int | None
    index: int
    start: int
    end: int
    context_start: int
    context_end: int
    left: Seam
    right: Seam
    pcm_sha256: str
    sounds: tuple[Sound, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether the chunk owns nothing."""
        return self.end <= self.start


def chunk_id(recording: str, channel: int | None, index: int) -> str:
    """Name of a chunk, known before anything is cut: ``talk.0003``, ``call.c1.0000``."""
    middle = "" if channel is None else f".c{channel}"
    return f"{recording}{middle}.{index:04d}"


def channel_of_chunk(recording: str, chunk: str) -> int | None:
    """Inverse of ``chunk_id``: the channel (from 0) of a chunk of ``recording``; ``None`` for the mix."""
    found = re.fullmatch(r"\.c(\d+)\.\d+", chunk.removeprefix(recording))
    return int(found[1]) if found else None


@dataclass(frozen=True)
class Track:
    """One mono signal of a recording; ``offset`` is its first sample in the bundle's audio file."""

    recording: str
    channel: int | None
    samples: int
    offset: int


@dataclass(frozen=True)
class BundleManifest:
    """Contents of ``manifest.json``.

    ``problems``: recording -> why nothing of it could be split (it has no tracks here).
    ``notes``: recording -> what is odd about it although it was split (ends early, say).
    ``remarks``: recording -> what else its transcript should say (channels that hold the same sound, say).
    ``audio``: recording -> SHA-256 of its audio as it is encoded, whatever chunks and channels it is cut into.
    """

    bundle: str
    tracks: list[Track]
    chunks: list[Chunk]
    problems: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    remarks: dict[str, list[str]] = field(default_factory=dict)
    audio: dict[str, str] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Write the manifest into a bundle's folder."""
        write_json(folder / MANIFEST_NAME, to_json(self))

    @classmethod
    def read(cls, folder: Path) -> BundleManifest:
        """Read the manifest of a bundle's folder."""
        return read_document(cls, folder / MANIFEST_NAME)


@dataclass
class ShardFacts:
    """What later steps must know of a shard's chunks after the bundle folders are gone.

    ``keys``: chunk -> store key (an empty chunk has none). ``problems``, ``notes``, ``remarks`` and ``audio``:
    by recording, as in ``BundleManifest``.
    """

    chunks: list[Chunk] = field(default_factory=list)
    keys: dict[str, str] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    remarks: dict[str, list[str]] = field(default_factory=dict)
    audio: dict[str, str] = field(default_factory=dict)


def read_pcm(folder: Path, manifest: BundleManifest, chunk: Chunk) -> np.ndarray:
    """Samples a chunk decodes: int16, shape ``(context_end - context_start,)``.

    Raises ``OSError`` when the audio file is gone or shorter than the manifest says.
    """
    import numpy as np

    track = next(t for t in manifest.tracks if (t.recording, t.channel) == (chunk.recording, chunk.channel))
    count = chunk.context_end - chunk.context_start
    with (folder / AUDIO_NAME).open("rb") as file:
        file.seek(2 * (track.offset + chunk.context_start))
        data = file.read(2 * count)
    if len(data) != 2 * count:
        raise OSError(f"{folder / AUDIO_NAME} ends inside chunk {chunk.chunk}: run the same command again")
    return np.frombuffer(data, dtype="<i2")


def pcm_hash(pcm: np.ndarray) -> str:
    """SHA-256 of 16-bit little-endian samples."""
    return hashlib.sha256(pcm.astype("<i2", copy=False).tobytes()).hexdigest()
