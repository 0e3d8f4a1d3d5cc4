"""One recording as listed, and the reasons to reject a path without opening it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from audiogrid.core.visible import may_exist
from audiogrid.media.audio_tracks import AUTO, TrackWish
from audiogrid.remote.listing import Remote

Channels = Literal["mix", "split"]
CHANNELS: tuple[Channels, ...] = ("mix", "split")


@dataclass(frozen=True)
class Rejection:
    """A file or table row that is not transcribed. ``recording`` is empty where it got no id."""

    recording: str
    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class RecordingSource:
    """One recording as listed. ``tracks``: the audio tracks wanted; ``columns``: further columns of its table row.

    ``is_out_of_reach``: its folder cannot be read just now, as on a failing disk, and it was there at the last probe.
    ``remote``: address and facts of a remote recording, whose ``path`` is the public form of the address.
    ``address_table``: the table that holds the whole address, where the public form does not suffice.
    """

    recording: str
    path: str
    language: str | None = None
    prompt: str | None = None
    hotwords: str | None = None
    channels: Channels = "mix"
    tracks: TrackWish = (AUTO,)
    reference: str | None = None
    columns: dict[str, str] = field(default_factory=dict)
    is_out_of_reach: bool = field(default=False, repr=False, compare=False)
    remote: Remote | None = field(default=None, repr=False, compare=False)
    address_table: str | None = field(default=None, repr=False, compare=False)


def printable(path: str) -> str:
    """Returns ``path`` with bytes that are not UTF-8 written as escapes."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def listing_problem(path: str, *, may_be_link: bool = True) -> str | None:
    """Returns why a path cannot be a recording, whatever the file holds, or ``None``.

    ``may_be_link``: where it is known not to be one, nothing is looked at.
    """
    try:
        path.encode()
    except UnicodeEncodeError:
        return "The file's name is not valid UTF-8: rename it."
    if may_be_link and os.path.islink(path) and not may_exist(Path(path)):  # noqa: PTH114
        return "The link points to nothing (or to itself): restore its target or delete it."
    return None
