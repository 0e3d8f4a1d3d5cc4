"""Nothing that was accepted is lost: the service is killed at every step of a job's life and started again."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

import runs
from media import write_media
from servers import Server

pytestmark = [pytest.mark.service, pytest.mark.workflow, pytest.mark.faults]
ENGLISH = ("--config", "language=en")


def results(server: Server) -> dict[str, tuple[int, int]]:
    return runs.stored(server.path / "results" / "store")


def workers(server: Server) -> list[psutil.Process]:
    """Processes that decode: those with the model in memory."""
    assert server.process is not None
    children = psutil.Process(server.process.pid).children(recursive=True)
    return [child for child in children if child.memory_info().rss > 200 << 20]


def wait_for(is_true: Callable[[], object], seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_short_recordings_survive_every_kill(own_server: Server, clips: list[Path]) -> None:
    server = own_server.start(*ENGLISH)
    # Accepted, not begun: the answer has just come.
    jobs = [server.submit(clips[0])["id"]]
    server.stop(signal.SIGKILL)
    server.start(*ENGLISH)
    # Begun: the model decodes. The whole tree goes.
    jobs.append(server.submit(clips[1])["id"])
    wait_for(lambda: server.job(jobs[1])["status"] != "queued")
    server.stop(signal.SIGKILL, tree=True)
    server.start(*ENGLISH)
    assert [server.until(job)["status"] for job in jobs] == ["done", "done"]
    # Decoded, not yet written: a result appears in the store.
    known = results(server)
    jobs.append(server.submit(clips[2])["id"])
    wait_for(lambda: len(results(server)) > len(known))
    server.stop(signal.SIGKILL)
    decoded = results(server)
    server.start(*ENGLISH)
    assert server.until(jobs[2])["status"] == "done"
    # Done; and nothing was decoded again by any of the servers.
    server.stop(signal.SIGKILL)
    server.start(*ENGLISH)
    assert [server.job(job)["status"] for job in jobs] == ["done"] * 3
    assert results(server) == decoded and len(decoded) == 3
    assert all(json.loads(server.transcript(job))["segments"] for job in jobs)
    # The worker alone: its job is tried again, and the service stays.
    again = server.submit(clips[0], language="en", hotwords="Laura")["id"]
    wait_for(lambda: server.job(again)["status"] == "running" or server.job(again)["status"] == "done")
    for worker in workers(server):
        worker.kill()
    assert server.until(again)["status"] == "done"
    # In the middle of an upload: nothing was accepted, nothing stays.
    folders = set(server.state.glob("jobs/*/*"))
    begun = server.call("POST", "/v1/uploads", json={"name": "a.wav", "size": 100}).json()["id"]
    part = {"Content-Range": "bytes 0-9/100"}
    assert server.call("PUT", f"/v1/uploads/{begun}", headers=part, data=b"0" * 10, allow_redirects=False).ok
    server.stop(signal.SIGKILL)
    (server.state / "jobs" / "ab" / "abandoned" / "upload").mkdir(parents=True)
    server.start(*ENGLISH)
    assert set(server.state.glob("jobs/*/*")) == folders
    asked = server.call("PUT", f"/v1/uploads/{begun}", headers={"Content-Range": "bytes */100"}, allow_redirects=False)
    assert asked.json()["arrived"] == 10
    # A second server refuses, and the first one ends when it is asked to.
    second = server.process
    with pytest.raises(AssertionError, match=r"works in .* already"):
        server.start()
    server.process = second
    assert server.stop() == 0
    assert server.nobody_is_left()


def test_a_transcript_that_nobody_recorded_is_made_again(own_server: Server, clips: list[Path]) -> None:
    """The worker is done, and the server dies before it knows."""
    server = own_server.start(*ENGLISH, "service={workers: 1}")
    assert server.process is not None
    server.until(server.submit(clips[1])["id"])
    (worker,) = workers(server)
    known = results(server)
    job = server.submit(clips[0])["id"]
    wait_for(lambda: server.job(job)["status"] == "running" or len(results(server)) > len(known))
    server.process.send_signal(signal.SIGSTOP)
    wait_for(lambda: list(server.state.glob(f"jobs/*/{job}/run/transcripts/*.json")))
    wait_for(lambda: is_at_rest(worker))
    server.stop(signal.SIGKILL)
    wait_for(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE)
    decoded = results(server)
    server.start(*ENGLISH)
    assert server.until(job)["status"] == "done"
    assert json.loads(server.transcript(job))["segments"] and results(server) == decoded


def is_at_rest(process: psutil.Process) -> bool:
    """Whether a process used no processor for a while."""
    before = process.cpu_times()
    time.sleep(0.3)
    return process.cpu_times() == before


def test_long_recordings_survive_every_kill(own_server: Server, tmp_path: Path, speech: Callable[..., Any]) -> None:
    options = ("--config", "language=en", "chunk_minutes=0.5", "service={short_minutes: 0.3}")
    files = [write_media(tmp_path / f"long{number}.flac", speech(40.0, seed=70 + number).pcm) for number in range(2)]
    server = own_server.start(*options)
    jobs = [server.submit(file)["id"] for file in files]
    wait_for(lambda: list(server.state.glob("runs/*/results/jobs/plan.json")))
    # Snakemake alone, then the server, then everything at once.
    assert server.process is not None
    for child in psutil.Process(server.process.pid).children(recursive=True):
        if "snakemake" in child.cmdline() and "--mode" not in child.cmdline():
            child.kill()
            break
    wait_for(lambda: len(results(server)) >= 1, 120)
    server.stop(signal.SIGKILL)
    server.start(*options)
    wait_for(lambda: len(results(server)) >= 2, 120)
    server.stop(signal.SIGKILL, tree=True)
    assert server.nobody_is_left()
    decoded = results(server)
    server.start(*options)
    assert [server.until(job)["status"] for job in jobs] == ["done", "done"]
    assert decoded.items() <= results(server).items()
    for number, job in enumerate(jobs):
        document = json.loads(server.transcript(job))
        assert document["path"] == f"long{number}.flac" and document["segments"]
    wait_for(lambda: not list(server.state.glob("runs/*")))
