"""What is decoded for a comparison: derived recordings and the plans of variants."""

from __future__ import annotations

import pytest

from audiogrid.comparing.condition_recordings import ConditionOutput, derived_id, make_condition, source_and_condition
from audiogrid.comparing.variant_plans import plan_variants, variant_folder
from audiogrid.config.conditions import parse_condition
from audiogrid.core.errors import InputError
from audiogrid.probing.media_facts import probe_media
from audiogrid.records.plan_files.reader import read_plan
from audiogrid.records.run_folder import RunFolder
from media import write_wav
from speech import hiss

WANTED = {
    "options": {},
    "chunk_minutes": 5,
    "bundle_minutes": 60,
    "shard_minutes": 600,
    "shards_at_least": 1,
    "chunks_per_shard": 0,
}


def entry(path, name):
    facts = probe_media(path)
    return {
        **{"recording": name, "path": str(path), "size": facts.size, "mtime_ns": facts.mtime_ns},
        **{"duration": facts.duration, "channels": facts.channels, "channels_mode": "mix"},
        **{"language": "es", "columns": {"device": "phone"}, "reference": "r.txt", "note": "odd"},
    }


@pytest.fixture
def sample(tmp_path):
    return [entry(write_wav(tmp_path / f"{n}.wav", hiss(2.0, 900, seed=n)), f"r{n}") for n in range(3)]


def test_names_of_derived_recordings():
    assert source_and_condition(derived_id("talk", "mp3-32k")) == ("talk", "mp3-32k")
    assert source_and_condition("talk") == ("talk", "original")


def test_what_is_made_stays_as_it_is(sample, tmp_path):
    folder, condition = tmp_path / "telephone", parse_condition("telephone")
    first = make_condition(sample, condition, folder)
    assert [item["recording"] for item in first.recordings] == ["r0+telephone", "r1+telephone", "r2+telephone"]
    assert all(item["language"] == "es" and item["columns"] == {"device": "phone"} for item in first.recordings)
    assert first.recordings[0]["note"] is None
    # A killed job has made some of them, perhaps half of one; a sample may grow and shrink.
    (folder / "r1.wav").write_bytes(b"half")
    again = make_condition([sample[0], sample[1]], condition, folder)
    assert again.recordings[0] == first.recordings[0]
    assert again.recordings[1]["size"] == first.recordings[1]["size"]
    assert not (folder / "r2.wav").exists()
    again.write(tmp_path / "made.json")
    assert ConditionOutput.read(tmp_path / "made.json") == again


def test_a_source_that_is_gone_costs_itself(sample, tmp_path):
    (tmp_path / "1.wav").unlink()
    said = []
    made = make_condition(sample, parse_condition("mp3 32"), tmp_path / "mp3", said.append)
    assert [item["recording"] for item in made.recordings] == ["r0+mp3-32k", "r2+mp3-32k"]
    assert "1.wav" in made.problems["r1"] and said == [f"r1: {made.problems['r1']}"]


def test_variants_share_their_audio_and_nothing_else(sample, tmp_path, monkeypatch):
    monkeypatch.setattr("audiogrid.planning.plan_settings.model_hash", lambda folder: f"hash of {folder.name}")
    monkeypatch.setattr("audiogrid.comparing.variant_plans.known_languages", lambda folder: frozenset({"en", "es"}))
    folder = RunFolder(tmp_path / "run").compare
    wanted = {"current": WANTED, "wide": {**WANTED, "options": {"beam_size": 5}}}
    models = {"current": [tmp_path / "base"], "wide": [tmp_path / "turbo"]}
    plans = plan_variants(sample, wanted, models, folder)
    shared = read_plan(folder.plan)
    assert shared.bundles == plans["current"].bundles == plans["wide"].bundles and shared.shards == []
    assert plans["wide"].settings.options["beam_size"] == 5 and plans["wide"].shards[0].model == "turbo"
    assert variant_folder(folder, "wide").chunks == folder.chunks
    # A variant that comes later has the bundles of the others, whatever happened before.
    more = [*sample, entry(write_wav(tmp_path / "new.wav", hiss(1.0, 900)), "new")]
    later = plan_variants(more, {**wanted, "late": WANTED}, {**models, "late": models["current"]}, folder)
    assert later["late"].bundles == later["current"].bundles
    assert later["current"].bundles[0] == shared.bundles[0]
    assert later["wide"].shards[0].spec == plans["wide"].shards[0].spec


def test_a_variant_that_cannot_decode_a_recording_leaves_it_out_for_all(sample, tmp_path, monkeypatch):
    monkeypatch.setattr("audiogrid.planning.plan_settings.model_hash", lambda folder: f"hash of {folder.name}")
    known = {"base": frozenset({"en", "es"}), "english": frozenset({"en"})}
    monkeypatch.setattr("audiogrid.comparing.variant_plans.known_languages", lambda folder: known[folder.name])
    folder = RunFolder(tmp_path / "run").compare
    wanted = {"current": WANTED, "other": WANTED}
    models = {"current": [tmp_path / "base"], "other": [tmp_path / "english"]}
    mixed = [{**sample[0], "language": "en"}, *sample[1:]]
    plans = plan_variants(mixed, wanted, models, folder)
    assert [[one.recording for one in plan.recordings] for plan in plans.values()] == [["r0"], ["r0"]]
    warnings = read_plan(folder.plan).warnings
    assert len(warnings) == 2 and warnings[0].startswith("r1: other cannot decode it.")
    with pytest.raises(InputError, match="nothing is left"):
        plan_variants(sample, wanted, models, folder)
