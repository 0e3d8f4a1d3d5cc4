"""GPUs that are full, wrong, or gone in the middle: no chunk is lost, and it is said what happened.

The GPUs are simulated (``audiogrid.decoding.whisper.fault_injection``), the faults happen where CTranslate2 is
called; everything that is decoded is decoded for real, on the CPU.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

import runs
from media import write_wav
from places import SCRIPTS

pytestmark = [pytest.mark.workflow, pytest.mark.faults]

SHARD = "s0001"
NOTES = 4
SENTENCE = "There are %d boats in the harbour this morning."


def gpus(*names: str) -> dict[str, object]:
    return {"gpus": {"devices": [{"uuid": name} for name in names]}}


@dataclass
class Job:
    """A run whose recordings are split, and the command that transcribes it."""

    path: Path
    model: Path

    @property
    def store(self) -> Path:
        return self.path / "store"

    def python(self, script: str, *options: str) -> None:
        argv = [sys.executable, str(SCRIPTS / script), *options]
        done = subprocess.run(argv, cwd=self.path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def ask_for(self, faults: dict[str, object]) -> None:
        file = self.path / "faults" / "faults.json"
        file.parent.mkdir(exist_ok=True)
        fresh = file.with_name("fresh.json")
        fresh.write_text(json.dumps(faults))
        fresh.replace(file)

    def start(self, faults: dict[str, object], *options: str) -> subprocess.Popen[str]:
        self.ask_for(faults)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AUDIOGRID_", "CUDA_"))}
        more = {
            "AUDIOGRID_FAULTS": str(self.path / "faults" / "faults.json"),
            "XDG_CACHE_HOME": str(self.path / "cache"),
        }
        argv = [sys.executable, str(SCRIPTS / "transcribe.py"), "--run-dir=run", f"--shard={SHARD}", "--store=store"]
        argv += [
            f"--model-dir={self.model}",
            f"--output=run/shards/{SHARD}.json",
            "--log=log.txt",
            "--threads=1",
            *options,
        ]
        return subprocess.Popen(
            argv,
            cwd=self.path,
            env={**kept, **more},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def finish(self, process: subprocess.Popen[str], code: int = 0) -> str:
        try:
            said, _ = process.communicate(timeout=300)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
        assert process.returncode == code, said
        return said

    def transcribe(self, faults: dict[str, object], *options: str, code: int = 0) -> str:
        return self.finish(self.start(faults, *options), code)

    def stored(self) -> dict[str, dict[str, object]]:
        files = (path for path in self.store.glob("??/*.json") if not path.name.endswith(".error.json"))
        return {path.stem: json.loads(path.read_text()) for path in files}

    def results(self) -> dict[str, object]:
        return {key: document["result"] for key, document in self.stored().items()}

    def made(self, name: str) -> list[object]:
        return [document["made"].get(name) for document in self.stored().values()]

    def wait_for_a_result(self, process: subprocess.Popen[str]) -> None:
        deadline = time.monotonic() + 120
        while not list(self.store.glob("??/*.json")):
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.02)


@pytest.fixture(scope="module")
def split(tmp_path_factory, base_model, speech) -> Job:
    """As ``split`` leaves it: six notes, each a task of its own because of its prompt."""
    job = Job(tmp_path_factory.mktemp("gpus").resolve(), base_model)
    (job.path / "in").mkdir()
    rows = [("path", "prompt")]
    for number in range(NOTES):
        # The first has several windows, two of them of the same length at least: they share a batch.
        spoken = speech(sentences=[SENTENCE % number]) if number else speech(seconds=75, seed=40)
        write_wav(job.path / "in" / f"note{number}.wav", spoken.pcm)
        rows.append((f"in/note{number}.wav", f"This is note number {number}."))
    (job.path / "in.tsv").write_text("".join("\t".join(row) + "\n" for row in rows))
    listing = f"--recordings-json={json.dumps(str(job.path / 'in.tsv'))}"
    job.python("probe.py", listing, "--processes=1", "--output=run/probe.json", "--rejected=run/rejected.tsv")
    job.python("plan.py", "--run-dir=run", f"--model-dir={base_model}", f"--settings={runs.one_shard(5)}")
    job.python("split.py", "--plan=run/plan.json", "--bundle=b0001", "--output=run/chunks/b0001")
    return job


@pytest.fixture
def job(split, tmp_path) -> Job:
    shutil.copytree(split.path, tmp_path / "job", ignore=shutil.ignore_patterns("store", "cache", "faults"))
    return Job((tmp_path / "job").resolve(), split.model)


@pytest.fixture(scope="module")
def on_two_gpus(split, tmp_path_factory) -> Job:
    """The same without faults, on two GPUs."""
    job = Job(tmp_path_factory.mktemp("two").resolve() / "job", split.model)
    shutil.copytree(split.path, job.path)
    job.transcribe(gpus("GPU-aa", "GPU-bb"))
    assert len(job.results()) == NOTES
    return job


def test_every_gpu_has_one_process_and_results_say_where_and_why(on_two_gpus):
    used = {gpu["uuid"] for gpu in on_two_gpus.made("gpu")}
    assert used == {"GPU-aa", "GPU-bb"}
    assert set(on_two_gpus.made("compute_type")) == {"float16"} and set(on_two_gpus.made("batch_size")) == {64}
    assert all("2 GPU(s) read the known clip" in why for why in on_two_gpus.made("device_why"))
    log = (on_two_gpus.path / "log.txt").read_text()
    assert "device: cuda (2 GPU(s) read the known clip, as float16" in log and "2 process(es)" in log
    (journal,) = (on_two_gpus.path / "run" / "journal").glob("*.jsonl")
    begin = json.loads(journal.read_text().splitlines()[0])
    assert begin["device"]["gpus"] == ["GPU-aa", "GPU-bb"]


def test_out_of_memory_halves_the_batch_keeps_every_byte_and_is_remembered(job, on_two_gpus):
    full = {
        **gpus("GPU-aa"),
        "device_faults": [{"at": "generate", "device": "cuda", "above": 1, "do": "out_of_memory"}],
    }
    said = job.transcribe(full)
    assert job.results() == on_two_gpus.results()
    assert "windows at once: CUDA failed with error out of memory; went on with 1" in said
    assert "attempt" not in said
    assert all(count == 1 for count in runs.decoded(job.path / "run").values())
    adapted = [made for made in job.made("adapted") if made]
    assert adapted and all("went on with" in made[0] for made in adapted)
    # The next job begins with what worked, in each of the processes that share the GPU.
    shutil.rmtree(job.store)
    said = job.transcribe(full, "--processes-per-gpu=2")
    assert "out of memory" not in said and "2 process(es)" in (job.path / "log.txt").read_text()
    assert set(job.made("batch_size")) == {1} and job.results() == on_two_gpus.results()


def test_the_ladder_goes_through_smaller_types_down_to_the_cpu(job, on_two_gpus):
    fault = {"at": "align", "device": "cuda", "do": "out_of_memory"}
    # In the middle of the job: the clip is read, and some chunk may be.
    process = job.start(gpus("GPU-aa"))
    job.wait_for_a_result(process)
    job.ask_for({**gpus("GPU-aa"), "device_faults": [fault]})
    said = job.finish(process)
    assert "float16 on Simulated GPU" in said and "went on with int8_float16" in said
    assert said.count("went on with the CPU") == 1 and "attempt" not in said
    late = {key: made for key, made in job.stored().items() if made["made"]["device"] == "cpu"}
    assert late and job.results() == on_two_gpus.results()
    assert all("went on with the CPU" in document["made"]["adapted"][-1] for document in late.values())


def test_a_gpu_that_vanishes_is_given_up_and_the_other_one_goes_on(job, on_two_gpus):
    process = job.start(gpus("GPU-aa", "GPU-bb"))
    job.wait_for_a_result(process)
    job.ask_for({**gpus("GPU-aa", "GPU-bb"), "device_faults": [{"gpu": "GPU-bb", "do": "lost"}]})
    said = job.finish(process)
    assert "GPU GPU-bb" in said and "is not used any more" in said and "1 other process(es) go on" in said
    assert job.results() == on_two_gpus.results()
    assert "attempt" not in said


@pytest.mark.parametrize("device", ["auto", "cuda"])
def test_the_last_gpu_vanishes(job, on_two_gpus, device):
    process = job.start(gpus("GPU-aa"), f"--device={device}")
    job.wait_for_a_result(process)
    job.ask_for({**gpus("GPU-aa"), "device_faults": [{"do": "ecc", "device": "cuda"}]})
    said = job.finish(process, 0 if device == "auto" else 1)
    if device == "auto":
        assert "GPU GPU-aa" in said and "the CPU goes on" in said
        assert job.results() == on_two_gpus.results()
        assert "all GPUs failed" in job.made("device_why")
        return
    assert os.uname().nodename in said and "GPU-aa" in said and "ECC" in said and "store" in said
    kept = job.results()
    assert kept and len(kept) < NOTES
    job.transcribe(gpus("GPU-aa"), "--device=cuda")
    assert job.results() == on_two_gpus.results()
    assert sum(runs.decoded(job.path / "run").values()) == NOTES


def test_a_chunk_that_kills_its_process_is_charged_not_the_gpu(job, on_two_gpus):
    poison = {**gpus("GPU-aa"), "note3.0000": {"do": "abort"}}
    said = job.transcribe(poison, "--device=cuda", code=1)
    assert "note3.0000" in said and "SIGABRT" in said and "not used any more" not in said
    expected = on_two_gpus.results()
    assert len(job.results()) == NOTES - 1
    assert all(expected[key] == result for key, result in job.results().items())


@pytest.mark.parametrize(
    ("faults", "options", "code", "parts"),
    [
        ({"gpus": {"cuda": [11, 4], "devices": [{"uuid": "GPU-aa"}]}}, (), 1, ["too old", "CUDA 11.4", "12.0"]),
        (gpus("GPU-aa"), ("--compute-type=int16",), 2, ["int16", "bfloat16, float16", "choose one"]),
        (
            {**gpus("GPU-aa"), "device_faults": [{"at": "output", "do": "mute"}]},
            (),
            1,
            ["reads ''", "driver and libraries"],
        ),
    ],
)
def test_cuda_that_cannot_be_had_is_an_error_with_its_cause(job, faults, options, code, parts):
    said = job.transcribe(faults, "--device=cuda", *options, code=code)
    assert "device: cuda was asked for" in said
    assert all(part in said for part in parts), said
    assert not job.store.exists()
