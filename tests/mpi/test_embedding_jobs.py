"""Embedding voices as ranks of a real MPI job that is killed: the same voices as ever, none of them embedded twice."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import runs
from media import write_wav
from places import SCRIPTS
from processes import Processes
from ranks import environment, interpreter, need_mpi, python

pytestmark = [pytest.mark.mpi, pytest.mark.faults]

SHARD = "s0001"
HUNG = "talk.0002"


def embed(job: Processes, model: Path, ranks: int, store: str, faults: dict[str, object] | None = None) -> Any:
    """Start ``embed`` over so many ranks; 0: without MPI."""
    options = ["--run-dir=run", f"--shard={SHARD}", f"--store={store}", f"--model-dir={model}", '--speakers="auto"']
    options += [f"--mpi-tasks={ranks}", "--output=run/voices/s0001.json", "--log=log.txt"]
    return job.launch([*interpreter(ranks), str(SCRIPTS / "embed.py"), *options], environment(job.path, faults))


def finish(process: subprocess.Popen[str]) -> None:
    output, _ = process.communicate(timeout=600)
    assert process.returncode == 0, output


def voices(store: Path) -> dict[str, Any]:
    """Key -> what was found in the chunk."""
    return {path.stem: json.loads(path.read_text())["result"] for path in store.glob("??/*.json")}


def embedded(run: Path) -> Counter[str]:
    """How many times each chunk was embedded, over all attempts."""
    lines = [line for path in (run / "journal" / "voices").glob("*.jsonl") for line in path.read_text().splitlines()]
    entries = [json.loads(line) for line in lines]
    return Counter(entry["chunk"] for entry in entries if entry.get("status") == "decoded")


def test_a_killed_job_of_several_ranks_goes_on_and_finds_the_same_voices(
    tmp_path: Path, base_model: Path, speakers_model: Path, human_speech: Callable[..., Any]
) -> None:
    need_mpi()
    path = tmp_path.resolve() / "job"
    (path / "in").mkdir(parents=True)
    write_wav(path / "in" / "talk.wav", human_speech("en", 24).pcm)
    python(
        path,
        "probe.py",
        f"--recordings-json={json.dumps(str(path / 'in'))}",
        "--processes=1",
        "--output=run/probe.json",
        "--rejected=run/rejected.tsv",
    )
    python(path, "plan.py", "--run-dir=run", f"--model-dir={base_model}", f"--settings={runs.one_shard(0.25)}")
    python(path, "split.py", "--plan=run/plan.json", "--bundle=b0001", "--output=run/chunks/b0001")
    job = Processes(path)
    try:
        finish(embed(job, speakers_model, 0, "alone"))
        alone = voices(path / "alone")
        assert len(alone) > 4
        assert sum(len(found["tracklets"]) for found in alone.values()) > 20
        for name in ("journal", "voices"):
            shutil.rmtree(path / "run" / name)

        # A chunk hangs, and with it those of its group: the job cannot be done before it is killed.
        process = embed(job, speakers_model, 2, "store", {f"embed:{HUNG}": {"do": "hang"}})
        deadline = time.monotonic() + 120
        while len(runs.stored(path / "store")) < 5 and time.monotonic() < deadline:
            assert process.poll() is None
            time.sleep(0.02)
        job.kill(process)
        process.communicate()
        assert job.nobody_is_left()
        kept = runs.stored(path / "store")
        assert 5 <= len(kept) < len(alone)
        assert not (path / "run" / "voices" / "s0001.json").exists()

        finish(embed(job, speakers_model, 3, "store"))
        after = runs.stored(path / "store")
        assert {key: after[key] for key in kept} == kept
        assert voices(path / "store") == alone
        # Journals of ranks that were killed may lack their last line, never have one twice.
        assert set(embedded(path / "run").values()) == {1}
        assert embedded(path / "run")[HUNG] == 1
    finally:
        job.close()
