"""Aligning a given text as ranks of a real MPI job: the same times as ever, also where a worker is killed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import runs
from media import write_wav
from places import SCRIPTS
from processes import Processes
from ranks import environment, interpreter, need_mpi, python
from speech import long_speech

pytestmark = [pytest.mark.mpi, pytest.mark.faults]


def align(job: Processes, model: Path, ranks: int, faults: dict[str, object] | None = None) -> str:
    """Run ``align`` over so many ranks (0: without MPI) to its end. Returns what it printed."""
    options = ["--run-dir=run", "--shard=s0001", "--store=store", f"--model-dir={model}", "--device=cpu"]
    options += ["--processes=1", "--word-times=fine", f"--mpi-tasks={ranks}", "--output=run/aligned/s0001.json"]
    argv = [*interpreter(ranks), str(SCRIPTS / "align.py"), *options, "--log=log.txt"]
    process = job.launch(argv, environment(job.path, faults))
    output, _ = process.communicate(timeout=600)
    assert process.returncode == 0, output
    return str(output)


def times(store: Path) -> dict[str, Any]:
    """Key -> the words of the windows of a chunk."""
    found = {path: json.loads(path.read_text())["result"] for path in store.glob("??/*.json")}
    return {path.stem: result["windows"] for path, result in found.items() if "scores" in result}


def test_ranks_align_what_one_process_aligns(tmp_path: Path, base_model: Path) -> None:
    need_mpi()
    path = tmp_path.resolve() / "job"
    path.mkdir()
    speech = long_speech(45)
    write_wav(path / "talk.wav", speech.pcm)
    (path / "talk.txt").write_text("\n".join(text for _, _, text in speech.spans))
    (path / "in.tsv").write_text("path\ttext\ntalk.wav\ttalk.txt\n")
    recordings = f"--recordings-json={json.dumps(str(path / 'in.tsv'))}"
    python(path, "probe.py", recordings, "--processes=1", "--output=run/probe.json", "--rejected=run/rejected.tsv")
    python(path, "plan.py", "--run-dir=run", f"--model-dir={base_model}", f"--settings={runs.one_shard(0.25)}")
    python(path, "split.py", "--plan=run/plan.json", "--bundle=b0001", "--output=run/chunks/b0001")
    common = ("--run-dir=run", "--store=store")
    decode = ("--shard=s0001", f"--model-dir={base_model}", "--device=cpu", "--output=run/shards/s0001.json")
    python(path, "transcribe.py", *common, *decode)
    job = Processes(path)
    try:
        align(job, base_model, 0)
        alone = times(path / "store")
        assert len(alone) >= 3
        decoded = {key: state for key, state in runs.stored(path / "store").items() if key not in alone}
        for key in alone:
            (path / "store" / key[:2] / f"{key}.json").unlink()
        align(job, base_model, 2, {"align:talk.0001": {"do": "kill", "times": 1}})
        assert times(path / "store") == alone
        assert {key: runs.stored(path / "store")[key] for key in decoded} == decoded
        # Nothing is left to do for a job that starts again.
        assert f"{len(alone)} chunk(s)" in align(job, base_model, 2)
    finally:
        job.close()
    settings = json.dumps({"formats": ["json", "txt"], "subtitles": {}, "texts": "fine"})
    python(path, "merge.py", *common, "--bundle=b0001", f"--settings={settings}", "--output=run/merged/b0001.json")
    document = json.loads((path / "run" / "transcripts" / "talk.json").read_text())
    assert " ".join(segment["text"] for segment in document["segments"]) == speech.text
    assert document["differences"] == []
