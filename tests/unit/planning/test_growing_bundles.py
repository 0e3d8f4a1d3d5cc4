"""Bundles and shards grow along the input, so that a million recordings are some thousand jobs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from audiogrid.core.timebase import SAMPLE_RATE
from audiogrid.planning import bundles_and_shards
from audiogrid.planning.bundles_and_shards import (
    GROWS_AFTER_BUNDLES,
    GROWS_AFTER_SHARDS,
    growth,
    make_bundles,
    plan_recordings,
)
from audiogrid.records.plan import Recording, Settings

SETTINGS = Settings("base", {"base": "m"}, {}, 5, 60, 600, 1, 0)


def recordings(first: int, last: int, minutes: float = 30) -> list[Recording]:
    samples = int(minutes * 60 * SAMPLE_RATE)
    return [Recording(f"r{n:07d}", f"in/r{n:07d}.wav", 1, 1, samples, 1, "mix", 6) for n in range(first, last)]


def jobs(hours: int, each: float, after: int) -> int:
    number, left = 0, float(hours)
    while left > 0:
        number += 1
        left -= each * growth(number, after)
    return number


def test_half_a_million_hours_are_some_ten_thousand_jobs_and_small_runs_stay_as_they_are() -> None:
    bundles, shards = jobs(500_000, 1, GROWS_AFTER_BUNDLES), jobs(500_000, 10, GROWS_AFTER_SHARDS)
    # Split and merge per bundle, transcribe per shard.
    assert 2 * bundles + shards < 10_000
    # Each of the last bundles is not much more than an even division would give.
    assert growth(bundles, GROWS_AFTER_BUNDLES) < 3 * 500_000 / bundles
    assert jobs(1000, 1, GROWS_AFTER_BUNDLES) == 1000 and jobs(5000, 10, GROWS_AFTER_SHARDS) == 500


@pytest.fixture
def early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundles_and_shards, "GROWS_AFTER_BUNDLES", 4)
    monkeypatch.setattr(bundles_and_shards, "GROWS_AFTER_SHARDS", 2)


@pytest.mark.usefixtures("early")
def test_what_is_added_changes_no_earlier_bundle_or_shard() -> None:
    settings = replace(SETTINGS, shard_minutes=60)
    first = plan_recordings(recordings(0, 100), settings)
    sizes = [len(bundle.recordings) for bundle in first.bundles]
    assert sizes[:4] == [2] * 4 and sizes == [*sorted(sizes[:-1]), sizes[-1]] and max(sizes) > 4
    again = plan_recordings(recordings(0, 130), settings, first)
    assert again.bundles[: len(first.bundles)] == first.bundles
    assert again.shards[: len(first.shards)] == first.shards
    # The new ones are as large as their numbers say.
    assert len(again.bundles[len(first.bundles)].recordings) == 2 * growth(len(first.bundles) + 1, 4)
    # Without the plan before, only the last bundle, which was not full, differs.
    anew = make_bundles(recordings(0, 130), 60, [])
    assert anew[: len(first.bundles) - 1] == first.bundles[:-1]


@pytest.mark.usefixtures("early")
def test_very_short_recordings_grow_in_number_only_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundles_and_shards, "MAX_RECORDINGS_PER_BUNDLE", 5)
    sizes = [len(bundle.recordings) for bundle in make_bundles(recordings(0, 1000, 0.01), 60, [])]
    assert sizes[:4] == [5] * 4 and max(sizes) == 20


@pytest.mark.usefixtures("early")
def test_a_cluster_still_gets_several_shards_of_what_was_added() -> None:
    settings = replace(SETTINGS, shards_at_least=8, shard_minutes=60)
    first = plan_recordings(recordings(0, 400), settings)
    assert growth(len(first.shards), 2) > 2
    again = plan_recordings(recordings(0, 420), settings, first)
    assert len(again.shards) - len(first.shards) >= 8
