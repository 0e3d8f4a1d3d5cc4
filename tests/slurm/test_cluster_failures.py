"""Failures of jobs on a cluster: finished chunks stay, only the others are decoded, and the text is the same."""

from __future__ import annotations

import subprocess

import pytest

import runs
from cluster import wait_until
from require import require

pytestmark = [pytest.mark.workflow, pytest.mark.slurm, pytest.mark.faults]

# Shards of the plan: s0001 holds the English chunks, s0002 one of each other language.
SLOW = {"do": "pause", "seconds": 6}


def decoded_now(site, before):
    """Chunks decoded since ``before`` (a count of ``runs.decoded``)."""
    return set(runs.decoded(site.run) - before)


def test_workers_that_crash_cost_one_attempt_at_one_chunk_each(site, reference):
    crashes = {"en.0000": "segv", "en.0001": "kill", "es.0000": "abort"}
    output = site.go(env=site.faults({chunk: {"do": how, "times": 1} for chunk, how in crashes.items()}))
    site.check(reference, {})
    assert set(runs.decoded(site.run).values()) == {1}
    # The jobs themselves went well.
    assert "failed" not in {job["state"].lower() for job in site.jobs()}
    assert "Error in rule" not in output


def test_a_chunk_that_always_fails_withholds_its_recording_and_is_tried_alone_the_next_time(site, reference):
    site.edits = {"retries": 1}
    output = site.go(code=1, env=site.faults({"fr.0000": {"do": "abort"}}))
    assert "fr.0000" in output
    assert "SIGABRT" in output
    (failed,) = runs.table(site.run / "failed.tsv")
    assert (failed["recording"], failed["chunk"]) == ("fr", "fr.0000")
    assert runs.transcripts(site.run) == {name: hash_ for name, hash_ in reference.items() if "/fr." not in name}
    kept, before = site.stored(), runs.decoded(site.run)
    site.go()
    site.check(reference, kept)
    assert decoded_now(site, before) == {"fr.0000"}


def test_a_decode_that_hangs_is_stopped_and_tried_again(site, reference):
    fault = site.faults({"it.0000": {"do": "hang", "times": 1}})
    # Long enough for the hardest chunk (5 CPU-seconds) beside other tests.
    site.go("workers={chunk_timeout_minutes: 0.5}", env=fault)
    site.check(reference, {})


def test_a_cancelled_shard_goes_on_in_a_new_job(site, reference):
    process = site.start(env=site.faults({"es.0000": SLOW, "it.0000": SLOW}))
    kept = site.wait_for_results(1)
    wait_until(lambda: site.running(), 300, "a running shard")
    victims = [job["id"] for job in site.running()]
    site.cluster.ask("scancel", *victims)
    site.finish(process)
    site.check(reference, kept)
    states = {job["id"]: job["state"] for job in site.jobs()}
    assert {states[job] for job in victims} <= {"CANCELLED", "FAILED", "COMPLETED"}


def test_a_time_limit_costs_what_was_being_decoded_at_most(site, reference):
    # One shard stands still until its limit ends it, after a minute or so; the other is slow and stops in time.
    site.edits = {"transcribe": {"runtime": "attempt"}}
    faults = {
        "en.0002": {"do": "pause", "seconds": 600, "times": 1},
        "es.0000": {"do": "pause", "seconds": 34, "times": 1},
    }
    process = site.start(env=site.faults(faults))
    kept = site.wait_for_results(1)
    site.finish(process)
    site.check(reference, kept)
    assert {"the job's time limit is near", "SIGTERM was received", "done"} == site.endings()
    states = [job["state"] for job in site.jobs() if job["comment"].startswith("rule_transcribe")]
    assert "TIMEOUT" in states


def test_a_memory_limit_that_strikes_is_followed_by_a_job_with_more(site, reference):
    site.edits = {"transcribe": {"mem_mb": "2500 * attempt"}}
    site.go(env=site.faults({"fr.0000": {"do": "memory", "megabytes": 2600, "times": 1}}))
    site.check(reference, {})
    states = [job["state"] for job in site.jobs() if job["comment"].startswith("rule_transcribe")]
    # Without control groups Slurm calls it a failure.
    assert {"FAILED", "OUT_OF_MEMORY"} & set(states)


def test_a_full_disk_is_said_and_the_next_run_goes_on(site, reference, small_disk):
    require("tmpfs", small_disk, "mounting a tmpfs needs root")
    store = small_disk / "store"
    site.edits = {"retries": 0}
    output = site.go(f"store={store}", code=1)
    assert "No space left" in output
    assert "free space" in output
    kept = runs.stored(store)
    subprocess.run(["mount", "-o", "remount,size=8m", str(small_disk)], check=True)
    site.go(f"store={store}")
    after = runs.stored(store)
    assert {key: after[key] for key in kept} == kept
    assert runs.transcripts(site.run) == reference
    assert set(runs.decoded(site.run).values()) == {1}


def test_damaged_results_are_decoded_again_and_nothing_else(site, reference):
    # What a store looks like after a disk fault: made here, read on the nodes.
    site.workspace.snakemake("--config", *site.settings)
    before = site.stored()
    paths = sorted(site.store.glob("??/*.json"))
    flipped = bytearray(paths[0].read_bytes())
    flipped[len(flipped) // 2] ^= 1
    paths[0].write_bytes(flipped)
    paths[1].write_bytes(paths[1].read_bytes()[:100])
    site.go("run=z")
    damaged = {path.stem for path in paths[:2]}
    after = site.stored()
    assert {key: facts for key, facts in after.items() if key not in damaged} == {
        key: facts for key, facts in before.items() if key not in damaged
    }
    other = site.path / "results" / "z"
    assert sum(runs.decoded(other).values()) == 2
    assert runs.transcripts(other) == reference
