"""Slurm, its nodes or the driver fail: finished chunks stay, only the others are decoded, and the text is the same."""

from __future__ import annotations

import json
import os
import signal
import time

import pytest

import runs
from cluster import wait_until

pytestmark = [pytest.mark.workflow, pytest.mark.slurm, pytest.mark.faults]

SLOW = {"do": "pause", "seconds": 6}


def test_a_node_that_dies_with_its_job_and_comes_back(site, reference):
    process = site.start(env=site.faults({"es.0000": SLOW, "it.0000": SLOW, "en.0002": SLOW}))
    kept = site.wait_for_results(1)
    wait_until(lambda: site.running(), 300, "a running shard")
    job = site.running()[-1]
    site.cluster.kill_node(job["node"])
    wait_until(lambda: "down" in site.cluster.state_of(job["node"]), 300, "the node to be down")
    site.cluster.revive(job["node"])
    site.finish(process)
    # What a killed job had decoded but not noted any more was still in the store.
    site.check(reference, kept)


def test_a_driver_killed_in_the_middle_leaves_jobs_that_the_next_one_ends(site, reference):
    process = site.cron(env=site.faults({"es.0000": SLOW, "it.0000": SLOW, "en.0002": SLOW}))
    kept = site.wait_for_results(1)
    os.kill(json.loads((site.path / ".snakemake" / "audiogrid_driver.json").read_text())["pid"], signal.SIGKILL)
    # cron mails the end of the log.
    assert "Transcribing" in site.finish(process)
    left = {job["id"] for job in site.running()}
    # Nothing but the same line of the crontab again: the lock is seen to be stale.
    assert site.finish(site.cron()) == ""
    assert left
    assert "left in the queue" in (site.path / "cron.log").read_text()
    site.check(reference, kept)
    assert not {job["id"] for job in site.running()}


@pytest.mark.parametrize("daemon", ["munged", "slurmctld"])
def test_a_daemon_that_is_restarted_after_a_while(site, reference, daemon):
    process = site.start(env=site.faults({"es.0000": SLOW, "it.0000": SLOW, "en.0000": SLOW}))
    # A job that is just beginning would wait minutes until Slurm lets it have its step.
    wait_until(lambda: site.at_work() == 2, 300, "both shards to be at work")
    # A slurmctld that is killed outright forgets jobs of the last seconds, and nobody could know of them any more.
    site.cluster.kill(daemon, signal.SIGTERM)
    wait_until(lambda: site.cluster.daemons[daemon].poll() is not None, 120, f"{daemon} to end")
    time.sleep(8)
    site.cluster.revive(daemon)
    site.finish(process)
    site.check(reference, {})


def test_jobs_that_slurm_cancels_for_others_or_forgets_are_submitted_again(site, reference):
    process = site.start(env=site.faults({"es.0000": SLOW, "it.0000": SLOW, "en.0000": SLOW}))
    wait_until(lambda: site.at_work() == 2, 300, "both shards to be at work")
    room = ("sbatch", "--partition=urgent", "--nodes=3", "--exclusive", "--output=/dev/null", "--wrap=true")
    site.cluster.ask(*room)
    wait_until(lambda: len(site.jobs("PREEMPTED")) == 2, 300, "both jobs to be preempted")
    kept = site.stored()
    wait_until(lambda: len(site.running()) == 2, 300, "both shards to be submitted again")
    # What a slurmctld that is killed loses of its last seconds, here all of it.
    site.cluster.kill("slurmctld")
    wait_until(lambda: site.cluster.daemons["slurmctld"].poll() is not None, 120, "slurmctld to end")
    for state in (site.cluster.root / "state").glob("job_state*"):
        state.unlink()
    site.cluster.revive("slurmctld")
    output = site.finish(process)
    assert output.count("was preempted") == 2
    assert output.count("is unknown to Slurm") == 2
    site.check(reference, kept, twice=runs.decoded(site.run))
