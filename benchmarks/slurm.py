"""What running on a cluster costs, on a Slurm that is started for this and removed afterwards (tests/slurm/cluster.py).

    .venv/bin/python benchmarks/slurm.py hour       1 h, 12 chunks: a job per chunk, the default, all in one job
    .venv/bin/python benchmarks/slurm.py plan       2,000 recordings of 6 chunks: Snakemake's time and memory
    .venv/bin/python benchmarks/slurm.py failures   seconds that every failure of tests/slurm costs

The cluster has one node with the cores of this machine; every decoding process has one core. Snakemake polls its jobs
once a second, so that the figures are those of Slurm and Snakemake, not of a polling interval.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "slurm")]

from overhead import DATA, measured, workspace  # noqa: E402

from audiogrid.records.plan_files.reader import open_plan  # noqa: E402
from cluster import Cluster  # noqa: E402
from split import make_recording  # noqa: E402

CORES = len(os.sched_getaffinity(0))
FAST_SNAKEMAKE = ROOT / "tests" / "slurm" / "fast_snakemake.py"


@contextmanager
def a_cluster(**more: int) -> Iterator[Cluster]:
    """A cluster of one node with the cores of this machine."""
    root = Path(tempfile.mkdtemp(prefix="slurm-", dir="/tmp"))
    cluster = Cluster(root, nodes=1, cores=CORES, **more)
    cluster.start()
    try:
        yield cluster
    finally:
        cluster.stop()


def write_profile(folder: Path, threads: int) -> None:
    """Writes the shipped profile for a site without GPUs, with short polling intervals."""
    profile = yaml.safe_load((folder / "profiles" / "slurm" / "config.yaml").read_text())
    profile["set-resources"]["transcribe"] = {"processes": threads, "mem_mb": 2500}
    profile["set-threads"]["transcribe"] = threads
    profile |= {
        "slurm-init-seconds-before-status-checks": 1,
        "max-status-checks-per-second": 10,
        "slurm-status-command": "squeue",
        "slurm-efficiency-report": False,
        "latency-wait": 5,
    }
    (folder / "profiles" / "site").mkdir()
    (folder / "profiles" / "site" / "config.yaml").write_text(yaml.safe_dump(profile))


def hour(name: str, shards: str, threads: int, hours: float) -> None:
    """Measures a run over one recording, from an empty store. ``threads``: cores and processes of a transcribe job."""
    recording = make_recording(hours)
    folder = workspace(f"slurm-{name.replace(' ', '-')}")
    write_profile(folder, threads)
    with a_cluster() as cluster:
        path = f"{cluster.root / 'bin'}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        argv = [sys.executable, str(FAST_SNAKEMAKE), "--profile", "profiles/site", "--config", "run=x", "language=en"]
        argv += [f"recordings={json.dumps(str(recording))}", f"shards={shards}"]
        began = time.perf_counter()
        done = subprocess.run(
            argv,
            cwd=folder,
            env={**os.environ, **cluster.environment, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        wall = time.perf_counter() - began
        jobs = len(cluster.jobs())
    if done.returncode:
        raise SystemExit(done.stdout[-3000:] + done.stderr[-3000:])
    reports = [json.loads(path.read_text()) for path in (folder / "results" / "x" / "shards").glob("*.json")]
    audio = sum(report["audio_seconds"] for report in reports)
    worker_seconds = sum(report["worker_seconds"] for report in reports)
    decoding = worker_seconds / CORES
    print(
        f"{name:22} {len(reports):3} shards  {jobs / (audio / 3600):5.1f} submissions per hour of audio  {wall:6.1f} s"
        f"  {(wall - decoding) / jobs:5.1f} s of overhead per submission  {1 - decoding / wall:5.1%} not decoding",
        flush=True,
    )
    shutil.rmtree(folder)


def make_silence(count: int, minutes: int) -> Path:
    """Returns a folder of ``count`` recordings of digital silence, 40 KB each, for measurements without decoding."""
    from soundfile import write

    folder = DATA / f"silence-{count}-{minutes}"
    if folder.is_dir():
        return folder
    partial = folder.with_suffix(".partial")
    partial.mkdir(parents=True, exist_ok=True)
    first = partial / "r0000.flac"
    write(first, np.zeros(minutes * 60 * 8000, np.int16), 8000)
    for number in range(1, count):
        shutil.copyfile(first, partial / f"r{number:04d}.flac")
    partial.rename(folder)
    return folder


def plan(count: int) -> None:
    """Measures planning ``count`` recordings of six chunks, then dry runs of the plan, here and for a cluster."""
    folder = workspace("slurm-plan")
    options = ("--config", "run=x", f"recordings={json.dumps(str(make_silence(count, 30)))}", "language=en")
    wall, cpu, memory, _ = measured(folder, "plan", *options)
    made = open_plan(folder / "results" / "x" / "plan.json")
    chunks = sum(bundle.chunks for bundle in made.bundles)
    print(
        f"{made.count} recordings, {chunks} chunks, {len(made.bundles)} bundles, {len(made.shards)} shards:"
        f" probe and plan {wall:.1f} s, cpu {cpu:.1f} s, {memory:.0f} MB"
    )
    wall, cpu, memory, _ = measured(folder, "-n", *options)
    print(f"  dry run, local: {wall:.1f} s, cpu {cpu:.1f} s, {memory:.0f} MB")
    wall, cpu, memory, _ = measured(folder, "--profile", "profiles/slurm", "-n", *options)
    print(f"  dry run, Slurm (with new shards): {wall:.1f} s, cpu {cpu:.1f} s, {memory:.0f} MB")
    shutil.rmtree(folder)


UNDISTURBED = "test_a_run_on_the_cluster_gives_the_same_transcripts"


def failures(only: str) -> None:
    """Runs the tests of failures; prints how much longer each took than an undisturbed run. ``only``: pytest's -k."""
    choice = ["-k", f"{UNDISTURBED} or ({only})"] if only else []
    with tempfile.TemporaryDirectory() as folder:
        times = Path(folder) / "times.jsonl"
        environment = {**os.environ, "AUDIOGRID_TIMES": str(times), "AUDIOGRID_REQUIRE": "slurm"}
        argv = [sys.executable, "-m", "pytest", "-q", "tests/slurm", *choice]
        subprocess.run(argv, cwd=ROOT, env=environment, check=True)
        rows = [json.loads(line) for line in times.read_text().splitlines()]
    quiet = next(row["seconds"] for row in rows if row["test"] == UNDISTURBED)
    print(f"an undisturbed run: {quiet:.0f} s")
    for row in rows:
        name = row["test"].removeprefix("test_").replace("_", " ")
        print(f"  {row['seconds'] - quiet:+5.0f} s  {name}")


def main() -> None:
    # When this program is told to end, it ends its cluster, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", default=["hour", "plan"])
    parser.add_argument("--hours", type=float, default=1.0, help="length of the recording of `hour`")
    parser.add_argument("--only", default="", metavar="EXPRESSION", help="which tests of `failures` (pytest -k)")
    arguments = parser.parse_args()
    for what in arguments.what:
        match what:
            case "hour":
                hour("a job per chunk", "{chunks_per_shard: 1}", 1, arguments.hours)
                hour("the default", "{}", 1, arguments.hours)
                hour("all in one job", "{at_least: 1}", CORES, arguments.hours)
            case "plan":
                plan(2000)
            case "failures":
                failures(arguments.only)
            case other:
                parser.error(f"unknown: {other}")


if __name__ == "__main__":
    main()
