"""The header of WebVTT files: the fields of FADGI's guidelines, through readers of somebody else."""

from __future__ import annotations

import io
from typing import Any

import av
import pysubs2
import pytest
import webvtt
from hypothesis import given, settings
from hypothesis import strategies as st

from audiogrid.core.language_codes import CODES, language_tag, three_letters
from audiogrid.export.format_options import FormatOptions
from audiogrid.export.formats import render_all

WORDS = [{"start": 1.0, "end": 1.4, "word": " Good", "probability": 0.9}, {"start": 1.5, "end": 2.0, "word": " day."}]
MADE = {
    "audiogrid": "0.1.0",
    "faster_whisper": "1.2.1",
    "ctranslate2": "4.8.0",
    "model": {"name": "base", "hash": "d01c3014881c9c6f" + 48 * "0"},
    "options": {"task": "transcribe"},
}


def document(**more: Any) -> dict[str, Any]:
    segment = {"start": 1.0, "end": 2.0, "text": "Good day.", "language": "de", "words": WORDS}
    return {
        "recording": "talk",
        "path": "in/my talk.wav",
        "language": "de",
        "channels_mode": "mix",
        "duration": 20.0,
        "segments": [segment],
        "gaps": [],
        "seams": [],
        "quality": {"words": 2, "low_confidence_share": 0.125},
        "provenance": MADE,
        **more,
    }


def vtt(spoken: dict[str, Any], **options: Any) -> str:
    return str(render_all(spoken, ["vtt"], options=FormatOptions({"vtt": options}))["vtt"])


def fields(text: str) -> list[list[str]]:
    head = text.split("\n\n")[0].split("\n")
    assert head[0] == "WEBVTT"
    return [line.split(": ", 1) for line in head[1:]]


def read_by_ffmpeg(text: str) -> list[bytes]:
    with av.open(io.BytesIO(text.encode()), format="webvtt") as container:
        return [bytes(packet) for packet in container.demux() if packet.size]


def test_the_fields_of_the_guidelines_in_their_order() -> None:
    text = vtt(document(), responsible_party="US, A Library", media_identifier="{recording}-17, local", date="2026-05")
    assert fields(text) == [
        ["Type", "caption"],
        ["Language", "deu"],
        ["Responsible Party", "US, A Library"],
        ["Media Identifier", "talk-17, local"],
        ["Originating File", "my talk.wav"],
        ["File Creator", "audiogrid 0.1.0, Whisper base (d01c3014881c9c6f), faster-whisper 1.2.1, CTranslate2 4.8.0"],
        ["File Creation Date", "2026-05"],
        ["Title", "talk"],
        ["Origin History", text.split("\nNOTE ")[1].split("\n")[0]],
        ["Local Usage Element", "[doubtful words] 12.5 % of 2"],
        ["Local Usage Element", "[review] none"],
    ]
    assert "made by a machine (Whisper base" in text and "Nobody has checked it." in text


def test_what_is_not_given_is_said_to_be_missing_and_the_recordings_date_stands_in() -> None:
    found = dict(fields(vtt(document())))
    assert (found["Responsible Party"], found["File Creation Date"]) == ("not stated", "not stated")
    assert dict(fields(vtt(document(date="1998-04-30"))))["File Creation Date"] == "1998-04-30 (of the recording)"
    assert dict(fields(vtt(document(date="1998"), date="2026")))["File Creation Date"] == "2026"
    assert vtt(document(), provenance=False).startswith("WEBVTT\n\n00:00:01.000 --> ")


def test_what_a_translation_is_written_in() -> None:
    translated = {**MADE, "options": {"task": "translate"}}
    found = dict(fields(vtt(document(provenance=translated))))
    assert (found["Type"], found["Language"]) == ("subtitle", "eng")

    # Limits of Japanese subtitles and the tag of the language are of the text, not of the speech.
    said = " the harbour was empty and nobody walked on the pier that day".split(" ")[1:]
    words = [
        {"start": float(at), "end": at + 1.0, "word": f" {word}", "probability": 0.9} for at, word in enumerate(said)
    ]
    segment = {"start": 0.0, "end": 12.0, "text": " ".join(said), "language": "ja", "words": words}
    of_speech = document(language="ja", segments=[segment], provenance=MADE)
    made = {kind: render_all(of_speech, [kind])[kind] for kind in ("srt", "ttml", "html")}
    of_text = {
        kind: render_all({**of_speech, "provenance": translated}, [kind])[kind] for kind in ("srt", "ttml", "html")
    }
    assert max(map(len, str(made["srt"]).splitlines())) <= 29 < max(map(len, str(of_text["srt"]).splitlines()))
    assert 'xml:lang="ja"' in str(made["ttml"]) and 'xml:lang="ja"' not in str(of_text["ttml"])
    assert '<div id="text" lang="ja"' in str(made["html"]) and '<div id="text" lang="en"' in str(of_text["html"])


def test_gaps_names_and_several_models() -> None:
    gap = {"start": 5.0, "end": 7.5, "chunk": "talk.0001", "reason": "out of memory"}
    text = vtt(document(gaps=[gap], names={"Anna": ["Speaker 1"]}))
    assert "[not transcribed] 2.5 s" in text and "A person has named speakers" in text
    assert "[review] names of speakers" in text
    channels = [{"model": {"name": name, "hash": 64 * name[0]}} for name in ("base", "small", "base")]
    assert "Whisper base (bbbbbbbbbbbbbbbb), small (ssssssssssssssss)" in vtt(
        document(provenance={"channels": channels})
    )


def test_addresses_keep_their_secrets() -> None:
    text = vtt(document(path="https://user:word@host.example/a/talk.mp3?token=secret"))
    assert "word@" not in text and "secret" not in text
    assert dict(fields(text))["Originating File"] == "talk.mp3"


@pytest.mark.parametrize("more", [{}, {"segments": []}])
def test_independent_readers_find_the_cues_behind_the_header(more: dict[str, Any]) -> None:
    text = vtt(document(**more))
    cues = ["Good day."] if not more else []
    assert [caption.text for caption in webvtt.from_buffer(io.StringIO(text))] == cues
    assert [event.text for event in pysubs2.SSAFile.from_string(text, format_="vtt")] == cues
    assert read_by_ffmpeg(text) == [cue.encode() for cue in cues]


HOSTILE = st.text(st.sampled_from("a>-<&\n\r\t:\"'NOTE WEBVTT00:01.0\u2028\u202e😀"), max_size=24)


@settings(deadline=None)
@given(HOSTILE, HOSTILE, HOSTILE)
def test_hostile_values_end_neither_header_nor_file(name: str, party: str, identifier: str) -> None:
    spoken = document(recording=name, path=f"in/{name}")
    text = vtt(spoken, responsible_party=party, media_identifier=identifier)
    assert [caption.text for caption in webvtt.from_buffer(io.StringIO(text))] == ["Good day."]
    assert read_by_ffmpeg(text) == [b"Good day."]
    assert [line[0] for line in fields(text)][:3] == ["Type", "Language", "Responsible Party"]


def test_every_language_has_its_codes() -> None:
    assert all(len(three_letters(code)) == 3 and three_letters(code) != "und" for code in CODES)
    assert len({three_letters(code) for code in CODES}) == len(CODES)
    assert (three_letters(""), language_tag("jw"), language_tag("de")) == ("und", "jv", "de")
