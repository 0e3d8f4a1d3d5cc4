"""What a plan finds in the store, from the notes that split leaves."""

from __future__ import annotations

from dataclasses import replace

import pytest

from audiogrid.decoding.revisions import complete_options, store_keys
from audiogrid.planning.bundles_and_shards import plan_recordings
from audiogrid.planning.plan_summary import ModelSpeed, plan_summary_lines
from audiogrid.planning.store_preview import StoreLookup
from audiogrid.records.plan import Plan, Recording, Settings
from audiogrid.records.prices import Prices
from audiogrid.records.results import empty_result
from audiogrid.records.store import Store
from audiogrid.splitting.cut_cache import KnownCuts, write_cuts
from audiogrid.splitting.split_bundle import SplitJob, split_bundle
from media import write_wav
from speech import hiss


@pytest.fixture
def recordings(tmp_path):
    found = []
    for number, seconds in enumerate((100, 30)):
        path = write_wav(tmp_path / f"{number}.wav", hiss(seconds, 500, seed=number))
        status = path.stat()
        facts = (str(path), status.st_size, status.st_mtime_ns, seconds * 16_000)
        found.append(Recording(f"r{number}", *facts, 1, "mix", chunks=2 if number == 0 else 1))
    return found


@pytest.fixture
def run(tmp_path, recordings):
    """A run in which the first recording was split."""
    one = recordings[0]
    job = SplitJob(one.recording, one.path, one.size, one.mtime_ns, "mix", one.duration, one.chunks)
    manifest = split_bundle([job], tmp_path / "chunks", "b0001")
    write_cuts(tmp_path / "results" / "old", [job], manifest)
    return manifest.chunks


def planned(recordings, **options) -> Plan:
    return plan_recordings(recordings, Settings("base", {"base": "hash"}, complete_options(options), 1, 60, 600, 1, 0))


def preview_store(plan, cuts, store):
    """What the store holds of a whole plan."""
    lookup = StoreLookup(plan.settings, store)
    lookup.add(plan.recordings, cuts, plan.shards)
    return lookup.found


def test_what_is_in_the_store_is_known_before_anything_is_cut(tmp_path, recordings, run):
    store, plan = Store(tmp_path / "store"), planned(recordings)
    cuts = KnownCuts(tmp_path / "results").of("b0001", plan.recordings)
    before = preview_store(plan, cuts, store)
    assert (before.stored_chunks, before.waiting_chunks, before.uncut, before.shards) == (0, 3, 1, 1)
    assert before.waiting == {"base": 130 * 16_000}
    key = store_keys(run[0], plan.models["base"], plan.options_for(plan.recordings[0]))[0]
    store.put(key, empty_result(10, "en"), {})
    after = preview_store(plan, cuts, store)
    assert (after.stored_chunks, after.waiting_chunks, after.shards) == (1, 2, 1)
    speeds = {"base": ModelSpeed(10.0, "measured")}
    said = "\n".join(plan_summary_lines(plan, speeds, 1, after))
    assert "in the store 1 of 3 chunk(s)" in said
    assert "to decode    2 chunk(s), 0.02 h, in 1 shard(s), 1 of them never cut before" in said
    assert "estimate     0.00 core-hours" in said and "cost" not in said
    hours = sum(after.waiting.values()) / 16_000 / 3600 / 10
    assert f"cost         {hours * 1000:.2f} EUR" in plan_summary_lines(plan, speeds, 1, after, Prices(1000, 0, "EUR"))
    assert preview_store(planned([]), {}, store).lines() == ["to decode    nothing: the store has every chunk"]
    assert after.stored == run[0].end - run[0].start and after.stored + after.waiting["base"] == 130 * 16_000
    # Other options are other texts, and a file under another name in another run is the same audio.
    assert preview_store(planned(recordings, beam_size=5), cuts, store).stored_chunks == 0
    renamed = planned([replace(recordings[0], recording="other"), recordings[1]])
    assert (
        preview_store(renamed, KnownCuts(tmp_path / "results").of("b0001", renamed.recordings), store).stored_chunks
        == 1
    )


def test_a_changed_file_counts_as_new(tmp_path, recordings, run):
    changed = planned([replace(recordings[0], mtime_ns=1), recordings[1]])
    assert (
        preview_store(changed, KnownCuts(tmp_path / "results").of("b0001", changed.recordings), Store(tmp_path)).uncut
        == 3
    )


def test_damaged_notes_are_passed_over(tmp_path, recordings, run):
    folder = tmp_path / "results" / "old" / ".state" / "cuts"
    (folder / "b0002.json").write_text('{"schema": 1')
    (folder / "b0003.json").write_text('{"schema": 99, "recordings": []}')
    assert len(KnownCuts(tmp_path / "results").of("b0001", recordings)) == 1


def test_a_plan_that_is_read_by_part_has_the_same_preview(tmp_path, recordings, run):
    store, cuts = Store(tmp_path / "store"), KnownCuts(tmp_path / "results", tmp_path / "results" / "other")
    many = [replace(recordings[n % 2], recording=f"m{n}", duration=40 * 60 * 16_000, chunks=40) for n in range(6)]
    plan = planned([*recordings, *many])
    store.put(store_keys(run[0], "hash", plan.options_for(recordings[0]))[0], empty_result(10, "en"), {})
    assert len(plan.bundles) > 2 and len(plan.shards) > 0
    whole = preview_store(plan, cuts.of("b0001", plan.recordings), store)
    lookup = StoreLookup(plan.settings, store)
    for bundle in plan.bundles:
        own = [plan.recording[name] for name in bundle.recordings]
        shards = [plan.shard[name] for name in plan.shards_of_bundle[bundle.bundle] if not lookup.is_waiting(name)]
        lookup.add(own, cuts.of(bundle.bundle, own), shards)
    assert lookup.found == whole and whole.stored_chunks == 1 and whole.shards == len(plan.shards)
