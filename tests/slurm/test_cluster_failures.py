"""Every kind of failure on a cluster: what is finished stays, only what is not is decoded, and the text is the same."""

from __future__ import annotations

import os
import signal
import subprocess
import time

import pytest

import runs
from cluster import wait_until
from require import require

pytestmark = [pytest.mark.workflow, pytest.mark.slurm, pytest.mark.faults]

# Shards of the plan: s0001 holds the English chunks, s0002 one of each other language.
SLOW = {"do": "pause", "seconds": 6}


def check(site, reference, kept, *, code=0, twice=()):
    """What every failure must leave behind.

    ``kept``: what was in the store when it struck. ``twice``: chunks that may have been decoded by two jobs.
    """
    assert runs.transcripts(site.run) == reference
    after = site.stored()
    assert {key: after[key] for key in kept} == kept, "finished chunks were touched"
    counts = runs.decoded(site.run)
    assert {chunk: number for chunk, number in counts.items() if number > 1 and chunk not in twice} == {}
    assert not list(site.store.glob("**/.tmp-*"))


def decoded_now(site, before):
    """Chunks decoded since ``before`` (a count of ``runs.decoded``)."""
    return set(runs.decoded(site.run) - before)


def test_workers_that_crash_cost_one_attempt_at_one_chunk_each(site, reference):
    crashes = {"en.0000": "segv", "en.0001": "kill", "es.0000": "abort"}
    output = site.go(env=site.faults({chunk: {"do": how, "times": 1} for chunk, how in crashes.items()}))
    check(site, reference, {})
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
    check(site, reference, kept)
    assert decoded_now(site, before) == {"fr.0000"}


def test_a_decode_that_hangs_is_stopped_and_tried_again(site, reference):
    fault = site.faults({"it.0000": {"do": "hang", "times": 1}})
    site.go("workers={chunk_timeout_minutes: 0.25}", env=fault)
    check(site, reference, {})


def test_a_cancelled_shard_goes_on_in_a_new_job(site, reference):
    process = site.start(env=site.faults({"es.0000": SLOW, "it.0000": SLOW}))
    kept = site.wait_for_results(1)
    wait_until(lambda: site.running(), 60, "a running shard")
    victims = [job["id"] for job in site.running()]
    site.cluster.ask("scancel", *victims)
    site.finish(process)
    check(site, reference, kept)
    states = {job["id"]: job["state"] for job in site.jobs()}
    assert {states[job] for job in victims} <= {"CANCELLED", "FAILED", "COMPLETED"}


def test_a_node_that_dies_with_its_job_and_comes_back(site, reference):
    process = site.start(env=site.faults({"es.0000": SLOW, "it.0000": SLOW, "en.0002": SLOW}))
    kept = site.wait_for_results(1)
    wait_until(lambda: site.running(), 60, "a running shard")
    job = site.running()[-1]
    site.cluster.kill_node(job["node"])
    wait_until(lambda: "down" in site.cluster.state_of(job["node"]), 60, "the node to be down")
    site.cluster.revive(job["node"])
    site.finish(process)
    # What a killed job had decoded but not noted any more was still in the store.
    check(site, reference, kept)


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
    check(site, reference, kept)
    assert {"the job's time limit is near", "SIGTERM was received", "done"} == site.endings()
    states = [job["state"] for job in site.jobs() if job["comment"].startswith("rule_transcribe")]
    assert "TIMEOUT" in states


def test_a_memory_limit_that_strikes_is_followed_by_a_job_with_more(site, reference):
    site.edits = {"transcribe": {"mem_mb": "2500 * attempt"}}
    site.go(env=site.faults({"fr.0000": {"do": "memory", "megabytes": 2600, "times": 1}}))
    check(site, reference, {})
    states = [job["state"] for job in site.jobs() if job["comment"].startswith("rule_transcribe")]
    # Without control groups Slurm calls it a failure.
    assert {"FAILED", "OUT_OF_MEMORY"} & set(states)


def test_a_driver_killed_in_the_middle_leaves_jobs_that_the_next_one_ends(site, reference):
    process = site.start(env=site.faults({"es.0000": SLOW, "it.0000": SLOW, "en.0002": SLOW}))
    kept = site.wait_for_results(1)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    left = {job["id"] for job in site.running()}
    # Nothing but the same command again: the lock is seen to be stale.
    output = site.go()
    assert left
    assert "left in the queue" in output
    check(site, reference, kept)
    assert not {job["id"] for job in site.running()}


@pytest.mark.parametrize("daemon", ["munged", "slurmctld"])
def test_a_daemon_that_is_restarted_after_a_while(site, reference, daemon):
    process = site.start(env=site.faults({"es.0000": SLOW, "it.0000": SLOW, "en.0000": SLOW}))
    # A job that is just beginning would wait minutes until Slurm lets it have its step.
    wait_until(lambda: site.at_work() == 2, 90, "both shards to be at work")
    # A slurmctld that is killed outright forgets jobs of the last seconds, and nobody could know of them any more.
    site.cluster.kill(daemon, signal.SIGTERM)
    wait_until(lambda: site.cluster.daemons[daemon].poll() is not None, 20, f"{daemon} to end")
    time.sleep(8)
    site.cluster.revive(daemon)
    site.finish(process)
    check(site, reference, {})


def test_jobs_that_slurm_cancels_for_others_or_forgets_are_submitted_again(site, reference):
    process = site.start(env=site.faults({"es.0000": SLOW, "it.0000": SLOW, "en.0000": SLOW}))
    wait_until(lambda: site.at_work() == 2, 90, "both shards to be at work")
    room = ("sbatch", "--partition=urgent", "--nodes=3", "--exclusive", "--output=/dev/null", "--wrap=true")
    site.cluster.ask(*room)
    wait_until(lambda: len(site.jobs("PREEMPTED")) == 2, 60, "both jobs to be preempted")
    kept = site.stored()
    wait_until(lambda: len(site.running()) == 2, 90, "both shards to be submitted again")
    # What a slurmctld that is killed loses of its last seconds, here all of it.
    site.cluster.kill("slurmctld")
    wait_until(lambda: site.cluster.daemons["slurmctld"].poll() is not None, 20, "slurmctld to end")
    for state in (site.cluster.root / "state").glob("job_state*"):
        state.unlink()
    site.cluster.revive("slurmctld")
    output = site.finish(process)
    assert output.count("was preempted") == 2
    assert output.count("is unknown to Slurm") == 2
    check(site, reference, kept, twice=runs.decoded(site.run))


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
