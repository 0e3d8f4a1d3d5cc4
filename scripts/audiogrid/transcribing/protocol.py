"""What the ranks of a job say to each other, and over what.

All messages are small, and nobody ever blocks on one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from audiogrid.records.outcome import Outcome
from audiogrid.transcribing.scheduler import Task

# Ranks show at least this often that they are alive.
BEAT_SECONDS = 5.0


class Link(Protocol):
    """How ranks reach each other. Messages between two ranks arrive complete and in order."""

    rank: int
    size: int

    def send(self, rank: int, message: object) -> None:
        """Send without waiting for the receiver."""

    def receive(self) -> list[tuple[int, Any]]:
        """All messages that have arrived, with their senders; never waits."""


# From a rank to rank 0.
@dataclass(frozen=True)
class Hello:
    """A rank introduces itself. ``processes``: how many tasks it can be at."""

    host: str
    pid: int
    processes: int
    threads: int


@dataclass(frozen=True)
class Ask:
    """A worker process is free."""


@dataclass(frozen=True)
class Done:
    """One chunk is finished, or has failed for good."""

    outcome: Outcome


@dataclass(frozen=True)
class Say:
    """A sentence for the log."""

    sentence: str


@dataclass(frozen=True)
class Leave:
    """The rank takes no more tasks; what it still had is not finished."""

    cause: str


@dataclass(frozen=True)
class Broken:
    """Results cannot be stored: no rank should go on."""

    sentence: str


@dataclass(frozen=True)
class Bye:
    """The rank's last message. ``made``: what it decoded with."""

    made: dict[str, Any]


# From rank 0.
@dataclass(frozen=True)
class Go:
    """Work begins. ``share``: tasks that the rank will be at together, at most."""

    share: int


@dataclass(frozen=True)
class Work:
    """A task to do."""

    task: Task


@dataclass(frozen=True)
class Stop:
    """Finish what is begun, begin nothing new."""

    reason: str


@dataclass(frozen=True)
class End:
    """Leave at once."""


# Both ways.
@dataclass(frozen=True)
class Beat:
    """The sender is alive."""
