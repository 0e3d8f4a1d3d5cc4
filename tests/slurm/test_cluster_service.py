"""The service on a login node: long recordings become jobs of Slurm, short ones are decoded at once where it runs."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from cluster import wait_until
from servers import Server

pytestmark = [pytest.mark.workflow, pytest.mark.slurm, pytest.mark.service]
OPTIONS = ("--profile", "site", "--config", "chunk_minutes=0.5", "service={short_minutes: 0.2}")


class ClusterServer(Server):
    """A server that reaches the commands of Slurm."""

    variables: dict[str, str]

    def _environment(self) -> dict[str, str]:
        known = super()._environment()
        quick = Path(__file__).with_name("quick")
        return {**known, **self.variables, "PYTHONPATH": f"{quick}{os.pathsep}{known['PYTHONPATH']}"}


def test_long_recordings_are_decoded_on_the_cluster_also_when_the_server_is_killed(
    site: Any, base_model: Path, speech: Any, tmp_path: Path
) -> None:
    from media import write_media

    site.write_profile()
    server = ClusterServer(tmp_path.resolve() / "server", base_model)
    server.variables = {key: site.environment[key] for key in site.environment if key != "PYTHONPATH"}
    shutil.copytree(site.path / "profiles" / "site", server.path / "profiles" / "site")

    def submitted(*states: str) -> list[dict[str, str]]:
        here = str(server.state / "runs")
        jobs = [job for job in site.cluster.jobs(*states) if job["folder"].startswith(here)]
        return [job for job in jobs if job["comment"].startswith("rule_transcribe")]

    try:
        server.start(*OPTIONS)
        recordings = site.path / "in"
        long = [server.submit(recordings / f"{name}.wav", language=name)["id"] for name in ("en", "es")]
        assert {server.job(job)["lane"] for job in long} == {"long"}
        wait_until(lambda: submitted("RUNNING"), 300, "a shard at work on the cluster")
        clip = server.submit(write_media(tmp_path / "clip.wav", speech(5.0, seed=40).pcm), language="en")
        assert (clip["lane"], server.until(clip["id"])["status"]) == ("short", "done")
        server.stop(signal.SIGKILL)
        server.start(*OPTIONS)
        assert [server.until(job)["status"] for job in long] == ["done", "done"]
        assert submitted("COMPLETED")
        for job, language in zip(long, ("en", "es"), strict=True):
            document = json.loads(server.transcript(job))
            assert document["language"] == language and document["segments"]
        wait_until(lambda: not list(server.state.glob("runs/*")), 120, "the end of the run")
        assert not submitted("RUNNING", "PENDING")
    finally:
        server.close()
