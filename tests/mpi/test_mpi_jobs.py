"""Transcribing as ranks of a real MPI job: the same transcripts as ever, whoever dies on the way."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

import runs
from audiogrid.records.plan_files.reader import read_plan
from media import write_wav
from places import ROOT, SCRIPTS
from processes import Processes
from ranks import OPEN_MPI, environment, interpreter, need_mpi, python

pytestmark = pytest.mark.mpi

SHARD = "s0001"


@dataclass
class Job(Processes):
    """A run whose recordings are split: everything before ``transcribe``. Each test has a copy."""

    model: Path

    @property
    def run(self) -> Path:
        return self.path / "run"

    @property
    def store(self) -> Path:
        return self.path / "store"

    @property
    def report(self) -> dict[str, object]:
        return json.loads((self.run / "shards" / f"{SHARD}.json").read_text())

    def python(self, script: str, *options: str) -> str:
        """Run a command of the project to its end."""
        return python(self.path, script, *options)

    def command(self, ranks: int, *options: str, tasks: int | None = None) -> list[str]:
        """The transcribe command over so many ranks; 0: without MPI."""
        return [
            *interpreter(ranks),
            str(SCRIPTS / "transcribe.py"),
            "--run-dir=run",
            f"--shard={SHARD}",
            "--store=store",
            f"--model-dir={self.model}",
            f"--mpi-tasks={ranks if tasks is None else tasks}",
            f"--output=run/shards/{SHARD}.json",
            "--log=log.txt",
            *options,
        ]

    def start(self, argv: list[str], faults: dict[str, object] | None = None) -> subprocess.Popen[str]:
        return self.launch(argv, environment(self.path / "faults", faults))

    def transcribe(
        self,
        ranks: int,
        *options: str,
        code: int = 0,
        faults: dict[str, object] | None = None,
        tasks: int | None = None,
    ) -> str:
        """Transcribe to the end; what was said comes back."""
        process = self.start(self.command(ranks, *options, tasks=tasks), faults)
        output, _ = process.communicate(timeout=600)
        assert process.returncode == code, output
        return output

    def merge(self) -> dict[str, str]:
        """Transcripts, as hashes."""
        settings = {"formats": ["txt", "json", "srt"], "subtitles": {}}
        self.python(
            "merge.py",
            "--run-dir=run",
            "--bundle=b0001",
            "--store=store",
            f"--settings={json.dumps(settings)}",
            "--output=run/merged/b0001.json",
        )
        return runs.transcripts(self.run)

    def wait_for(self, process: subprocess.Popen[str], chunks: int) -> dict[str, tuple[int, int]]:
        """Wait until so many chunks are in the store."""
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and process.poll() is None:
            done = runs.stored(self.store) if self.store.exists() else {}
            if len(done) >= chunks:
                return done
            time.sleep(0.02)
        pytest.fail(f"ended or took too long: {process.communicate()[0] if process.poll() is not None else ''}")

    def ranks(self, process: subprocess.Popen[str]) -> dict[int, psutil.Process]:
        """The processes that are ranks of a running job."""
        found = {}
        for child in psutil.Process(process.pid).children():
            variables = child.environ()
            number = variables.get("OMPI_COMM_WORLD_RANK", variables.get("PMI_RANK"))
            if number is not None:
                found[int(number)] = child
        return found


@pytest.fixture(scope="module")
def split(tmp_path_factory, base_model, speech, human_speech) -> Path:
    """A run as ``split`` leaves it: human and synthesised speech in eight tasks."""
    need_mpi()
    path = tmp_path_factory.mktemp("mpi").resolve()
    (path / "in").mkdir()
    rows = [("recording", "path", "prompt")]
    write_wav(path / "in" / "prompts.wav", human_speech("en", 10).pcm)
    rows.append(("prompts", str(path / "in" / "prompts.wav"), ""))
    for number in range(7):
        # Short chunks travel together, unless they are to be decoded differently: here each is a task of its own.
        write_wav(path / "in" / f"note{number}.wav", speech(seconds=8, seed=20 + number).pcm)
        rows.append((f"note{number}", str(path / "in" / f"note{number}.wav"), f"This is note number {number}."))
    (path / "in.tsv").write_text("".join("\t".join(row) + "\n" for row in rows))
    job = Job(path, base_model)
    job.python(
        "probe.py",
        f"--recordings-json={json.dumps(str(path / 'in.tsv'))}",
        "--processes=1",
        "--output=run/probe.json",
        "--rejected=run/rejected.tsv",
    )
    job.python("plan.py", "--run-dir=run", f"--model-dir={base_model}", f"--settings={runs.one_shard(0.25)}")
    job.python("split.py", "--plan=run/plan.json", "--bundle=b0001", "--output=run/chunks/b0001")
    return path


@pytest.fixture(scope="module")
def reference(split, base_model, tmp_path_factory) -> dict[str, str]:
    """Transcripts of the same command without MPI."""
    job = Job(tmp_path_factory.mktemp("alone").resolve() / "job", base_model)
    shutil.copytree(split, job.path)
    job.transcribe(0)
    assert "ranks" not in job.report["made"]
    return job.merge()


@pytest.fixture
def job(split, base_model, tmp_path) -> Iterator[Job]:
    made = Job(tmp_path.resolve() / "job", base_model)
    shutil.copytree(split, made.path)
    yield made
    made.close()


def test_gpus_are_divided_among_ranks_and_processes_without_collisions(job, reference):
    names = ["GPU-aa", "GPU-bb", "GPU-cc"]
    # Simulated: what is decoded on them is decoded on the CPU.
    job.transcribe(2, "--device=cuda", faults={"gpus": {"devices": [{"uuid": name} for name in names]}})
    assert sorted(rank["processes"] for rank in job.report["made"]["ranks"]) == [1, 2]
    made = [json.loads(path.read_text())["made"] for path in job.store.glob("??/*.json")]
    shares = {document["device_why"]: set() for document in made}
    for document in made:
        shares[document["device_why"]].add(document["gpu"]["uuid"])
    # Every rank says which GPUs are its own, its processes keep to them, and nobody else's are among them.
    assert all(gpu in why for why, used in shares.items() for gpu in used)
    assert all(sum(name in why for why in shares) <= 1 for name in names)
    assert job.merge() == reference


def chunks(job: Job) -> list[str]:
    return read_plan(job.run / "plan.json").shards[0].chunks


@pytest.mark.parametrize(("ranks", "options"), [(1, ()), (2, ("--processes=2",)), (3, ()), (5, ())])
def test_any_number_of_ranks_gives_the_same_transcripts(job, reference, ranks, options):
    said = job.transcribe(ranks, *options)
    assert job.merge() == reference
    assert set(runs.decoded(job.run).values()) == {1}
    assert len(list((job.run / "journal").glob("*.jsonl"))) == 1
    # One line of progress, not one per rank.
    assert said.count("chunk(s) in") == 1, said
    if ranks > 1:
        report = job.report["made"]["ranks"]
        assert [rank["rank"] for rank in report] == list(range(ranks))
        assert sum(rank["decoded"] for rank in report) == len(chunks(job))
        assert sum(rank["decoded"] > 0 for rank in report) > 1
        assert {rank["processes"] for rank in report} <= {1, 2}
    assert job.nobody_is_left()


def test_workers_know_nothing_of_mpi_and_ranks_nothing_of_the_model(job):
    process = job.start(job.command(2))
    job.wait_for(process, 2)
    seen = set()
    for rank in job.ranks(process).values():
        maps = Path(f"/proc/{rank.pid}/maps").read_text()
        assert "mpi4py" in maps
        assert "ctranslate2" not in maps
        for child in rank.children():
            maps = Path(f"/proc/{child.pid}/maps").read_text()
            # CTranslate2 itself loads an MPI library where it finds one, and leaves it alone.
            assert "mpi4py" not in maps
            seen.add("ctranslate2" in maps)
    assert True in seen
    process.communicate(timeout=300)
    assert process.returncode == 0


def test_a_worker_that_dies_costs_one_attempt_at_one_chunk(job, reference):
    victim = chunks(job)[0]
    said = job.transcribe(2, faults={victim: {"do": "kill", "times": 1}})
    assert f"chunk {victim}: the process died" in said or "trying them one by one" in said
    assert job.merge() == reference
    assert set(runs.decoded(job.run).values()) == {1}


def test_a_chunk_that_always_fails_is_named_and_all_others_are_done(job):
    victim = chunks(job)[3]
    said = job.transcribe(3, code=1, faults={victim: {"do": "abort"}})
    assert f"1 chunk(s) failed ({victim}: the process died of SIGABRT" in said
    assert "MPI_ABORT" not in said
    assert len(runs.stored(job.store)) == len(chunks(job)) - 1
    job.transcribe(2)
    assert set(runs.decoded(job.run).values()) == {1}


def kept(before: dict[str, tuple[int, int]], after: dict[str, tuple[int, int]]) -> bool:
    return {key: after.get(key) for key in before} == before


@pytest.mark.parametrize("victim", ["rank 0", "rank 2", "mpirun"])
def test_what_is_killed_costs_what_was_being_decoded(job, reference, victim):
    process = job.start(job.command(3))
    job.wait_for(process, 3)
    target = process.pid if victim == "mpirun" else job.ranks(process)[int(victim[-1])].pid
    os.kill(target, signal.SIGKILL)
    process.communicate(timeout=300)
    assert process.returncode != 0
    assert job.nobody_is_left()
    before = runs.stored(job.store)
    # One rank fewer has come.
    job.transcribe(2)
    assert kept(before, runs.stored(job.store))
    assert job.report["decoded"] == len(chunks(job)) - len(before)
    assert job.merge() == reference


@pytest.mark.parametrize("victim", [0, 1])
def test_a_rank_that_hangs_is_noticed_and_named(job, reference, victim):
    process = job.start(job.command(2, "--mpi-silence-seconds=12"))
    before = job.wait_for(process, 1)
    pid = job.ranks(process)[victim].pid
    os.kill(pid, signal.SIGSTOP)
    said, _ = process.communicate(timeout=300)
    assert process.returncode != 0
    if victim == 0:
        assert "rank 0 has sent no message to rank 1 on" in said
    else:
        assert f"(process {pid}) has sent no message for 12 s" in said
        assert "error: rank 0 on" in said
    assert job.nobody_is_left()
    job.transcribe(2)
    assert kept(before, runs.stored(job.store))
    assert job.merge() == reference


def test_a_rank_that_is_told_to_end_leaves_the_rest_to_the_others(job, reference):
    process = job.start(job.command(3))
    job.wait_for(process, 1)
    os.kill(job.ranks(process)[1].pid, signal.SIGTERM)
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0, said
    assert "rank 1 on" in said
    assert "takes no more tasks: SIGTERM was received" in said
    assert set(runs.decoded(job.run).values()) == {1}
    assert job.merge() == reference


def test_all_ranks_told_to_end_finish_what_they_are_at(job, reference):
    process = job.start(job.command(2))
    job.wait_for(process, 1)
    for rank in job.ranks(process).values():
        os.kill(rank.pid, signal.SIGTERM)
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 1, said
    assert "stopped early because SIGTERM was received" in said
    before = runs.stored(job.store)
    assert 1 <= len(before) < len(chunks(job))
    job.transcribe(1)
    assert kept(before, runs.stored(job.store))
    assert set(runs.decoded(job.run).values()) == {1}
    assert job.merge() == reference


def test_a_job_that_is_complete_ends_at_once(job, reference):
    job.transcribe(2)
    before = runs.stored(job.store)
    job.transcribe(3)
    assert runs.stored(job.store) == before
    assert job.report["stored"] == len(chunks(job))


def test_a_wrong_number_of_ranks_is_an_error_that_says_what_to_do(job):
    said = job.transcribe(2, tasks=3, code=2)
    assert "3 MPI tasks were asked for, but this job has 2" in said
    # What a launcher does that does not fit the library: every task is a job of its own.
    alone = job.command(0, tasks=2)
    process = job.start(alone)
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 2
    assert "choose another srun --mpi=" in said


def test_a_mistake_on_rank_0_ends_all_ranks(job):
    shutil.rmtree(job.run / "chunks")
    said = job.transcribe(3, code=1)
    assert "is not complete" in said
    assert job.nobody_is_left()


def test_a_model_that_cannot_be_loaded_ends_all_ranks(job, tmp_path):
    model = tmp_path / "model"
    model.mkdir()
    (model / "model.bin").write_bytes(b"no model")
    job.model = model
    said = job.transcribe(2, code=2)
    assert "rank 1 on" in said
    assert "stage the model again" in said
    assert job.nobody_is_left()


def test_the_workflow_runs_it(workspace, split):
    """Only the configuration differs; launcher, number of ranks and Python come from the rule."""
    settings = (
        f"recordings={split / 'in.tsv'}",
        "language=en",
        "chunk_minutes=0.5",
        "bundle_minutes=30",
        "formats=[txt,json,srt]",
    )
    workspace.snakemake("--config", "run=one", "store=other", *settings)
    many = ("--config", "run=many", *settings)
    done = workspace.snakemake(*many, "mpi={tasks: 2}", env=OPEN_MPI)
    assert "8 of 8 recording(s) transcribed" in done.stdout
    results = workspace.path / "results"
    (report,) = (results / "many" / "shards").glob("*.json")
    assert [rank["rank"] for rank in json.loads(report.read_text())["made"]["ranks"]] == [0, 1]
    assert runs.transcripts(results / "many") == runs.transcripts(results / "one")
    # Another number of ranks, or none, is no reason to decode or cut anything again.
    workspace.snakemake(*many)
    assert not {"split", "transcribe"} & runs.jobs(workspace.path).keys()


def test_the_demonstration_prints_every_chunk_one_text_and_the_seconds(workspace):
    """`make demo-mpi` on eight minutes instead of an hour."""
    for name in ("benchmarks", "tests"):
        shutil.copytree(ROOT / name, workspace.path / name, ignore=shutil.ignore_patterns("__pycache__"))
    argv = [sys.executable, "benchmarks/mpi.py", "demo", "--hours", "0.13"]
    process = workspace.start(*argv, env=OPEN_MPI)
    said, _ = process.communicate(timeout=600)
    assert process.returncode == 0, said
    lines = said.splitlines()
    assert [line.split(":")[0].strip() for line in lines if ".txt: " in line] == ["0000.txt", "0001.txt"]
    assert sum(line.startswith("rank ") for line in lines) == 4
    for name in ("splitting", "transcribing", "merging"):
        assert any(re.match(rf"{name} +[0-9.]+ s", line) for line in lines), said
    (text,) = (workspace.path / "bench-data" / "demo-mpi" / "run" / "transcripts").glob("*.txt")
    assert len(text.read_text().split()) > 1000
