"""A run that stops when its budget is used up, and goes on with the same command."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import runs
from media import write_wav

pytestmark = pytest.mark.workflow

SENTENCES = [
    "The library opens at nine in the morning.",
    "Every visitor receives a small paper map.",
    "A fox crossed the frozen lake at dawn.",
]
# Listed in this order; what is listened to first is in the middle.
PRIORITIES = {"archive": "", "hearing": "7", "lecture": "-1", "minutes": "2"}
ORDER = ["hearing", "minutes", "archive", "lecture"]


def test_a_budget_stops_a_run_which_then_goes_on(workspace, speech):
    table = workspace.path / "in.tsv"
    rows = ["path\tpriority"]
    for seed, (name, priority) in enumerate(PRIORITIES.items()):
        write_wav(workspace.path / f"{name}.wav", speech(sentences=SENTENCES, seed=seed).pcm)
        rows.append(f"{name}.wav\t{priority}")
    table.write_text("\n".join(rows) + "\n")
    config = ("run=x", "recordings=in.tsv", "language=en", "shards={chunks_per_shard: 1}")
    limited = (*config, "budget={core_hours: 0.0004}")
    run = workspace.path / "results" / "x"

    said = workspace.snakemake("plan", "--config", *limited).stdout
    assert "budget       0.0004 core-hours: about" in said and "priority" in said and "calls like it in all" in said
    assert "has passed" in workspace.snakemake("--config", *config, "budget={until: 2001-01-01}", code=1).stdout
    assert not (run / "journal").exists()

    # 1.4 core-seconds are used up before the first job has ended: what it has begun it finishes. The budget is looked
    # at every two seconds, so that on a busy machine a second job may have begun.
    done = workspace.snakemake("--config", *limited, code=1)
    assert "Stopped: its budget of 0.0004 core-hours is used up. The same command goes on" in done.stdout
    first = runs.decoded(run)
    heard = [name for name in ORDER if f"{name}.0000" in first]
    assert heard in (ORDER[:1], ORDER[:2])
    assert sorted(row["recording"] for row in runs.table(run / "summary.tsv")) == sorted(heard)
    assert runs.table(run / "failed.tsv") == []
    assert f"{len(heard)} of 4 recording(s) transcribed" in done.stdout
    assert f"{4 - len(heard)} recording(s) wait" in (run / "report.html").read_text()
    spent = json.loads((run / ".state" / "budget.json").read_text())
    assert spent["core_hours"] >= 0.0004 and not spent["is_open"]
    argv = [sys.executable, "-m", "audiogrid.cli", "status", "x"]
    status = subprocess.run(argv, cwd=workspace.path, env=workspace.environment, capture_output=True, text=True)
    assert "stopped: its budget of 0.0004 core-hours is used up; the same command goes on" in status.stdout

    # Without a limit the same command does the rest, in order, and nothing again.
    done = workspace.snakemake("--config", *config)
    assert "4 of 4 recording(s) transcribed" in done.stdout and "Stopped" not in done.stdout
    assert runs.decoded(run) == dict.fromkeys((f"{name}.0000" for name in PRIORITIES), 1)
    began = {path: json.loads(path.read_text().split("\n")[0])["at"] for path in (run / "journal").glob("*.jsonl")}
    shards = [path.name[:5] for path in sorted(began, key=began.__getitem__)]
    assert list(dict.fromkeys(shards)) == ["s0001", "s0002", "s0003", "s0004"]
    reports = {path.stem: json.loads(path.read_text()) for path in (run / "shards").glob("*.json")}
    order = [next(iter(reports[shard]["facts"]["keys"])) for shard in sorted(reports)]
    assert order == [f"{name}.0000" for name in ORDER]
    assert "Nothing to be done" in workspace.snakemake("--config", *config).stdout
