"""The key ``budget``: what can be meant, and what is said of all else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from audiogrid.config.as_written import as_written
from audiogrid.config.budget import Budget, parse_budget
from audiogrid.config.resolve import resolve
from audiogrid.core.errors import InputError
from audiogrid.planning.budget_preview import budget_lines

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=timezone(timedelta(hours=2)))


def budget(value: Any) -> Budget:
    return parse_budget(resolve({"budget": value}))


def test_without_a_budget_there_is_no_limit() -> None:
    assert not parse_budget(resolve({})).is_limited
    assert parse_budget(resolve({})).deadline(NOON) is None
    assert budget({"core_hours": 2.5, "until": "06:00"}) == Budget(2.5, None, "06:00")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"core_hours": 0}, "budget.core_hours: 0 is out of range; it must be more than 0, or left out"),
        ({"gpu_hours": -3}, "budget.gpu_hours: -3 is out of range; it must be more than 0"),
        ({"core_hours": "plenty"}, "budget.core_hours: 'plenty' has the wrong type; it must be a number"),
        ({"core_hours": float("inf")}, "budget.core_hours"),
        ({"core_hours": True}, "budget.core_hours: True has the wrong type"),
        ({"hours": 3}, "unknown key 'hours' in 'budget'"),
        ({"until": "tomorrow"}, "budget.until: 'tomorrow' is no time; write a time of day, such as 06:00"),
        ({"until": "24:00"}, "budget.until: '24:00' is no time"),
        ({"until": "2026-02-30"}, "budget.until: '2026-02-30' is no time"),
        ({"until": "9" * 50}, "is too long"),
        (5, "budget: 5 has the wrong type; it must be a section"),
    ],
)
def test_what_cannot_be_meant_is_named(value: Any, said: str) -> None:
    with pytest.raises(InputError) as error:
        budget(value)
    assert said in str(error.value)


def test_a_time_of_day_is_the_next_one_and_a_date_is_where_the_machine_is() -> None:
    assert budget({"until": "18:00"}).deadline(NOON) == NOON.replace(hour=18)
    assert budget({"until": "6:00"}).deadline(NOON) == NOON.replace(day=2, hour=6)
    assert budget({"until": "12:00"}).deadline(NOON) == NOON.replace(day=2)
    assert budget({"until": "2026-03-01 13:30"}).deadline(NOON) == NOON.replace(hour=13, minute=30)
    assert budget({"until": "2026-03-01T13:00Z"}).deadline(NOON) == datetime(2026, 3, 1, 13, tzinfo=UTC)
    for past in ("2026-03-01", "2026-03-01 12:00", "2026-03-01 11:00Z"[:-1], "2026-03-01T09:00Z"):
        with pytest.raises(InputError, match="has passed"):
            budget({"until": past}).deadline(NOON)


def test_times_are_read_as_they_are_written() -> None:
    """YAML takes 18:00 for a number of minutes, and a date for a date."""
    for text in ("18:00", "06:00", "2030-12-24"):
        word = f"budget={{until: {text}}}"
        import yaml

        config = {"budget": yaml.safe_load(f"{{until: {text}}}")}
        assert budget(as_written(config, [], [word])["budget"]).until == text


@pytest.mark.parametrize(
    ("value", "calls"),
    [
        ({"core_hours": 2}, ", 5 calls like it in all"),
        ({"until": "18:00"}, " calls like it in all"),
        # A date comes once, also one with a time of day.
        ({"until": "2026-03-01 13:00"}, ""),
        ({"until": "2026-03-01 18:00", "core_hours": 2}, ""),
        ({"core_hours": 1e-320}, ""),
    ],
)
def test_a_plan_says_how_many_calls_it_takes_only_where_they_can_be_alike(value: Any, calls: str) -> None:
    lines = budget_lines(budget(value), 10.0, [], None, 1, NOON)
    assert len(lines) == 1 and "of it" in lines[0]
    assert lines[0].endswith(calls) if calls else "calls" not in lines[0]
