"""One command turns a folder into transcripts, and a second one does only what is new."""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path

import pytest
import yaml

import runs
from media import write_media, write_wav
from speech import join, say, silence, word_error_rate

pytestmark = pytest.mark.workflow

TALK = [
    "The library opens at nine in the morning.",
    "Every visitor receives a small paper map.",
    "The old reading room is closed until April.",
]
NOTE = ["Please call the plumber before Friday.", "The kitchen tap is leaking again."]
STORY = ["A fox crossed the frozen lake at dawn.", "Nobody followed the narrow tracks in the snow."]


@pytest.fixture
def folder(workspace, speech):
    """A folder with three recordings in three formats."""
    target = workspace.path / "in"
    (target / "sub").mkdir(parents=True)
    write_wav(target / "talk one.wav", speech(sentences=TALK).pcm)
    write_media(target / "note.mp3", speech(sentences=NOTE, seed=5).pcm)
    write_media(target / "sub" / "story.m4a", speech(sentences=STORY, seed=9).pcm)
    return target


def go(workspace, *options, **more):
    return workspace.snakemake("--config", "run=x", "recordings=in", "language=en", *options, **more)


def test_a_folder_becomes_transcripts_and_later_runs_do_only_what_is_new(workspace, folder, speech):
    done = go(workspace)
    run = workspace.path / "results" / "x"
    for name, said in (("talk_one", TALK), ("note", NOTE), ("story", STORY)):
        for kind in ("json", "txt", "srt", "vtt", "tsv", "html"):
            assert (run / "transcripts" / f"{name}.{kind}").is_file()
        assert word_error_rate(" ".join(said), runs.text(run, name)) <= 0.1
    assert "3 of 3 recording(s) transcribed" in done.stdout
    summary = runs.table(run / "summary.tsv")
    assert [(row["recording"], row["status"]) for row in summary] == [
        ("note", "complete"),
        ("story", "complete"),
        ("talk_one", "complete"),
    ]
    assert runs.table(run / "rejected.tsv") == runs.table(run / "failed.tsv") == []
    ledger = runs.ledger(run)
    assert list(ledger) == ["note", "story", "talk_one"]
    # Only half of these recordings is to be heard: the synthesiser surrounds each sentence with silence. So the ledger
    # is held to what is heard, of which all was covered when this was measured; a coder shifts it by up to 0.05 s.
    for name, said, seed in (("note", NOTE, 5), ("story", STORY, 9), ("talk_one", TALK, 1)):
        heard, quiet = runs.share_with_words(ledger[name], speech(sentences=said, seed=seed).pcm)
        assert heard >= 0.97 and quiet <= 0.3
        assert "speech_without_words" not in {row["kind"] for row in ledger[name]}
    assert "What became of every second" in (run / "report.html").read_text()
    document = json.loads((run / "transcripts" / "talk_one.json").read_text())
    assert document["path"] == "in/talk one.wav"
    config = yaml.safe_load((run / "run_config.yaml").read_text())
    assert config["config"]["language"] == "en"
    assert len(config["model"]["hash"]) == 64
    assert not (run / "chunks").exists() or not list((run / "chunks").iterdir())
    first, kept = runs.transcripts(run), runs.stored(workspace.path / "results" / "store")
    assert len(kept) == 3

    # The same command again does nothing.
    assert "Nothing to be done" in go(workspace).stdout
    assert runs.transcripts(run) == first

    # Another format is merged, not decoded; files of formats no longer wanted are moved out of the way.
    done = go(workspace, "formats=[txt,srt]")
    assert runs.jobs(workspace.path) == {"merge": 1, "report": 1, "all": 1}
    assert (
        "12 file(s) of recordings or formats that are no longer wanted are now in results/x/superseded/" in done.stdout
    )
    superseded = {f"transcripts/{path.name}" for path in (run / "superseded").iterdir()}
    assert superseded == {name for name in first if name[-3:] not in ("txt", "srt")} | {"transcripts/superseded.tsv"}
    json_of_note = first["transcripts/note.json"]
    first = {name: hash_ for name, hash_ in first.items() if name[-3:] in ("txt", "srt")}

    # A deleted transcript comes back; nothing else is touched, and then there is peace again.
    (run / "transcripts" / "note.txt").unlink()
    go(workspace, "formats=[txt,srt]")
    assert runs.jobs(workspace.path) == {"merge": 1, "report": 1, "all": 1}
    assert runs.transcripts(run) == first
    assert "Nothing to be done" in go(workspace, "formats=[txt,srt]").stdout

    # A new recording is decoded alone.
    write_wav(folder / "a new one.wav", speech(sentences=NOTE, seed=77).pcm)
    go(workspace, "formats=[txt,srt]")
    after = runs.stored(workspace.path / "results" / "store")
    assert {key: after[key] for key in kept} == kept
    assert len(after) == 4
    assert runs.jobs(workspace.path)["split"] == 1
    assert {name: hash_ for name, hash_ in runs.transcripts(run).items() if name in first} == first

    # Another run over the same audio finds everything in the store.
    workspace.snakemake("--config", "run=y", "recordings=in", "language=en")
    assert runs.stored(workspace.path / "results" / "store") == after
    assert sum(runs.decoded(workspace.path / "results" / "y").values()) == 0
    assert runs.transcripts(workspace.path / "results" / "y")["transcripts/note.json"] == json_of_note

    # Other options change text, hence decode.
    go(workspace, "prompt=Notes", "formats=[txt]")
    assert len(runs.stored(workspace.path / "results" / "store")) == 8


