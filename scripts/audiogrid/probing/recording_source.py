"""One recording as listed, and what is turned away before anybody looks into it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from audiogrid.remote.listing import Remote

Channels = Literal["mix", "split"]
CHANNELS: tuple[Channels, ...] = ("mix", "split")


@dataclass(frozen=True)
class Rejection:
    """A file or table row that is not transcribed. ``recording`` is empty where it got no id."""

    recording: str
    path: str
    reason: str


@dataclass(frozen=True)
class RecordingSource:
    """One recording as listed. ``columns``: what else its table row says.

    ``remote``: of a remote one, its address (``path`` is the public form of it) and what was seen there.
    ``address_table``: the table to look into for the address where the public form does not suffice.
    """

    recording: str
    path: str
    language: str | None = None
    prompt: str | None = None
    hotwords: str | None = None
    channels: Channels = "mix"
    reference: str | None = None
    columns: dict[str, str] = field(default_factory=dict)
    remote: Remote | None = field(default=None, repr=False, compare=False)
    address_table: str | None = field(default=None, repr=False, compare=False)


def printable(path: str) -> str:
    """``path`` with bytes that are no UTF-8 spelt as escapes."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def listing_problem(path: str) -> str | None:
    """Why a path cannot be a recording whatever the file holds; ``None`` when it can."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return "The file's name is not valid UTF-8: rename it."
    if Path(path).is_symlink() and not Path(path).exists():
        return "The link points to nothing (or to itself): restore its target or delete it."
    return None
