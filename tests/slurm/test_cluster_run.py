"""The workflow on a cluster without faults: what it submits, where it runs, and that the text is the same."""

from __future__ import annotations

import pytest

import runs

pytestmark = [pytest.mark.workflow, pytest.mark.slurm]


def test_a_run_on_the_cluster_gives_the_same_transcripts(site, reference):
    site.go()
    assert runs.transcripts(site.run) == reference
    assert set(runs.decoded(site.run).values()) == {1}
    rules = [job["comment"].split("_wildcards")[0] for job in site.jobs("COMPLETED")]
    # Only what is worth a job is one.
    assert set(rules) == {"rule_split", "rule_transcribe"}
