"""Every format through a strict parser of somebody else, also with text that would like to break it."""

from __future__ import annotations

import csv
import html
import io
import json
import re
from typing import Any

import pysubs2
import pytest
import webvtt
from hypothesis import given, settings
from hypothesis import strategies as st

from audiogrid.core.errors import InputError
from audiogrid.core.text import clean_text
from audiogrid.export.cues import make_cues
from audiogrid.export.formats import DEFAULT_FORMATS, FORMATS, render, render_all

GAP = {"start": 60.0, "end": 120.0, "chunk": "talk.0001", "reason": "out of memory"}


def segment(text: str, start: float = 0.0, step: float = 0.4, **more: Any) -> dict[str, Any]:
    words = [
        {"start": round(start + n * step, 3), "end": round(start + n * step + 0.9 * step, 3), "word": f" {word}"}
        for n, word in enumerate(text.split(" "))
    ]
    return {"start": words[0]["start"], "end": words[-1]["end"], "text": text, "words": words, **more}


def document(*segments: dict[str, Any], gaps: tuple[dict[str, Any], ...] = (), mode: str = "mix") -> dict[str, Any]:
    return {"channels_mode": mode, "duration": 3600.0, "segments": list(segments), "gaps": list(gaps), "seams": []}


def srt_lines(text: str) -> list[tuple[int, int, str]]:
    parsed = pysubs2.SSAFile.from_string(text, format_="srt")
    return [(event.start, event.end, event.text.replace("\\N", " ")) for event in parsed]


def vtt_captions(text: str) -> list[webvtt.Caption]:
    return list(webvtt.from_buffer(io.StringIO(text)))


def tsv_rows(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text), delimiter="\t", quoting=csv.QUOTE_NONE, strict=True))


def test_a_recording_without_speech_gives_valid_empty_files() -> None:
    empty = document()
    files = render_all(empty, DEFAULT_FORMATS)
    assert files["srt"] == ""
    assert files["vtt"].startswith("WEBVTT\nType: caption\n") and "-->" not in files["vtt"]
    assert files["txt"] == ""
    assert files["tsv"] == "start\tend\ttext\n"
    assert json.loads(files["json"]) == empty
    assert srt_lines(files["srt"]) == []
    assert vtt_captions(files["vtt"]) == []


def test_srt_and_vtt_say_the_same_at_the_same_times() -> None:
    spoken = document(segment("Good morning, everybody. Today we talk about boats & ropes."), segment("Done.", 9.0))
    cues = make_cues(spoken)
    files = render_all(spoken, ["srt", "vtt"])
    assert srt_lines(files["srt"]) == [(cue.start, cue.end, " ".join(cue.lines)) for cue in cues]
    captions = vtt_captions(files["vtt"])
    assert [html.unescape(caption.text).split("\n") for caption in captions] == [cue.lines for cue in cues]
    assert [round(1000 * caption.start_in_seconds) // 1000 for caption in captions] == [c.start // 1000 for c in cues]
    assert "boats &amp; ropes" in files["vtt"].replace("\n", " ")


def test_txt_has_a_paragraph_for_every_long_pause_speaker_and_gap() -> None:
    spoken = document(segment("One."), segment("Two.", 1.0), segment("Three.", 5.0), segment("Four.", 121), gaps=(GAP,))
    assert render(spoken, "txt") == (
        "One. Two.\n\nThree.\n\n[not transcribed 0:01:00-0:02:00: out of memory]\n\nFour.\n"
    )
    call = document(
        segment("Hello?", speaker="Channel 1"),
        segment("Yes?", 0.5, speaker="Channel 2"),
        segment("Hi.", 1.0, speaker="Channel 1"),
        segment("It is me.", 1.5, speaker="Channel 1"),
        mode="split",
    )
    assert render(call, "txt") == "Channel 1: Hello?\n\nChannel 2: Yes?\n\nChannel 1: Hi. It is me.\n"


def test_txt_sets_no_space_between_segments_of_a_script_without_spaces() -> None:
    first, second = segment("今天"), segment("很好", 1.0)
    for entry in (first, second):
        entry["words"][0]["word"] = entry["words"][0]["word"].strip()
    assert render(document(first, second), "txt") == "今天很好\n"


def test_tsv_is_a_table_in_milliseconds() -> None:
    rows = tsv_rows(render(document(segment("One two."), segment("After", 120.0), gaps=(GAP,)), "tsv"))
    assert rows == [
        ["start", "end", "text"],
        ["0", "760", "One two."],
        ["60000", "120000", "[not transcribed 0:01:00-0:02:00: out of memory]"],
        ["120000", "120360", "After"],
    ]
    rows = tsv_rows(render(document(segment("One", speaker="Channel 2"), mode="split"), "tsv"))
    assert rows == [["start", "end", "speaker", "text"], ["0", "360", "Channel 2", "One"]]


def test_a_gap_stands_in_every_format() -> None:
    notice = "[not transcribed 0:01:00-0:02:00: out of memory]"
    files = render_all(document(gaps=(GAP,)), FORMATS)
    assert srt_lines(files["srt"])[0] == (60_000, 120_000, notice)
    assert vtt_captions(files["vtt"])[0].text.replace("\n", " ") == notice
    assert notice in files["txt"]
    assert notice in files["tsv"]
    assert json.loads(files["json"])["gaps"] == [GAP]


def test_speakers_are_named() -> None:
    call = document(segment("Who is there?", speaker="Clerk <1> & co"), mode="split")
    files = render_all(call, FORMATS)
    assert files["txt"] == "Clerk <1> & co: Who is there?\n"
    assert srt_lines(files["srt"])[0][2] == "Clerk <1> & co: Who is there?"
    caption = vtt_captions(files["vtt"])[0]
    assert "<v Clerk &lt;1&gt; &amp; co>" in files["vtt"]
    assert caption.text == "Who is there?"


def test_an_unknown_format_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"doc is not known.*json, txt, srt, vtt, tsv, html"):
        render(document(), "doc")


