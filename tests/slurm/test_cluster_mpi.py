"""One transcribe job over two nodes, as ranks that srun starts."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

import runs
from require import require

pytestmark = [pytest.mark.workflow, pytest.mark.slurm, pytest.mark.mpi]

MPI = "mpi={tasks: 2}"
# The nodes are one machine: ranks of different nodes talk over TCP, and root may start them.
ENVIRONMENT = {"OMPI_MCA_btl": "self,tcp", "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}


@pytest.fixture(autouse=True)
def two_nodes(site):
    """What a site sets for an MPI job on CPU nodes."""
    probe = subprocess.run([sys.executable, "-c", "import mpi4py.MPI"], capture_output=True, check=False)
    require("mpi", probe.returncode == 0, "pip install '.[mpi]' and apt-get install openmpi-bin")
    kinds = subprocess.run(
        ["srun", "--mpi=list"], env={**os.environ, **site.environment}, capture_output=True, text=True, check=False
    )
    require("mpi", "pmix" in kinds.stdout + kinds.stderr, "apt-get install libpmix-dev")
    site.edits["transcribe"] = {"gpu": 0, "nodes": 2}


def members(site):
    (report,) = (site.run / "shards").glob("*.json")
    return json.loads(report.read_text())["made"]["ranks"]


def test_one_job_over_two_nodes_gives_the_same_transcripts(site, reference):
    site.go(MPI, env=ENVIRONMENT)
    assert runs.transcripts(site.run) == reference
    assert set(runs.decoded(site.run).values()) == {1}
    (job,) = [job for job in site.jobs("COMPLETED") if job["comment"].startswith("rule_transcribe")]
    assert "," in job["node"] or "-" in job["node"]
    assert [member["rank"] for member in members(site)] == [0, 1]
    assert all(member["decoded"] for member in members(site))


def test_a_lost_node_ends_the_job_and_the_retry_decodes_what_is_missing(site, reference):
    process = site.start("mpi={tasks: 2, silence_seconds: 20}", env=ENVIRONMENT)
    before = site.wait_for_results(2)
    site.cluster.kill_node("node2")
    site.cluster.revive("node2")
    site.finish(process)
    after = site.stored()
    assert {key: after[key] for key in before} == before
    assert set(runs.decoded(site.run).values()) == {1}
    assert runs.transcripts(site.run) == reference
