"""Words are corrected in an edited subtitle file: the next run has them, and decodes nothing for it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

import pytest
import soundfile

from runs import jobs, stored
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
