"""Two models in one run, chosen by language or for a channel, and nothing done twice."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

import runs
from media import write_wav
from speech import word_error_rate

pytestmark = pytest.mark.workflow

NOTE = ["Please call the plumber before Friday.", "The kitchen tap is leaking again."]
ROUTES = [
    {"when": {"language": "en"}, "model": "second", "compute_type": "float32"},
    {"when": {"language": ["hi", "ta"]}, "prompt": "नमस्ते"},
    {"when": {"column": {"site": "attic"}}, "decoding": {"beam_size": 2}},
]


def table(path: Path, rows: list[tuple[str, str, str]]) -> None:
    lines = ["path\tlanguage\tSite", *("\t".join(row) for row in rows)]
    path.write_text("\n".join(lines) + "\n")


def test_models_follow_languages_in_one_run(workspace, base_model, speech, human_speech):
    here, rows = workspace.path / "in", []
    here.mkdir()
    runs.second_model(workspace.path / "second", base_model)

    def add(name: str, pcm: np.ndarray, language: str = "", site: str = "") -> None:
        write_wav(here / f"{name}.wav", pcm)
        rows.append((f"{name}.wav", language, site))
        table(here / "list.tsv", rows)

    russian = human_speech("ru", 8).pcm[: 30 * 16_000]
    add("note", speech(sentences=NOTE).pcm)
    add("prompts", human_speech("es", 3).pcm, site="cellar")
    add("both", np.concatenate([human_speech("en", 12).pcm[: 30 * 16_000], russian, russian[: 20 * 16_000]]))
    add("unheard", speech(sentences=NOTE, seed=3).pcm, language="yue")
    (workspace.path / "r.yaml").write_text(
        yaml.safe_dump({"run": "x", "recordings": "in/list.tsv", "identify": {"windows": 3}, "routes": ROUTES})
    )
    done = workspace.snakemake("--configfile", "r.yaml", code=1)
    run = workspace.path / "results" / "x"

    # One DAG: both models staged where needed, one job each.
    assert {name: runs.jobs(workspace.path)[name] for name in ("identify", "split", "transcribe", "merge")} == {
        "identify": 1,
        "split": 1,
        "transcribe": 2,
        "merge": 1,
    }
    assert "route 2 (language hi or ta) matches no recording" in done.stdout
    assert "route 3 (site attic) matches no recording" in done.stdout
    summary = {row["recording"]: row for row in runs.table(run / "summary.tsv")}
    assert {name: (row["language"], row["model"].split("-")[0]) for name, row in summary.items()} == {
        "note": ("en", "second"),
        "prompts": ("es", "base"),
        "both": ("ru", "base"),
    }
    assert word_error_rate(" ".join(NOTE), runs.text(run, "note")) <= 0.1
    # What is in two languages says so, and is complete all the same.
    assert summary["both"]["note"].startswith("multilingual: ru, and en in ")
    assert summary["both"]["status"] == "complete"
    (refused,) = runs.table(run / "rejected.tsv")
    assert refused["recording"] == "unheard"
    assert "Its language is yue (given), but model base does not know this language" in refused["reason"]
    # The transcript says what it was made with.
    made = json.loads((run / "transcripts" / "note.json").read_text())["provenance"]
    assert made["model"]["name"] == summary["note"]["model"]
    assert (made["options"]["language"], made["options"]["compute_type"]) == ("en", "float32")
    assert made["identified"]["language"] == "en" and made["identified"]["probability"] > 0.8
    assert json.loads((run / "shards" / "s0001.json").read_text())["made"]["compute_type"] == "float32"
    assert made["model"]["hash"] != json.loads((run / "transcripts" / "both.json").read_text())["provenance"]["model"]

    # A recording more is listened to and decoded alone.
    kept, transcripts = runs.stored(workspace.path / "results" / "store"), runs.transcripts(run)
    add("late", speech(sentences=NOTE, seed=7).pcm, site="Attic")
    # The first route that fits is the one for English, not the one for attics.
    assert "route 3 (site attic) matches no recording" in workspace.snakemake("--configfile", "r.yaml", code=1).stdout
    after = runs.stored(workspace.path / "results" / "store")
    assert {key: after[key] for key in kept} == kept and len(after) == len(kept) + 1
    assert {name: runs.jobs(workspace.path)[name] for name in ("identify", "split", "transcribe", "merge")} == {
        "identify": 1,
        "split": 1,
        "transcribe": 1,
        "merge": 1,
    }
    assert {name: value for name, value in runs.transcripts(run).items() if name in transcripts} == transcripts
    assert len((run / ".state" / "languages.jsonl").read_text().splitlines()) == 4
    assert {row["recording"]: row["model"].split("-")[0] for row in runs.table(run / "summary.tsv")}["late"] == "second"


def test_the_channels_of_a_call_have_models_and_languages_of_their_own(workspace, base_model, speech, human_speech):
    here = workspace.path / "in"
    here.mkdir()
    runs.second_model(workspace.path / "second", base_model)
    agent, caller = speech(sentences=NOTE), human_speech("es", 3)
    call = np.zeros((max(len(agent.pcm), len(caller.pcm)), 2), np.int16)
    call[: len(agent.pcm), 0], call[: len(caller.pcm), 1] = agent.pcm, caller.pcm
    write_wav(here / "call.wav", call)
    write_wav(here / "memo.wav", speech(sentences=NOTE, seed=3).pcm)
    (here / "list.tsv").write_text("path\tchannels\ncall.wav\tsplit\nmemo.wav\t\n")
    of_caller = {"when": {"channel": 2}, "language": "es", "decoding": {"beam_size": 2}}

    def run_it(*routes: dict) -> str:
        settings = {"run": "x", "recordings": "in/list.tsv", "language": "en", "routes": list(routes)}
        (workspace.path / "r.yaml").write_text(yaml.safe_dump(settings))
        return workspace.snakemake("--configfile", "r.yaml").stdout

    said = run_it({"when": {"channel": 1}, "model": "second"}, of_caller, {"when": {"channel": 3}, "prompt": "Hello"})
    assert "route 3 (channel 3) matches no recording; recordings whose channels are split have 2 at most" in said
    run = workspace.path / "results" / "x"
    assert runs.jobs(workspace.path)["transcribe"] == 2
    summary = {row["recording"]: row for row in runs.table(run / "summary.tsv")}
    assert [model.split("-")[0] for model in summary["call"]["model"].split(", ")] == ["second", "base"]
    assert summary["memo"]["model"] == "base"

    document = json.loads((run / "transcripts" / "call.json").read_text())
    one, two = document["provenance"]["channels"]
    assert (one["channel"], one["model"]["name"].split("-")[0], one["options"]["language"]) == (1, "second", "en")
    assert (two["channel"], two["model"]["name"], two["options"]["language"]) == (2, "base", "es")
    assert one["model"]["hash"] != two["model"]["hash"] and two["options"]["beam_size"] == 2
    assert {(segment["speaker"], segment["language"]) for segment in document["segments"]} == {
        ("Channel 1", "en"),
        ("Channel 2", "es"),
    }

    def text(speaker: str) -> str:
        return " ".join(segment["text"] for segment in document["segments"] if segment["speaker"] == speaker)

    assert word_error_rate(agent.text, text("Channel 1")) <= 0.1
    assert word_error_rate(caller.text, text("Channel 2"), "es") <= 0.3
    assert word_error_rate(" ".join(NOTE), runs.text(run, "memo")) <= 0.1

    # Another model for one channel leaves what the other one said, and the other recording, as they are.
    kept = runs.stored(workspace.path / "results" / "store")
    assert len(kept) == 3
    run_it(of_caller)
    after = runs.stored(workspace.path / "results" / "store")
    assert {key: after[key] for key in kept} == kept and len(after) == 4
    assert runs.decoded(run) == {"call.c0.0000": 2, "call.c1.0000": 1, "memo.0000": 1}
    assert {row["model"] for row in runs.table(run / "summary.tsv")} == {"base"}
