"""A Slurm for the tests of this layer, and a way to run the workflow on it."""

from __future__ import annotations

import getpass
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

import runs
from cluster import INSTALL, Cluster, missing_programs, wait_until
from media import write_wav
from places import ROOT
from require import require

FAST_SNAKEMAKE = Path(__file__).with_name("fast_snakemake.py")
# Chunks of half a minute. Every recording has a language of its own: what differs in its options is decoded apart, so
# that a shard goes on in several steps.
SETTINGS = ("run=x", "recordings=in/recordings.tsv", "chunk_minutes=0.5", "bundle_minutes=30", "formats=[txt,json]")
# Language, and which human prompts of it: 75 s of English, about 20 s of the others; six chunks.
RECORDINGS = {"en": range(80, 98), "es": range(20, 26), "fr": range(40, 46), "it": range(40, 46)}


@pytest.fixture(scope="session")
def small_disk() -> Iterator[Path | None]:
    """A file system of 24 KB; None where this user may not mount one. Nodes see what was there before them."""
    folder = Path(tempfile.mkdtemp(prefix="disk-", dir="/tmp"))
    command = ["mount", "-t", "tmpfs", "-o", "size=24k", "tmpfs", str(folder)]
    mounted = subprocess.run(command, check=False, capture_output=True).returncode == 0
    try:
        yield folder if mounted else None
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)
        folder.rmdir()


@pytest.fixture(scope="session")
def running_cluster(small_disk: Path | None) -> Iterator[Cluster]:
    lacking = missing_programs()
    require("slurm", not lacking, f"{', '.join(lacking)}: {INSTALL}")
    # Not pytest's own folder: the path of a socket may not be long.
    root = Path(tempfile.mkdtemp(prefix="slurm-", dir="/tmp"))
    cluster = Cluster(root)
    cluster.start()
    try:
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture
def cluster(running_cluster: Cluster) -> Iterator[Cluster]:
    """All nodes idle at the beginning, nothing running at the end."""
    yield running_cluster
    running_cluster.heal()


