import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiogrid.core.atomic_files import write_json
from audiogrid.core.errors import InputError
from audiogrid.core.timebase import SAMPLE_RATE
from audiogrid.planning.bundles_and_shards import make_plan, plan_recordings
from audiogrid.planning.plan_summary import ModelSpeed, plan_summary_lines
from audiogrid.records.plan import Settings
from audiogrid.records.plan_files.reader import read_plan
from audiogrid.records.plan_files.writer import write_plan
from audiogrid.splitting.cut_cache import cut_identity

SETTINGS = Settings(
    model="base",
    models={"base": "m"},
    options={"beam_size": 1, "language": "auto"},
    chunk_minutes=5,
    bundle_minutes=60,
    shard_minutes=600,
    shards_at_least=1,
    chunks_per_shard=0,
)


def entry(name, seconds, **more):
    return {
        "recording": name,
        "path": f"in/{name}.mp3",
        "size": 1000,
        "mtime_ns": 5,
        "duration": int(seconds * SAMPLE_RATE),
        "channels": 1,
        "channels_mode": "mix",
        **more,
    }


def probed(*entries):
    return {"recordings": list(entries), "rejected": []}


def chunks_in(plan):
    return [chunk for shard in plan.shards for chunk in shard.chunks]


def test_one_long_recording_is_one_bundle_and_spreads_over_shards():
    plan = make_plan(probed(entry("a", 36_000)), replace(SETTINGS, shards_at_least=8))
    assert [bundle.recordings for bundle in plan.bundles] == [["a"]]
    assert len(chunks_in(plan)) == 120
    assert len(plan.shards) == 8
    assert all(shard.bundles == ["b0001"] for shard in plan.shards)


def test_shards_are_not_more_than_the_work_is_worth():
    plan = make_plan(probed(entry("a", 1500)), replace(SETTINGS, shards_at_least=8))
    assert len(chunks_in(plan)) == 5
    assert len(plan.shards) == 1


def test_one_chunk_per_shard():
    plan = make_plan(probed(entry("a", 1500)), replace(SETTINGS, chunks_per_shard=1))
    assert [len(shard.chunks) for shard in plan.shards] == [1] * 5


def test_many_short_recordings_share_bundles_and_shards():
    plan = make_plan(probed(*(entry(f"n{i:04d}", 30) for i in range(1000))), SETTINGS)
    assert len(plan.bundles) == 9
    assert len(plan.shards) == 1
    assert len(plan.bundles[0].recordings) == 120


def test_split_channels_are_tracks_of_their_own():
    plan = make_plan(probed(entry("call", 300, channels=2, channels_mode="split")), SETTINGS)
    assert chunks_in(plan) == ["call.c0.0000", "call.c1.0000"]


def test_appending_a_recording_touches_nothing_else():
    first = make_plan(probed(entry("b", 700), entry("c", 700)), SETTINGS)
    second = make_plan(probed(entry("a", 700), entry("b", 700), entry("c", 700)), SETTINGS, first)
    assert second.bundles[:1] == first.bundles
    assert second.shards[:1] == first.shards
    assert second.bundles[1].recordings == ["a"]
    assert second.shards[1].bundles == ["b0002"]


def test_a_replaced_recording_gets_another_spec_and_leaves_other_bundles_alone():
    first = make_plan(probed(entry("a", 4000), entry("b", 4000)), SETTINGS)
    second = make_plan(probed(entry("a", 4000), entry("b", 4000, mtime_ns=6)), SETTINGS, first)
    assert second.bundles[0] == first.bundles[0]
    assert second.bundles[1].spec != first.bundle["b0002"].spec


def test_options_change_shards_but_not_bundles():
    first = make_plan(probed(entry("a", 700)), SETTINGS)
    second = make_plan(probed(entry("a", 700)), replace(SETTINGS, options={"beam_size": 5}), first)
    assert second.bundles == first.bundles
    assert second.shards[0].shard == first.shards[0].shard
    assert second.shards[0].spec != first.shards[0].spec


