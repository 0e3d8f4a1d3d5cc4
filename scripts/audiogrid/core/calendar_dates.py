"""Dates as people write them in a configuration: a year, a month or a day."""

from __future__ import annotations

import datetime
import re

_DATE = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?", re.ASCII)


def is_date(text: str) -> bool:
    """Returns whether a text is a year (``2026``), a month (``2026-05``) or a day (``2026-05-31``) of the calendar."""
    if not _DATE.fullmatch(text):
        return False
    try:
        datetime.date.fromisoformat(f"{text}-01-01"[:10])
    except ValueError:
        return False
    return True