@dataclass
class Site:
    """A clone on the login node of a cluster."""

    workspace: Any
    cluster: Cluster
    edits: dict[str, Any] = field(default_factory=dict)

    settings = SETTINGS

    @property
    def path(self) -> Path:
        return self.workspace.path

    @property
    def run(self) -> Path:
        """Results of the run that most tests make."""
        return self.path / "results" / "x"

    @property
    def store(self) -> Path:
        return self.path / "results" / "store"

    @property
    def environment(self) -> dict[str, str]:
        mine = self.cluster.environment
        return {**mine, "PATH": f"{self.cluster.root / 'bin'}{os.pathsep}{self.workspace.environment['PATH']}"}

    def write_profile(self) -> None:
        """The profile as it is shipped, edited as a site would, and with quick looks at the jobs."""
        profile = yaml.safe_load((self.path / "profiles" / "slurm" / "config.yaml").read_text())
        profile["default-resources"]["slurm_partition"] = "cpu"
        profile["set-resources"]["transcribe"]["slurm_partition"] = "gpu"
        profile["set-resources"]["transcribe"].update(self.edits.get("transcribe", {}))
        profile |= {
            "slurm-init-seconds-before-status-checks": 1,
            "max-status-checks-per-second": 10,
            "slurm-status-command": "squeue",
            "latency-wait": 5,
        }
        profile |= {key: value for key, value in self.edits.items() if key != "transcribe"}
        target = self.path / "profiles" / "site" / "config.yaml"
        target.parent.mkdir(exist_ok=True)
        target.write_text(yaml.safe_dump(profile))

    def start(self, *options: str, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
        """Start Snakemake with options and settings (``key=value``)."""
        self.write_profile()
        config = [option for option in options if not option.startswith("-")]
        others = [option for option in options if option.startswith("-")]
        argv = [sys.executable, str(FAST_SNAKEMAKE), "--profile", "profiles/site", *others]
        return self.workspace.start(*argv, "--config", *SETTINGS, *config, env={**self.environment, **(env or {})})

    def cron(self, *config: str, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
        """Start the crontab line of docs/archive.md as cron does, in an environment that is nearly empty.

        ``config``: more settings; ``env``: lines of the crontab that set variables. What it prints cron would mail.
        """
        self.write_profile()
        (entry,) = re.findall(r"^0 20 \* \* \*  (.*)$", (ROOT / "docs" / "archive.md").read_text(), re.MULTILINE)
        for words, ours in (
            ("/archive/project", [str(self.path)]),
            (".venv/bin/snakemake", [sys.executable, str(FAST_SNAKEMAKE)]),
            ("profiles/slurm", ["profiles/site"]),
            ("run=archive recordings=/archive/audio", [*SETTINGS, *config]),
        ):
            assert entry.count(words) == 1
            entry = entry.replace(words, shlex.join(ours))
        home = {"HOME": str(self.path / "home"), "LOGNAME": getpass.getuser(), "SHELL": "/bin/sh"}
        path = f"{self.cluster.root / 'bin'}:/usr/bin:/bin"
        return self.workspace.launch(["/bin/sh", "-c", entry], {**home, "PATH": path, **(env or {})})

    def finish(self, process: subprocess.Popen[str], code: int = 0, timeout: float = 600) -> str:
        """Wait for a started Snakemake; its output. Shows logs when it does not end with ``code``."""
        try:
            output, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self.workspace.kill(process)
            output, _ = process.communicate()
            pytest.fail(f"still running after {timeout} s:\n{output[-6000:]}\n{self.logs()}")
        if process.returncode != code:
            pytest.fail(f"ended with {process.returncode} instead of {code}:\n{output[-6000:]}\n{self.logs()}")
        return output

    def go(self, *options: str, env: dict[str, str] | None = None, code: int = 0, timeout: float = 600) -> str:
        """Run Snakemake to its end."""
        return self.finish(self.start(*options, env=env), code, timeout)

    def logs(self) -> str:
        """The jobs and the last lines of their logs."""
        paths = sorted(self.path.glob("results/slurm-logs/**/*.log"))
        return "\n".join([str(self.jobs()), *(self.cluster.last_words(path, 25) for path in paths)])

    def stored(self) -> dict[str, tuple[int, int]]:
        """Key -> inode and time of every result, damaged or not."""
        return runs.stored(self.store) if self.store.exists() else {}

    def check(self, reference: dict[str, str], kept: dict[str, tuple[int, int]], twice: Iterable[str] = ()) -> None:
        """What every failure must leave behind.

        ``kept``: what was in the store when it struck. ``twice``: chunks that may have been decoded by two jobs.
        """
        assert runs.transcripts(self.run) == reference
        after = self.stored()
        assert {key: after[key] for key in kept} == kept, "finished chunks were touched"
        counts = runs.decoded(self.run)
        assert {chunk: number for chunk, number in counts.items() if number > 1 and chunk not in twice} == {}
        assert not list(self.store.glob("**/.tmp-*"))

    def wait_for_results(self, count: int, seconds: float = 300) -> dict[str, tuple[int, int]]:
        """Wait until ``count`` chunks are in the store; what is there then."""
        wait_until(lambda: len(self.stored()) >= count, seconds, f"{count} results in {self.store}")
        return self.stored()

    def jobs(self, *states: str) -> list[dict[str, str]]:
        """Jobs that were submitted from here."""
        return [job for job in self.cluster.jobs(*states) if job["folder"] == str(self.path)]

    def running(self, rule: str = "transcribe") -> list[dict[str, str]]:
        """Jobs of a rule that run now."""
        return [job for job in self.jobs("RUNNING") if job["comment"].startswith(f"rule_{rule}")]

    def at_work(self) -> int:
        """How many transcribe commands have begun with their chunks."""
        return len(list(self.run.glob("journal/*.jsonl")))

    def endings(self) -> set[str]:
        """How the attempts at shards ended, in the words of their journals."""
        lines = [line for path in self.run.glob("journal/*.jsonl") for line in path.read_text().splitlines()]
        return {entry["reason"] for entry in map(json.loads, lines) if entry["event"] == "end"}

    def faults(self, what: dict[str, dict[str, object]]) -> dict[str, str]:
        """Ask for faults; the environment to run with."""
        folder = Path(tempfile.mkdtemp(prefix="faults-", dir=self.path))
        file = folder / "faults.json"
        file.write_text(json.dumps(what))
        return {"AUDIOGRID_FAULTS": str(file)}


@pytest.fixture(scope="session")
def recordings(tmp_path_factory: pytest.TempPathFactory, human_speech: Callable[..., Any]) -> Path:
    """Human speech in four languages with its texts and a table that says which is which."""
    folder = tmp_path_factory.mktemp("recordings")
    lines = ["path\tlanguage"]
    for language, which in RECORDINGS.items():
        speech = human_speech(language, len(which), skip=which.start)
        write_wav(folder / f"{language}.wav", speech.pcm)
        (folder / f"{language}.txt").write_text("\n".join(text for _, _, text in speech.spans))
        lines.append(f"{language}.wav\t{language}")
    (folder / "recordings.tsv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def site(workspace: Any, cluster: Cluster, recordings: Path) -> Site:
    """A clone with recordings in it, ready for ``snakemake --profile profiles/site``."""
    shutil.copytree(recordings, workspace.path / "in")
    return Site(workspace, cluster)


@pytest.fixture(scope="session")
def undisturbed() -> dict[str, str]:
    """Transcripts of a run without faults and without a cluster; made by the first test that asks."""
    return {}


@pytest.fixture
def reference(undisturbed: dict[str, str], site: Site) -> dict[str, str]:
    if not undisturbed:
        site.workspace.snakemake("--config", *SETTINGS, "run=quiet", "store=quiet-store")
        undisturbed.update(runs.transcripts(site.path / "results" / "quiet"))
        assert len(undisturbed) == 2 * len(RECORDINGS)
    return undisturbed


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Note how long each test took, for `benchmarks/slurm.py failures`."""
    began = time.monotonic()
    result = yield
    if file := os.environ.get("AUDIOGRID_TIMES"):
        with Path(file).open("a") as times:
            times.write(json.dumps({"test": item.name, "seconds": time.monotonic() - began}) + "\n")
    return result