def test_a_table_row_overrides_options_for_its_recording_only():
    plan = make_plan(probed(entry("a", 10, language="fr"), entry("b", 10)), SETTINGS)
    assert plan.options_for(plan.recording["a"])["language"] == "fr"
    assert plan.options_for(plan.recording["b"])["language"] == "auto"


def test_a_plan_survives_its_file(tmp_path):
    plan = make_plan(probed(entry("a", 700), entry("b", 7, channels=2, channels_mode="split")), SETTINGS)
    write_plan(plan, tmp_path / "plan.json")
    assert read_plan(tmp_path / "plan.json") == plan


def test_a_plan_from_before_models_is_read_as_it_was_meant(tmp_path):
    # Written by version 0.1.0 at commit cc308b1 for these very recordings and settings.
    old = json.loads((Path(__file__).parent / "plan_schema_1.json").read_text())
    write_json(tmp_path / "plan.json", old)
    new = make_plan(probed(entry("a", 700, language="fr", columns={"site": "x"}), entry("b", 30)), SETTINGS)
    read = read_plan(tmp_path / "plan.json")
    assert read.shards == new.shards and read.bundles == new.bundles
    assert read.settings == new.settings
    assert [r.options for r in read.recordings] == [{"language": "fr"}, {}]
    write_json(tmp_path / "plan.json", {**old, "schema": 99})
    with pytest.raises(InputError, match=r"plan\.json cannot be read \(its schema is 99, not 2\)"):
        read_plan(tmp_path / "plan.json")


def two_models(*entries, previous=None, **more):
    """A plan in which recordings whose table row says so have another model."""
    settings = replace(SETTINGS, models={"base": "m", "big": "n"}, **more)
    recordings = [
        replace(recording, model="big") if recording.columns.get("site") == "x" else recording
        for recording in make_plan(probed(*entries), settings).recordings
    ]
    return plan_recordings(recordings, settings, previous)


def test_a_shard_has_one_model_and_one_arithmetic():
    entries = [entry(f"r{i}", 400, columns={"site": "x"} if i % 3 == 0 else {}) for i in range(9)]
    plan = two_models(*entries)
    assert [(shard.model, len(shard.chunks)) for shard in plan.shards] == [("big", 6), ("base", 12)]
    assert {plan.model_of(plan.recording_of_chunk[chunk]) for chunk in plan.shards[0].chunks} == {"big"}
    # What each is decoded with is in its spec: base's is that of a plan without any other model.
    alone = make_plan(probed(*entries), SETTINGS).recordings
    assert plan.shards[1].spec != plan_recordings(alone, SETTINGS).shards[0].spec
    short = [replace(recording, options={"compute_type": "float32"}) for recording in plan.recordings[:1]]
    mixed = plan_recordings([*short, *plan.recordings[1:]], plan.settings)
    assert [(shard.model, shard.compute_type) for shard in mixed.shards] == [
        ("big", "float32"),
        ("base", "auto"),
        ("big", "auto"),
    ]


def test_another_model_for_one_recording_leaves_shards_without_it_alone():
    entries = [entry("a", 400), entry("b", 400), entry("c", 400, columns={"site": "x"})]
    first = two_models(*entries[:2])
    second = two_models(*entries, previous=first)
    assert second.shards[: len(first.shards)] == first.shards
    assert [(shard.model, shard.bundles) for shard in second.shards[len(first.shards) :]] == [("big", ["b0002"])]
    # A shard that would have two models is dealt anew.
    moved = two_models(entry("a", 400, columns={"site": "x"}), *entries[1:], previous=second)
    assert [(shard.shard, shard.model, len(shard.chunks)) for shard in moved.shards] == [
        ("s0002", "big", 2),
        ("s0003", "big", 2),
        ("s0004", "base", 2),
    ]


