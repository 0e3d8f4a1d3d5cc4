"""The key ``budget``: what one call of the command may use before it stops, and when it stops at the latest."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from audiogrid.core.errors import InputError

_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")


@dataclass(frozen=True)
class Budget:
    """``core_hours``, ``gpu_hours``: that jobs may reserve; ``until``: a time of day or a date. ``None``: no limit."""

    core_hours: float | None = None
    gpu_hours: float | None = None
    until: str | None = None

    @property
    def is_limited(self) -> bool:
        """Whether there is any limit."""
        return self != Budget()

    @property
    def comes_again(self) -> bool:
        """Whether another call can have the same budget: a date comes once."""
        return self.until is None or _CLOCK.fullmatch(self.until.strip()) is not None

    def deadline(self, now: datetime.datetime) -> datetime.datetime | None:
        """Returns when the run has to stop; ``None`` without ``until``. ``now``: with a time zone.

        Raises ``InputError`` where that time has passed. A time of day is the next one, so it never has.
        """
        if self.until is None:
            return None
        if clock := _CLOCK.fullmatch(self.until.strip()):
            today = now.replace(hour=int(clock[1]), minute=int(clock[2]), second=0, microsecond=0)
            return today if today > now else today + datetime.timedelta(days=1)
        end = _moment(self.until, now)
        if end <= now:
            raise InputError(
                f"budget.until: {self.until} has passed (it is {now:%Y-%m-%d %H:%M} here): give a later time, a time "
                "of day such as 06:00, which comes again every day, or leave the key out"
            )
        return end


def _moment(text: str, now: datetime.datetime) -> datetime.datetime:
    """Returns the date in ``text``; without a time zone of its own it has that of ``now``. Raises ``ValueError``."""
    found = datetime.datetime.fromisoformat(text.strip())
    return found if found.tzinfo else found.replace(tzinfo=now.tzinfo)


def budget_mistakes(value: Mapping[str, Any]) -> Iterator[str]:
    """Yields what is wrong with the key beyond its types: a sentence with key, value and fix."""
    until = value.get("until")
    if until is None or _CLOCK.fullmatch(until.strip()):
        return
    try:
        _moment(until, datetime.datetime.now(datetime.UTC))
    except ValueError:
        yield (
            f"budget.until: {until!r} is no time; write a time of day, such as 06:00, or a date with or without one, "
            "such as 2026-12-24 06:00"
        )


def parse_budget(settings: Mapping[str, Any]) -> Budget:
    """Returns the budget of a valid configuration."""
    return Budget(**settings["budget"])
