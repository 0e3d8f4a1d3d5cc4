"""WebVTT files through the parser of a browser: cues, voices and escapes, and nothing of the header."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from audiogrid.export.cues import make_cues
from audiogrid.export.formats import render

pytestmark = pytest.mark.browser

PAGE = """<!doctype html><meta charset="utf-8"><video><track default kind="captions"></video><script>
const file = new Blob([TEXT], { type: "text/vtt" });
const track = document.querySelector("track");
track.addEventListener("load", () => { document.title = "loaded"; });
track.addEventListener("error", () => { document.title = "refused"; });
track.src = URL.createObjectURL(file);
track.track.mode = "hidden";
</script>"""


def segment(text: str, start: float, **more: Any) -> dict[str, Any]:
    words = [
        {"start": start + n * 0.4, "end": start + n * 0.4 + 0.3, "word": f" {w}"} for n, w in enumerate(text.split())
    ]
    return {"start": start, "end": words[-1]["end"], "text": text, "language": "en", "words": words, **more}


def test_a_browser_reads_the_cues_and_skips_the_header(browser: Any, tmp_path: Path) -> None:
    gap = {"start": 60.0, "end": 70.0, "chunk": "talk.0001", "reason": "1 --> 2 & <b>", "speaker": "Channel 1"}
    spoken = {
        "recording": "a --> b",
        "path": "in/a --> b\n00:00.000 --> 00:09.000.wav",
        "language": "en",
        "channels_mode": "split",
        "duration": 80.0,
        "segments": [
            segment("Ham & eggs <i> are 2 --> 3, aren't they?", 1.0, speaker="Channel 1"),
            segment("שלום לכולם", 20.0, speaker="Dr <Who> & co"),
        ],
        "gaps": [gap],
        "seams": [],
    }
    page = tmp_path / "page.html"
    text = str(render(spoken, "vtt"))
    page.write_text(PAGE.replace("TEXT", json.dumps(text).replace("<", "\\u003c")), encoding="utf-8")
    browser.open(page)
    assert browser.until("document.title") == "loaded"
    found = browser.js(
        "[...document.querySelector('track').track.cues].map(cue => [cue.startTime, cue.endTime, "
        "cue.getCueAsHTML().textContent, cue.text.startsWith('<v ')])"
    )
    cues = make_cues(spoken)
    assert [(round(1000 * start), round(1000 * end)) for start, end, _, _ in found] == [(c.start, c.end) for c in cues]
    # Lines of right-to-left text stand between marks of their direction.
    assert [("\u200f" in text) for _, _, text, _ in found] == [False, True, False]
    assert [text.replace("\u200f", "") for _, _, text, _ in found] == ["\n".join(cue.lines) for cue in cues]
    assert all(has_voice for *_, has_voice in found)
