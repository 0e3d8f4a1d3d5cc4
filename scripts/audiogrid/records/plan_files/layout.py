"""What lies where in the files of a plan.

``plan.json`` is small. It lists the bundles and shards, and says where each lies in a file of lines,
``.state/plan/<hash>.jsonl``, which has a line of JSON per recording and per shard. A job thus reads two files: the
small one, and one span of the other. The large file is named by its contents and never changed, and ``plan.json`` is
renamed into place after it. No locks are needed, so this is as safe on a network file system as any file is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from audiogrid.records.chunks import chunk_id
from audiogrid.records.plan import Settings

SCHEMA = 3
STATE = ".state"
# A piece of a shard: recording, track, index of the first chunk, number of chunks.
Piece = tuple[str, int | None, int, int]


@dataclass(frozen=True)
class Span:
    """Where lines lie in the file of lines, in bytes."""

    first: int = 0
    bytes: int = 0


NOWHERE = Span()


@dataclass(frozen=True)
class BundleEntry:
    """What ``plan.json`` says of a bundle. ``recordings``, ``chunks``: how many; ``audio``: samples to decode.

    ``columns``: further columns of tables that any of its recordings has a value in.
    """

    bundle: str
    spec: str
    recordings: int
    chunks: int
    audio: int
    columns: list[str] = field(default_factory=list)
    span: Span = NOWHERE


@dataclass(frozen=True)
class ShardEntry:
    """What ``plan.json`` says of a shard: all but the names of its chunks, of which there are ``count``."""

    shard: str
    spec: str
    bundles: list[str]
    audio: int
    model: str
    compute_type: str
    count: int
    span: Span = NOWHERE


@dataclass(frozen=True)
class PlanHead:
    """Contents of ``plan.json``. ``lines``: name of the file of lines. ``loose``: recordings that are in no bundle."""

    settings: Settings
    lines: str
    bundles: list[BundleEntry]
    shards: list[ShardEntry]
    rejected: int = 0
    warnings: list[str] = field(default_factory=list)
    count: int = 0
    audio: int = 0
    audio_by_model: dict[str, int] = field(default_factory=dict)
    loose: Span = NOWHERE
    divided: bool = False


@dataclass(frozen=True)
class ShardLine:
    """The line of a shard."""

    chunks: list[Piece | str]


def names_of_piece(piece: Piece | str) -> list[str]:
    """Returns the names of the chunks of a piece of a shard."""
    if isinstance(piece, str):
        return [piece]
    recording, track, first, count = piece
    return [chunk_id(recording, track, index) for index in range(first, first + count)]


def lines_folder(plan: Path) -> Path:
    """Returns the folder of the files of lines of ``plan.json``, or of the copy of it in ``.state/``."""
    root = plan.parent.parent if plan.parent.name == STATE else plan.parent
    return root / STATE / "plan"