def test_bad_files_are_rejected_with_a_reason_and_the_others_are_done(workspace, folder):
    (folder / "empty.mp3").write_bytes(b"")
    (folder / "text.mp3").write_text("this is not audio\n" * 50)
    for _ in range(2):
        done = go(workspace, code=1)
        assert "3 of 5 recording(s) transcribed" in done.stdout
        assert "2 rejected" in done.stdout
        assert "in/empty.mp3: " in done.stdout
    run = workspace.path / "results" / "x"
    assert [row["path"] for row in runs.table(run / "rejected.tsv")] == ["in/empty.mp3", "in/text.mp3"]
    assert sum(runs.decoded(run).values()) == 3


def test_plan_says_what_will_be_done_and_decodes_nothing(workspace, folder):
    done = workspace.snakemake("plan", "--config", "run=x", "recordings=in")
    assert "recordings   3" in done.stdout
    assert "core-hours" in done.stdout
    assert not (workspace.path / "results" / "store").exists()
    again = workspace.snakemake("plan", "--config", "run=x", "recordings=in")
    assert "shards       1" in again.stdout


def test_status_tells_progress_and_text(workspace, folder):
    go(workspace)
    status = workspace.run("python", "scripts/status.py", "results/x")
    assert "(100%)" in status.stdout
    said = workspace.run("python", "scripts/status.py", "results/x", "--text", "note")
    assert word_error_rate(" ".join(NOTE), said.stdout) <= 0.1
    unknown = workspace.run("python", "scripts/status.py", "results/x", "--text", "nobody", code=2)
    assert "no recording 'nobody'" in unknown.stdout


def test_names_that_nobody_should_use(workspace, speech):
    folder = workspace.path / "in"
    folder.mkdir()
    sound = write_wav(workspace.path / "s.wav", speech(sentences=NOTE[:1]).pcm).read_bytes()
    names = [
        "-rf.wav",
        "a b.wav",
        "it's.wav",
        'quo"te.wav',
        "$(touch pwned).wav",
        "new\nline.wav",
        "a..wav",
        "ünï.wav",
        "a;b.wav",
    ]
    for name in names:
        (folder / name).write_bytes(sound)
    go(workspace)
    run = workspace.path / "results" / "x"
    assert not list(workspace.path.rglob("pwned"))
    documents = [json.loads(path.read_text()) for path in (run / "transcripts").glob("*.json")]
    assert sorted(document["path"] for document in documents) == sorted(f"in/{name}" for name in names)
    # The same audio nine times is decoded once.
    assert len(runs.stored(workspace.path / "results" / "store")) == 1


def test_channels_of_a_call_become_speakers(workspace, speech):
    folder = workspace.path / "in"
    folder.mkdir()
    left = join(say("Good morning, this is the garage.", 1), 4.0, say("It will be ready on Thursday.", 2), 1.0)
    right = join(3.0, say("Hello, is my car finished?", 3, pitch=0.8), silence(1.0))
    size = max(len(left), len(right))
    import numpy as np

    call = np.stack([np.pad(side, (0, size - len(side))) for side in (left, right)], axis=1)
    write_wav(folder / "call.wav", call)
    go(workspace, "channels=split")
    document = json.loads((workspace.path / "results/x/transcripts/call.json").read_text())
    # A turn may be written as one sentence or as two.
    turns = [
        (speaker, " ".join(segment["text"] for segment in said).lower())
        for speaker, said in groupby(document["segments"], lambda segment: segment["speaker"])
    ]
    assert [speaker for speaker, _ in turns] == ["Channel 1", "Channel 2", "Channel 1"]
    assert all(word in text for word, (_, text) in zip(("garage", "car", "thursday"), turns, strict=True))


def test_a_table_with_references_prompts_and_bad_rows(workspace, speech):
    folder = workspace.path / "in"
    folder.mkdir()
    write_wav(folder / "one.wav", speech(sentences=NOTE).pcm)
    table = folder / "list.tsv"
    table.write_bytes(
        "\ufeffrecording\tpath\tlanguage\r\nfirst\tone.wav\ten\r\nfirst\tone.wav\ten\r\ngone\tgone.wav\t\r\n".encode()
    )
    done = workspace.snakemake("--config", "run=x", "recordings=in/list.tsv", code=1)
    assert "gone.wav" in done.stdout
    assert (workspace.path / "results/x/transcripts/first.txt").is_file()
    rejected = runs.table(workspace.path / "results/x/rejected.tsv")
    assert len(rejected) == 2


@pytest.mark.parametrize(
    "options, words",
    [
        (["modle=base"], ["modle", "model"]),
        (["model=bse"], ["bse", "base"]),
        (["formats=strt"], ["strt", "srt"]),
        (["language=englisch"], ["englisch", "'en'"]),
        (["recordings=nowhere"], ["nowhere"]),
        (["run=../x"], ["../x"]),
    ],
)
def test_a_mistake_in_the_configuration_is_explained(workspace, options, words):
    done = workspace.snakemake("--config", *options, code=1)
    for word in words:
        assert word in done.stdout
    assert not (workspace.path / "results").exists()


def test_a_folder_with_nothing_in_it(workspace):
    (workspace.path / "in").mkdir()
    done = go(workspace, code=1)
    assert "'in'" in done.stdout or "in " in done.stdout
    assert Path(workspace.path / "results" / "x" / "transcripts").exists() is False
