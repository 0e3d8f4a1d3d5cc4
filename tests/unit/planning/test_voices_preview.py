"""What a plan says of embedding: which chunks it needs, which are there, and what the rest costs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from audiogrid.planning.bundles_and_shards import plan_recordings
from audiogrid.planning.plan_summary import ModelSpeed, plan_summary_lines
from audiogrid.planning.throughput import embedding_speed
from audiogrid.planning.voices_preview import VoicesPreview, add_voices
from audiogrid.records.chunks import Chunk, Seam
from audiogrid.records.plan import Recording, Settings
from audiogrid.records.prices import Prices
from audiogrid.splitting.cut_cache import cut_identity

HOUR = 3600 * 16_000
EDGE = Seam("edge", 0, 0)


def recording(name: str, **columns: str) -> Recording:
    return Recording(name, f"{name}.wav", 1, 1, HOUR, 1, "mix", 12, columns=columns)


def preview_voices(plan, cuts, default, is_stored, speed):
    """What a whole plan needs."""
    found = VoicesPreview(*speed)
    add_voices(found, plan.recordings, cuts, default, is_stored)
    return found


def test_only_recordings_with_speakers_count_and_what_is_stored_costs_nothing() -> None:
    recordings = [recording("a"), recording("b", speakers="none"), recording("c", rttm="c.rttm"), recording("d")]
    plan = plan_recordings(recordings, Settings("base", {"base": "hash"}, {}, 5, 60, 600, 1, 0))
    step = HOUR // 12
    chunks = [
        Chunk(f"a.{n:04d}", "a", None, n, n * step, (n + 1) * step, n * step, (n + 1) * step, EDGE, EDGE, str(n))
        for n in range(12)
    ]
    cuts = {cut_identity(recordings[0]): chunks}
    found = preview_voices(plan, cuts, "auto", lambda chunk: chunk.index < 9, (50.0, "measured"))
    assert (found.recordings, found.stored_chunks, found.waiting_chunks) == (2, 9, 15)
    assert found.waiting == pytest.approx(1.25 * HOUR, rel=1e-6)
    (line,) = found.lines()
    assert "15 chunk(s), 1.25 h, for the speakers of 2 recording(s), 9 more are in the store: 0.03 core-h" in line
    # It is part of the estimate and of the cost.
    speeds, prices = {"base": ModelSpeed(20.0, "measured")}, Prices(100, 0, "EUR")
    alone = plan_summary_lines(plan, speeds, 1, None, prices)
    together = plan_summary_lines(plan, speeds, 1, None, prices, found)
    assert line in together
    assert "cost         20.00 EUR" in alone
    assert "cost         22.50 EUR" in together
    everything = preview_voices(plan, cuts, "none", lambda chunk: True, (50.0, "measured"))
    assert everything.lines() == []
    one = plan_recordings(recordings[:1], plan.settings)
    assert "nothing" in preview_voices(one, cuts, 2, lambda chunk: True, (50.0, "measured")).lines()[0]


def test_the_speed_is_that_of_finished_jobs(tmp_path: Path) -> None:
    assert embedding_speed(tmp_path, "n")[1] == "a rule of thumb"
    for run, networks, seconds in (("x", "n", 36.0), ("y", "n", 144.0), ("z", "other", 1.0)):
        path = tmp_path / run / "voices" / "s0001.json"
        path.parent.mkdir(parents=True)
        report = {"model_hash": networks, "decoded": 12, "worker_seconds": seconds, "audio_seconds": 3600.0}
        path.write_text(json.dumps(report))
    assert embedding_speed(tmp_path, "n") == (40.0, "measured")
