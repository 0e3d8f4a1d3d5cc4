"""The messages that ranks of a job exchange, and the link that carries them.

All messages are small, and no call blocks on one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from audiogrid.records.outcome import Outcome
from audiogrid.transcribing.scheduler import Task

# Every rank sends at least one message in this time.
HEARTBEAT_SECONDS = 5.0


class Link(Protocol):
    """Carries messages between ranks. Messages between two ranks arrive complete and in order."""

    rank: int
    size: int

    def send(self, rank: int, message: object) -> None:
        """Send without waiting for the receiver."""

    def receive(self) -> list[tuple[int, Any]]:
        """Returns all messages that have arrived, with their senders; never waits."""


# From a rank to rank 0.
@dataclass(frozen=True)
class Registration:
    """The first message of a rank. ``processes``: how many tasks it can work on at once."""

    host: str
    pid: int
    processes: int
    threads: int


@dataclass(frozen=True)
class Request:
    """One worker process of the rank is free."""


@dataclass(frozen=True)
class Finished:
    """One chunk is decoded, or has failed for good."""

    outcome: Outcome


@dataclass(frozen=True)
class Log:
    """A sentence for the job's log."""

    sentence: str


@dataclass(frozen=True)
class Withdraw:
    """The rank takes no more tasks; its unfinished tasks go to other ranks."""

    cause: str


@dataclass(frozen=True)
class StoreFailure:
    """The rank cannot write results: the whole job must end."""

    sentence: str


@dataclass(frozen=True)
class Farewell:
    """The rank's last message. ``made``: what it decoded with."""

    made: dict[str, Any]


# From rank 0.
@dataclass(frozen=True)
class Start:
    """Work begins. ``share``: how many tasks the rank will have at once, at most."""

    share: int


@dataclass(frozen=True)
class Assign:
    """A task for the rank."""

    task: Task


@dataclass(frozen=True)
class Stop:
    """Finish the tasks that are running, begin no other."""

    reason: str


@dataclass(frozen=True)
class Shutdown:
    """End at once."""


# Both ways.
@dataclass(frozen=True)
class Heartbeat:
    """The sender is alive."""
