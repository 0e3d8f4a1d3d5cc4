"""Texts that are given, in a real run: what comes out, what a kill costs, and what runs again after a change."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from runs import jobs, stored, text
from speech import RATE, TimedVoice, silence
from workspaces import Workspace

pytestmark = pytest.mark.workflow

SENTENCES = [
    "The young doctor sold twelve baskets of apples at the market.",
    "Captain Morris repaired the old clock above the station.",
    "Our teacher wrote a long letter to the city council.",
    "My neighbour counted seventeen boats in the harbour.",
    "The gardener found a silver coin under the stairs.",
    "The baker's son taught the children a song about winter.",
]
EXTRA = "Nobody in the village had ever seen such a thing."


def aligned(store: Path) -> dict[str, tuple[int, int]]:
    """Results of aligning in a store: key -> inode and time."""
    return {
        key: state
        for key, state in stored(store).items()
        if "scores" in json.loads((store / key[:2] / f"{key}.json").read_text())["result"]
    }


def test_texts_of_a_run(workspace: Workspace, tmp_path: Path) -> None:
    voice = TimedVoice()
    parts, starts, at = [silence(0.4)], [], round(0.4 * RATE)
    for sentence in SENTENCES:
        pcm, own = voice.say(sentence)
        starts += [at / RATE + start for start in own]
        parts += [pcm, silence(0.6)]
        at += len(pcm) + round(0.6 * RATE)
    folder = workspace.path / "in"
    folder.mkdir()
    soundfile.write(folder / "talk.wav", np.concatenate(parts), RATE)
    script = workspace.path / "talk.txt"
    script.write_text(
        "\n".join(["ANNA: " + SENTENCES[0], *SENTENCES[1:3], EXTRA, "BEN: " + SENTENCES[3], SENTENCES[5]])
    )
    (workspace.path / "other.txt").write_text("Ships and shoes and sealing wax, cabbages and kings. " * 10)
    (workspace.path / "in.tsv").write_text(
        "recording\tpath\ttext\ntalk\tin/talk.wav\ttalk.txt\nother\tin/talk.wav\tother.txt\nplain\tin/talk.wav\t\n"
    )
    faults = tmp_path / "faults" / "faults.json"
    faults.parent.mkdir()
    faults.write_text(json.dumps({"align:talk.0000": {"do": "kill", "times": 1}}))
    options = ("--config", "run=r", "recordings=in.tsv", "language=en", "formats=json,txt,vtt,html")
    run, store = workspace.path / "results" / "r", workspace.path / "results" / "store"

    # A worker is killed while it aligns: that chunk is tried again, nothing else is lost.
    workspace.snakemake(*options, "word_times=fine", env={"AUDIOGRID_FAULTS": str(faults)})
    assert jobs(workspace.path)["align"] == 1
    assert "attempt 2 of 2 follows" in (run / "logs" / "align" / "s0001.log").read_text()
    document = json.loads((run / "transcripts" / "talk.json").read_text())
    written = [*SENTENCES[:4], SENTENCES[5]]
    assert " ".join(segment["text"] for segment in document["segments"]) == " ".join(written)
    assert [segment["speaker"] for segment in document["segments"]] == ["ANNA", "ANNA", "ANNA", "BEN", "BEN"]
    assert "<v ANNA>" in (run / "transcripts" / "talk.vtt").read_text()
    kept = [start for index, start in enumerate(starts) if index not in _places(4)]
    late = np.array([word["start"] for segment in document["segments"] for word in segment["words"]]) - kept
    assert np.mean(abs(late) <= 0.1) > 0.8 and np.mean(abs(late) <= 0.3) > 0.95, late
    assert [(one["kind"], one["text"]) for one in document["differences"]] == [
        ("not heard", EXTRA),
        ("not in the text", ""),
    ]
    rows = [line.split("\t") for line in (run / "differences.tsv").read_text().splitlines()]
    assert [row[3] for row in rows] == ["kind", "not heard", "not in the text"]
    assert "differ at 2 places" in (run / "transcripts" / "talk.html").read_text()
    # The text of another recording is said to be that, and the recording keeps what was heard.
    assert text(run, "other") == text(run, "plain")
    assert "another recording" in (run / "summary.tsv").read_text()

    # Another text: split and aligned again, nothing is decoded; what was aligned before stays.
    before, known = stored(store), aligned(store)
    script.write_text("\n".join([*SENTENCES[:3], SENTENCES[3].replace("boats", "goats"), *SENTENCES[4:]]))
    workspace.snakemake(*options, "word_times=fine")
    done = jobs(workspace.path)
    assert (done["split"], done["align"], done["merge"]) == (1, 1, 1)
    # Snakemake starts `transcribe` behind `split`, too; it finds everything in the store.
    after = stored(store)
    assert {key: after[key] for key in before} == before
    assert set(after) - set(before) == set(aligned(store)) - set(known)
    assert "seventeen goats" in text(run, "talk")
    assert (run / "differences.tsv").read_text().count("\n") == 1

    # As a person calls it for one recording; everything is decoded already.
    audiogrid = (sys.executable, "-m", "audiogrid.cli")
    code = {"PYTHONPATH": str(workspace.path / "scripts")}
    workspace.run(*audiogrid, "align", "in/talk.wav", "talk.txt", "--run", "one", "--config", "language=en", env=code)
    alone = workspace.path / "results" / "one" / "transcripts"
    assert "seventeen goats" in (alone / "talk.txt").read_text()
    assert {key: stored(store)[key] for key in after} == after


def _places(sentence: int) -> range:
    """Places of the words of a sentence among all words."""
    lengths = [len(one.split()) for one in SENTENCES]
    return range(sum(lengths[:sentence]), sum(lengths[: sentence + 1]))
