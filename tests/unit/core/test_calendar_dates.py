"""Years, months and days of the calendar, and what only looks like one."""

from __future__ import annotations

import pytest

from audiogrid.core.calendar_dates import is_date


@pytest.mark.parametrize("text", ["2026", "2026-05", "2026-05-31", "2028-02-29", "0001"])
def test_dates(text: str) -> None:
    assert is_date(text)


@pytest.mark.parametrize(
    "text",
    ["", "0000", "26", "2026-13", "2026-00", "2026-02-29", "2026-5", "2026-05-", "2026-05-31T", "٢٠٢٦", "2026\n"],
)
def test_what_is_no_date(text: str) -> None:
    assert not is_date(text)
