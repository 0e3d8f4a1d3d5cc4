"""Which files of a run its jobs read."""

from __future__ import annotations

from pathlib import Path

import pytest

from audiogrid.records import job_inputs
from audiogrid.records.plan import Bundle, Plan, Recording, Settings, Shard
from audiogrid.records.run_folder import RunFolder

FOLDER = RunFolder(Path("results/x"))


def recording(name: str, **columns: str) -> Recording:
    return Recording(name, f"in/{name}.wav", 1, 1, 16000, 1, "mix", 1, columns=columns)


# Two bundles, and a shard that has chunks of both.
PLAN = Plan(
    Settings("base", {"base": "m"}, {}, 5, 60, 30, 1, 0),
    [recording("a"), recording("b", rttm="given/b.rttm"), recording("c", speakers="none")],
    [Bundle("b0001", "one", ["a", "b"]), Bundle("b0002", "two", ["c"])],
    [
        Shard("s0001", "x", ["a.0000"], ["b0001"], 16000, "base", "auto"),
        Shard("s0002", "y", ["b.0000", "c.0000"], ["b0001", "b0002"], 32000, "base", "auto"),
    ],
)


def test_a_shard_reads_its_bundles_and_a_bundle_its_shards() -> None:
    assert job_inputs.chunk_folders(FOLDER, PLAN, "s0002") == ["results/x/chunks/b0001", "results/x/chunks/b0002"]
    assert job_inputs.shard_reports(FOLDER, PLAN, "b0001") == [
        "results/x/shards/s0001.json",
        "results/x/shards/s0002.json",
    ]
    assert job_inputs.shard_reports(FOLDER, PLAN, "b0002") == ["results/x/shards/s0002.json"]
    assert job_inputs.merged_files(FOLDER, PLAN) == ["results/x/merged/b0001.json", "results/x/merged/b0002.json"]


@pytest.mark.parametrize(
    ("bundle", "speakers", "files"),
    [
        # Nothing of the second shard is embedded: one recording has its turns from a file, one has no speakers.
        ("b0001", "auto", ["results/x/voices/s0001.json", "given/b.rttm"]),
        ("b0001", "none", ["given/b.rttm"]),
        ("b0002", "auto", []),
    ],
)
def test_a_bundle_reads_voices_of_shards_that_have_any_and_given_turns(
    bundle: str, speakers: str, files: list[str]
) -> None:
    assert job_inputs.voice_files(FOLDER, PLAN, bundle, speakers) == files


def test_voices_are_found_again_when_network_audio_or_chunks_change() -> None:
    assert job_inputs.voices_spec(PLAN, "s0001", "auto", "network") == ["network", "one", "a.0000"]
    assert job_inputs.voices_spec(PLAN, "s0002", "auto", "network") == ["network", "one", "two"]


def test_bundles_wait_for_links_only_where_voices_are_linked() -> None:
    assert job_inputs.links(FOLDER, PLAN, "b0001", {"link": True}) == ["results/x/linked.json"]
    assert job_inputs.links(FOLDER, PLAN, "b0001", {"count": 2}) == []
    # Nothing of the second bundle is embedded.
    assert job_inputs.links(FOLDER, PLAN, "b0002", {"link": "people.json"}) == []
    assert job_inputs.all_voices(FOLDER, PLAN, {"link": True}) == ["results/x/voices/s0001.json"]