def test_what_a_plan_amounts_to_is_told_per_model():
    speeds = {"base": ModelSpeed(20.0, "measured"), "big": ModelSpeed(2.0, "guessed")}
    lines = plan_summary_lines(two_models(entry("a", 3600), entry("b", 7200, columns={"site": "x"})), speeds, 2)
    assert lines[3:] == [
        "shards       1 for model base (1 recording(s), 1.00 h)",
        "             1 for model big (1 recording(s), 2.00 h)",
        "estimate     1.05 core-hours (measured; guessed), about 32 min on 2 core(s)",
    ]
    assert plan_summary_lines(two_models(entry("a", 3600)), speeds, 2)[3] == "shards       1 for model base"
    assert plan_summary_lines(make_plan(probed(), SETTINGS), speeds, 2)[3] == "shards       0 for model base"


durations = st.lists(st.floats(0.2, 20_000), min_size=1, max_size=30)


@given(durations, durations, st.integers(1, 12), st.sampled_from([0, 1, 5]), st.randoms(use_true_random=False))
def test_every_chunk_is_in_exactly_one_shard_and_every_recording_in_one_bundle(old, new, at_least, per_shard, random):
    settings = replace(SETTINGS, shards_at_least=at_least, chunks_per_shard=per_shard)
    first = [entry(f"r{i}", seconds) for i, seconds in enumerate(old)]
    plan = make_plan(probed(*first), settings)
    survivors = [item for item in first if random.random() < 0.7] + [entry(f"x{i}", s) for i, s in enumerate(new)]
    for current, entries in ((plan, first), (make_plan(probed(*survivors), settings, plan), survivors)):
        names = [name for bundle in current.bundles for name in bundle.recordings]
        assert sorted(names) == sorted(item["recording"] for item in entries)
        wanted = [chunk for recording in current.recordings for chunk in recording.chunk_ids]
        assert sorted(chunks_in(current)) == sorted(wanted)
        assert len({shard.shard for shard in current.shards}) == len(current.shards)
        if per_shard:
            assert max(len(shard.chunks) for shard in current.shards) <= per_shard


def test_50000_tiny_recordings_are_planned_without_anything_quadratic():
    small = make_plan(probed(*(entry(f"n{i}", 8) for i in range(50_000))), SETTINGS)
    assert len(small.bundles) == 112
    assert len(chunks_in(small)) == 50_000


@pytest.mark.parametrize("field, value", [("chunk_minutes", 3), ("shards_at_least", 9)])
def test_other_rules_make_a_fresh_plan(field, value):
    first = make_plan(probed(entry("a", 7000)), SETTINGS)
    other = replace(SETTINGS, **{field: value})
    assert make_plan(probed(entry("a", 7000)), other, first) == make_plan(probed(entry("a", 7000)), other)


def test_chosen_audio_tracks_are_part_of_what_split_does_and_nothing_else_changes(tmp_path):
    old, new = entry("a", 100), entry("b", 100)
    before = make_plan(probed(old, new), SETTINGS)
    # Fields that came later, where they say what was always done.
    same = make_plan(probed({**old, "tracks": [], "remarks": []}, {**new, "tracks": []}), SETTINGS)
    other = make_plan(probed(old, {**new, "tracks": [2], "remarks": ["track 2 of 2"]}), SETTINGS)

    assert same == before
    assert [bundle.spec for bundle in other.bundles] != [bundle.spec for bundle in before.bundles]
    write_plan(before, tmp_path / "plan.json")
    (lines,) = (tmp_path / ".state" / "plan").iterdir()
    assert "audio_tracks" not in lines.read_text()
    assert other.recording["b"].audio_tracks == [2] and other.recording["b"].remarks == ["track 2 of 2"]
    assert cut_identity(before.recording["b"]) == ("in/b.mp3", 1000, 5, "mix", 100 * SAMPLE_RATE, 1)
    assert cut_identity(other.recording["b"])[-1] == 2
