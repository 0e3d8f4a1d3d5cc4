"""Options of single formats."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from docx import Document

from audiogrid.config.resolve import load_schema, resolve
from audiogrid.core.errors import InputError
from audiogrid.export.format_options import DEFAULTS, FormatOptions, parse_timecode, time_mark
from audiogrid.export.formats import render_all


def document(seconds: float = 61.25) -> dict[str, Any]:
    words = [{"start": seconds, "end": seconds + 1, "word": " Hello.", "probability": 0.9}]
    segment = {"start": seconds, "end": seconds + 1, "text": "Hello.", "language": "en", "words": words}
    shared = {"recording": "talk", "path": "talk.wav", "language": "en", "channels_mode": "mix", "duration": 400.0}
    return {**shared, "segments": [segment], "gaps": [], "seams": []}


@pytest.mark.parametrize(
    ("style", "marks"),
    [("name", ["A: One.", "A: Two.", "B: Three.", "Four."]), ("dash", ["- One.", "Two.", "- Three.", "Four."])],
)
def test_speakers_in_subrip(style: str, marks: list[str]) -> None:
    spoken = [("A", "One."), ("A", "Two."), ("B", "Three."), (None, "Four.")]
    segments = []
    for number, (speaker, text) in enumerate(spoken):
        name = {} if speaker is None else {"speaker": speaker}
        word = {"start": 10.0 * number, "end": 10.0 * number + 2, "word": f" {text}", "probability": 0.9, **name}
        segments.append({"start": word["start"], "end": word["end"], "text": text, **name, "words": [word]})
    plain = {**document(), "segments": segments}
    srt = render_all(plain, ["srt"], options=FormatOptions({"srt": {"speakers": style}}))["srt"]
    assert [block.splitlines()[2] for block in srt.strip().split("\n\n")] == marks


def test_times_of_subtitles_begin_at_the_time_code() -> None:
    given = {name: {"start": "10:00:00:12"} for name in ("srt", "vtt", "ttml")}
    files = render_all(document(), given, options=FormatOptions(given))
    assert "10:01:01,730 --> " in str(files["srt"])
    assert "10:01:01.730 --> " in str(files["vtt"])
    assert 'begin="10:01:01.730"' in str(files["ttml"])
    plain = render_all(document(), ["srt"])
    assert "00:01:01,250 --> " in str(plain["srt"])


def test_time_marks() -> None:
    assert [time_mark(3661.29, style) for style in ("brackets", "maxqda", "none")] == [
        "[01:01:01] ",
        "#01:01:01-2# ",
        "",
    ]
    files = render_all(document(), ["docx", "md"], options=FormatOptions({"docx": {"time_marks": "maxqda"}}))
    assert isinstance(files["docx"], bytes)
    assert Document(io.BytesIO(files["docx"])).paragraphs[1].text == "#00:01:01-2# Hello."
    assert "\\[00:01:01\\] Hello." in str(files["md"])


def test_marks_of_ohms() -> None:
    for minutes, expected in ((1, ["00:05:00"]), (2, ["00:04:00"]), (10, [])):
        files = render_all(document(301.0), ["ohms"], options=FormatOptions({"ohms": {"minutes": minutes}}))
        assert re.findall(r"\[([\d:]+)\]", str(files["ohms"])) == expected


@pytest.mark.parametrize(
    ("text", "rate", "milliseconds"),
    [("00:00:00:00", 25, 0), ("10:00:00", 25, 36_000_000), ("00:00:01:15", 30, 1500), ("00:00:00;29", 29.97, 968)],
)
def test_time_codes(text: str, rate: float, milliseconds: int) -> None:
    assert parse_timecode(text, rate) == milliseconds


@pytest.mark.parametrize("text", ["10", "1:0:0", "10:61:00:00", "00:00:00:25", "", "36000"])
def test_what_is_no_time_code_is_an_error_that_shows_one(text: str) -> None:
    with pytest.raises(InputError, match=r"format_options\.vtt\.start: .*in quotes: '10:00:00:00'"):
        resolve({"format_options": {"vtt": {"start": text}}})


def test_code_and_schema_have_the_same_defaults() -> None:
    assert resolve({})["format_options"] == DEFAULTS
    assert list(load_schema()["properties"]["format_options"]["properties"]) == list(DEFAULTS)