def test_clock_beyond_ten_hours() -> None:
    files = render_all({**document(segment("Late.", 36_000.5)), "duration": 40_000.0}, ["srt", "vtt"])
    assert "10:00:00,500 --> " in files["srt"]
    assert "10:00:00.500 --> " in files["vtt"]


MARKUP = ["-->", "--->", "00:00:01,000 --> 00:00:02,000", "<b>", "</v>", "<v x>", "&amp;", "&", "{\\an8}", "<", ">"]
WORDS = ["WEBVTT", "NOTE", "STYLE", "42", "👩\u200d👩\u200d👧", "“q”", '"']
CONTROL = ["a\nb", "a\n\n7\n", "\t", "\x00", "\u2028", "\ud800", "\r\n"]
NASTY = st.one_of(st.sampled_from(MARKUP + WORDS + CONTROL), st.text(max_size=12))


@settings(max_examples=100, deadline=None)
@given(st.lists(NASTY, min_size=1, max_size=30), st.sampled_from([None, "Channel 1"]))
def test_no_text_breaks_a_format(texts: list[str], speaker: str | None) -> None:
    # The merge cleans words before they get here; whole words of control characters are left out.
    words = [
        {"start": 0.5 * n, "end": 0.5 * n + 0.4, "word": f" {clean_text(text)}"}
        for n, text in enumerate(texts)
        if clean_text(text).strip()
    ]
    if not words:
        return
    text = " ".join("".join(word["word"] for word in words).split())
    entry = {"start": words[0]["start"], "end": words[-1]["end"], "text": text, "words": words}
    more = {} if speaker is None else {"speaker": speaker}
    spoken = document({**entry, **more}, mode="mix" if speaker is None else "split")
    files = render_all(spoken, DEFAULT_FORMATS)
    cues = make_cues(spoken)
    for content in files.values():
        content.encode()
        assert "\x00" not in content
    assert json.loads(files["json"]) == spoken
    assert len(tsv_rows(files["tsv"])) == 2
    assert tsv_rows(files["tsv"])[1][-1] == text

    parsed = srt_lines(files["srt"])
    assert [(start, end) for start, end, _ in parsed] == [(cue.start, cue.end) for cue in cues]
    assert files["srt"].count("-->") == len(cues)
    captions = vtt_captions(files["vtt"])
    assert len(captions) == len(cues)
    assert files["vtt"].count("-->") == len(cues)
    for caption, cue in zip(captions, cues, strict=True):
        raw = re.sub(r"</?v[^>]*>", "", caption.raw_text)
        assert html.unescape(raw).split("\n") == cue.lines
