"""Words are corrected: the next run has them and decodes nothing for it; one that decodes otherwise has them, too."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

import pytest
import soundfile

from runs import jobs, stored, table
from speech import RATE, Speech
from workspaces import Workspace

pytestmark = pytest.mark.workflow
HOSTILE = "</script><b>Zoë</b>"


def test_an_edited_file_corrects_every_later_transcript(workspace: Workspace, speech: Callable[..., Speech]) -> None:
    folder = workspace.path / "in"
    folder.mkdir()
    soundfile.write(folder / "talk.wav", speech(40.0, seed=7).pcm, RATE)
    run = workspace.path / "results" / "r"
    options = ("--config", "run=r", "recordings=in", "language=en", "formats=json,srt,html,vtt")
    code = {"PYTHONPATH": str(workspace.path / "scripts")}

    def audiogrid(*words: str) -> str:
        return str(workspace.run(sys.executable, "-m", "audiogrid.cli", *words, env=code).stdout)

    def document() -> dict:
        return dict(json.loads((run / "transcripts" / "talk.json").read_text()))

    workspace.snakemake(*options)
    first = document()
    words = [word for segment in first["segments"] for word in segment["words"]]
    # A word in the first seconds, one in the last: both stay where their audio is.
    early, late = words[3], words[-4]
    srt = (run / "transcripts" / "talk.srt").read_text()
    head, tail = srt[: len(srt) // 2], srt[len(srt) // 2 :]
    assert early["word"].strip() in head
    assert late["word"].strip() in tail
    edited = head.replace(early["word"].strip(), "Kowalska", 1)
    at = tail.rindex(late["word"].strip())
    edited += tail[:at] + HOSTILE.replace("<", "‹") + tail[at + len(late["word"].strip()) :]
    (workspace.path / "talk.edited.srt").write_text(edited)
    assert "2 passages into" in audiogrid("corrections", "import", "talk.edited.srt", "--by", "ab")

    before = stored(workspace.path / "results" / "store")
    workspace.snakemake(*options)
    assert jobs(workspace.path) == {"merge": 1, "report": 1, "all": 1}
    assert stored(workspace.path / "results" / "store") == before
    found = document()
    confirmed = [word for segment in found["segments"] for word in segment["words"] if "confirmed" in word]
    assert [word["word"].strip() for word in confirmed] == ["Kowalska", HOSTILE.replace("<", "‹")]
    assert [word["start"] for word in confirmed] == [early["start"], late["start"]]
    assert found["provenance"]["corrections"] == {"applied": 2, "unapplied": 0, "confirmed_words": 2, "people": ["ab"]}
    assert "A person has checked 2 of" in (run / "transcripts" / "talk.vtt").read_text()
    assert "2 passages in r" in audiogrid("corrections", "check")
    assert "words that a person checked" in audiogrid("score", "r", "--gap", "60")

    # Many more, and two people who do not agree on one word; then everything is decoded again, in other chunks.
    file = next((workspace.path / "corrections").glob("talk.*.json"))
    stored_there = json.loads(file.read_text())
    places = range(8, len(words) - 8, 6)
    wanted = {f"Zyx{place}quo": words[place] for place in places}
    added = [_entry(words, place, f"Zyx{place}quo", "anna", 1) for place in places]
    added.append(_entry(words, places[0], "Otherwise", "ben", 2))
    file.write_text(json.dumps({**stored_there, "passages": [*stored_there["passages"], *added]}))
    other = ("chunk_minutes=0.5", "bundle_minutes=30", "decoding={beam_size: 1, levelling: none}")
    workspace.snakemake(*options, "run=other", *other)
    assert len(stored(workspace.path / "results" / "store")) > len(before)
    second = json.loads((workspace.path / "results" / "other" / "transcripts" / "talk.json").read_text())
    now = {word["word"].strip(): word for part in second["segments"] for word in part["words"] if "confirmed" in word}
    belongs = {"Otherwise": words[places[0]], "Kowalska": early, HOSTILE.replace("<", "‹"): late, **wanted}
    for text, word in now.items():
        middle = (word["start"] + word["end"]) / 2
        assert belongs[text]["start"] - 0.3 < middle < belongs[text]["end"] + 0.3, text
    listed = [one["text"] for one in second["unapplied"]]
    assert sorted([*now, *listed]) == sorted([*wanted, "Otherwise", "Kowalska", HOSTILE.replace("<", "‹")])
    assert f"Zyx{places[0]}quo" in listed and "Otherwise" in now
    # Of the others, only what both models read too differently may be listed.
    assert len(listed) <= 1 + len(belongs) // 10, listed
    assert second["provenance"]["corrections"]["people"] == ["ab", "anna", "ben"]

    # What was corrected in the transcripts of a run is the reference of a comparison where there is no other.
    workspace.snakemake(*options)
    workspace.snakemake("compare", *options, "variants={plain: {decoding: {beam_size: 1, levelling: none}}}")
    compared = [row for row in table(run / "compare.tsv") if row["kind"] == "condition"]
    assert [(row["variant"], row["with_reference"]) for row in compared] == [("current", "1"), ("plain", "1")]
    assert all(0 < float(row["rate"]) < 1 and float(row["audio_s"]) >= 10 for row in compared)


def _entry(words: list[dict], place: int, text: str, who: str, second: int) -> dict:
    """A correction of one word, as the page saves it."""
    before, was, after = (
        "".join(word["word"] for word in part).strip()
        for part in (words[place - 4 : place], words[place : place + 1], words[place + 1 : place + 5])
    )
    around = {"before": before, "after": after}
    at = [words[place]["start"], words[place]["end"]]
    return {"at": at, "was": was, "text": text, **around, "when": f"2026-05-01T12:00:0{second}Z", "by": who}
