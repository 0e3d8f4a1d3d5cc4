"""Speakers in a real run: who says what, what a kill costs, and what runs again after a change."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from runs import jobs, stored, table, text
from speech import Speech, silence
from workspaces import Workspace

pytestmark = pytest.mark.workflow

RATE = 16_000
HOSTILE = "Zoë </v><script>;$(id) --> &"


def conversation(first: Speech, second: Speech) -> tuple[np.ndarray, list[tuple[int, int, int]]]:
    """Two voices in turns of two sentences, at one level, with the noise of one room; and who speaks when."""
    parts: list[np.ndarray] = []
    turns = []
    at = 0
    for number in range(0, 8, 2):
        for who, speech in enumerate((first, second)):
            for start, end, _ in speech.spans[number : number + 2]:
                pcm = speech.pcm[start:end].astype(float)
                pcm *= 2500 / (np.sqrt((pcm**2).mean()) + 1)
                turns.append((at, at + len(pcm), who))
                parts += [pcm, silence(0.3).astype(float)]
                at += len(pcm) + len(parts[-1])
    signal = np.concatenate(parts)
    noise = np.random.default_rng(1).normal(0, 30, len(signal))
    return np.clip(signal + noise, -32768, 32767).astype(np.int16), turns


def voices(store: Path) -> dict[str, tuple[int, int]]:
    """Results of embedding in a store: key -> inode and time."""
    return {
        key: state
        for key, state in stored(store).items()
        if "tracklets" in json.loads((store / key[:2] / f"{key}.json").read_text())["result"]
    }


def test_speakers_of_a_run(
    workspace: Workspace, speakers_model: Path, human_speech: Callable[..., Speech], tmp_path: Path
) -> None:
    (workspace.path / "models" / "speakers").symlink_to(speakers_model, target_is_directory=True)
    pcm, turns = conversation(human_speech("fr", 8), human_speech("it", 8))
    folder = workspace.path / "in"
    folder.mkdir()
    soundfile.write(folder / "two.wav", pcm, RATE)
    soundfile.write(folder / "quiet.wav", np.zeros(3 * RATE, dtype=np.int16), RATE)
    faults = tmp_path / "faults" / "faults.json"
    faults.parent.mkdir()
    faults.write_text(json.dumps({"embed:two.0000": {"do": "kill", "times": 1}}))
    listed = workspace.path / "in.tsv"
    listed.write_text("path\tspeakers\nin/quiet.wav\t\nin/two.wav\t\n")
    options = (
        "--config",
        "run=r",
        "recordings=in.tsv",
        "speakers=auto",
        "chunk_minutes=0.5",
        "language=it",
        "formats=json,txt,vtt",
    )
    run, store = workspace.path / "results" / "r", workspace.path / "results" / "store"

    # A worker is killed at its first chunk: that chunk is tried again, nothing else is lost.
    workspace.snakemake(*options, env={"AUDIOGRID_FAULTS": str(faults)})
    first = voices(store)
    assert jobs(workspace.path)["embed"] == 1
    documents = [json.loads((run / "transcripts" / f"{name}.json").read_text()) for name in ("two", "quiet")]
    assert len(first) == sum(len(one["provenance"]["chunks"]) for one in documents) > 2
    assert "attempt 2 of 2 follows" in (run / "logs" / "embed" / "s0001.log").read_text()

    document = json.loads((run / "transcripts" / "two.json").read_text())
    assert [voice["speaker"] for voice in document["speakers"]] == ["Speaker 1", "Speaker 2"]
    wrong = total = 0.0
    for start, end, who in turns:
        for turn in document["turns"]:
            common = min(end / RATE, turn["end"]) - max(start / RATE, turn["start"])
            if common > 0:
                total += common
                wrong += common * (turn["speaker"] != f"Speaker {who + 1}")
    assert wrong / total < 0.02
    assert total > 0.8 * sum(end - start for start, end, _ in turns) / RATE
    assert "Speaker 2: " in text(run, "two")
    assert "<v Speaker 1>" in (run / "transcripts" / "two.vtt").read_text()
    assert (run / "transcripts" / "two.rttm").read_text().startswith("SPEAKER two 1 0.")
    quiet = json.loads((run / "transcripts" / "quiet.json").read_text())
    assert (quiet["speakers"], quiet["turns"]) == ([], [])
    assert (run / "transcripts" / "quiet.rttm").read_text() == ""

    # A speaker is named: the bundle of that recording is merged again, nothing is embedded or decoded.
    audiogrid = (sys.executable, "-m", "audiogrid.cli")
    code = {"PYTHONPATH": str(workspace.path / "scripts")}
    workspace.run(*audiogrid, "speakers", "rename", "r", "two", "Speaker 1", HOSTILE, env=code)
    before = (run / "transcripts" / "two.rttm").read_text()
    workspace.snakemake(*options)
    assert jobs(workspace.path) == {"merge": 1, "report": 1, "all": 1}
    assert voices(store) == first
    named = json.loads((run / "transcripts" / "two.json").read_text())
    assert [voice["speaker"] for voice in named["speakers"]] == [HOSTILE, "Speaker 2"]
    assert named["names"] == {HOSTILE: ["Speaker 1"]}
    assert f"{HOSTILE}: " in text(run, "two")
    assert "<script>" not in (run / "transcripts" / "two.vtt").read_text()
    assert (run / "transcripts" / "two.rttm").read_text() == before.replace("Speaker_1", HOSTILE.replace(" ", "_"))
    checked = workspace.run(*audiogrid, "corrections", "check", env=code)
    assert f"{HOSTILE} in r" in checked.stdout

    # Another number of speakers, in the table: merged again, and the name is still there.
    listed.write_text("path\tspeakers\nin/quiet.wav\tauto\nin/two.wav\t2\n")
    before = (run / "transcripts" / "two.rttm").read_text()
    workspace.snakemake(*options)
    assert not {"split", "embed", "transcribe"} & jobs(workspace.path).keys()
    assert voices(store) == first
    assert (run / "transcripts" / "two.rttm").read_text() == before
    rows = {row["recording"]: row for row in table(run / "summary.tsv")}
    assert (rows["two"]["speakers"], rows["two"]["doubtful_speakers"], rows["quiet"]["speakers"]) == ("2", "0", "0")
    planned = workspace.snakemake("plan", *options)
    assert "to embed     nothing: the store has the voices of every chunk" in planned.stdout
    # A file that nobody can read is told, and the run goes on.
    (file,) = (workspace.path / "corrections").iterdir()
    file.write_text("<<<<<<< HEAD\n")
    done = workspace.snakemake(*options)
    assert "unresolved merge" in done.stdout
    assert "Speaker 1: " in text(run, "two")
    file.unlink()

    # Somebody else's turns in place of the stage, and one that is of another recording.
    (workspace.path / "who.rttm").write_text("SPEAKER two 1 0 1000 <NA> <NA> Anna <NA> <NA>\n")
    listed.write_text("path\trttm\nin/quiet.wav\t\nin/two.wav\twho.rttm\n")
    workspace.snakemake(*options, code=1)
    assert [row["recording"] for row in table(run / "failed.tsv")] == ["two"]
    assert "another recording" in table(run / "failed.tsv")[0]["cause"]
    (workspace.path / "who.rttm").write_text("SPEAKER two 1 0 20 <NA> <NA> Anna <NA> <NA>\n")
    workspace.snakemake(*options)
    assert {one["speaker"] for one in json.loads((run / "transcripts" / "two.json").read_text())["segments"]} == {
        "Anna"
    }


def test_voices_over_recordings(
    workspace: Workspace, speakers_model: Path, human_speech: Callable[..., Speech]
) -> None:
    (workspace.path / "models" / "speakers").symlink_to(speakers_model, target_is_directory=True)
    folder = workspace.path / "in"
    folder.mkdir()
    people = {language: human_speech(language, 8) for language in ("en", "fr", "it")}
    run, store = workspace.path / "results" / "r", workspace.path / "results" / "store"
    known = workspace.path / "people" / "voices.json"

    def record(name: str, *languages: str) -> None:
        soundfile.write(folder / f"{name}.wav", conversation(*(people[one] for one in languages))[0], RATE)

    def linked() -> dict[str, list[int]]:
        # Nothing is decoded: what is looked at ends before that.
        settings = ("run=r", "recordings=in", "speakers={link: people/voices.json}")
        workspace.snakemake("--config", *settings, "--", "results/r/linked.json")
        return {name: ids[""] for name, ids in json.loads((run / "linked.json").read_text())["links"].items()}

    record("b", "fr", "it")
    record("c", "it", "en")
    assert linked() == {"b": [1, 2], "c": [2, 3]}
    first = voices(store)
    assert [len(one["heard"]) for one in json.loads(known.read_text())["voices"]] == [1, 2, 1]

    # A recording that stands before the others: they keep what they have, and nothing of them is embedded again.
    record("a", "en", "it")
    assert linked() == {"a": [3, 2], "b": [1, 2], "c": [2, 3]}
    assert first.items() < voices(store).items()

    # No other file of the run has vectors. They go on request, from the store and from the file of voices.
    vectors = [heard["vector"][:40] for one in json.loads(known.read_text())["voices"] for heard in one["heard"]]
    for path in (path for path in run.rglob("*") if path.is_file()):
        assert not any(vector.encode() in path.read_bytes() for vector in vectors), path
    command = "import sys; from audiogrid.cli.main import main; sys.exit(main())"
    forget = ("python", "-c", command, "speakers", "forget", "r", "--yes", "--recording")
    workspace.run(*forget, "b", env={"PYTHONPATH": str(workspace.path / "scripts")})
    assert {heard["recording"] for one in json.loads(known.read_text())["voices"] for heard in one["heard"]} == {
        "a",
        "c",
    }
    assert len(voices(store)) == 2
