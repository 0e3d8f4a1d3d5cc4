"""Speakers in a document: segments begin anew at a change, voices and turns are listed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from audiogrid.core.errors import InputError
from audiogrid.embedding.voices import Turn
from audiogrid.export.formats import render_all
from audiogrid.merging.speakers import SpeakerSource, TrackSpeakers, add_speakers, overlap_samples, speaker_source
from audiogrid.records.plan import Recording
from audiogrid.records.speakers import SpeakerCount, speaker_count
from audiogrid.records.store import VoiceStore
from places import SCRIPTS

SECOND = 16_000
SCHEMA = json.loads((SCRIPTS / "audiogrid" / "export" / "transcript.schema.json").read_text())
SOURCE = SpeakerSource(SpeakerCount(), lambda chunk: None, "networks")


def segment(start: float, *texts: str, speaker: str | None = None) -> dict[str, Any]:
    words = [
        {"start": start + n, "end": start + n + 0.8, "word": f" {text}", "probability": 0.9}
        for n, text in enumerate(texts)
    ]
    text = {"text": " ".join(texts), "language": "en", **({"speaker": speaker} if speaker else {})}
    figures = {"avg_logprob": -0.2, "compression_ratio": 1.2, "no_speech_prob": 0.0, "temperature": 0.0}
    return {"id": 0, "start": start, "end": words[-1]["end"], **text, **figures, "chunk": "talk.0000", "words": words}


def document(*segments: dict[str, Any], mode: str = "mix") -> dict[str, Any]:
    quality = dict.fromkeys(SCHEMA["properties"]["quality"]["required"], 0)
    return {
        "schema": 1,
        "recording": "talk",
        "path": "talk.wav",
        "duration": 20.0,
        "channels_mode": mode,
        "language": "en",
        "language_probability": 1.0,
        "complete": True,
        "notes": [],
        "segments": [{**one, "id": number} for number, one in enumerate(segments)],
        "gaps": [],
        "seams": [],
        "quality": quality,
        "windows": [],
        "provenance": {"chunks": []},
    }


def turn(start: float, end: float, speaker: int) -> Turn:
    return Turn(round(start * SECOND), round(end * SECOND), speaker)


ANNA = TrackSpeakers([turn(0, 2, 0)], ["Anna"])
TWO = TrackSpeakers([turn(0, 2, 0), turn(2, 6, 1), turn(5.5, 7, 0)], ["Speaker 1", "Speaker 2"], [0.1, 0.1])


def test_a_person_in_two_channels_is_one_speaker() -> None:
    said = [segment(start, "Hello", "there.", speaker=f"Channel {start + 1}") for start in (0, 1)]
    found = add_speakers(document(*said, mode="split"), {"Channel 1": ANNA, "Channel 2": ANNA}, SOURCE)
    assert found["speakers"] == [{"speaker": "Anna", "seconds": 4.0, "turns": 2, "words": 4}]


def test_segments_begin_anew_at_a_change_and_nothing_is_lost() -> None:
    plain = document(segment(0, "Good", "morning.", "How", "are", "you?"), segment(6, "Fine."))
    found = add_speakers(plain, {None: TWO}, SOURCE)
    assert [(one["speaker"], one["text"]) for one in found["segments"]] == [
        ("Speaker 1", "Good morning."),
        ("Speaker 2", "How are you?"),
        ("Speaker 1", "Fine."),
    ]
    assert [one["id"] for one in found["segments"]] == [0, 1, 2]
    assert (found["segments"][0]["end"], found["segments"][1]["start"]) == (1.8, 2)
    before = [word["word"] for one in plain["segments"] for word in one["words"]]
    assert [word["word"] for one in found["segments"] for word in one["words"]] == before
    assert all(word["speaker"] == one["speaker"] for one in found["segments"] for word in one["words"])
    assert [voice["words"] for voice in found["speakers"]] == [3, 3]
    assert found["quality"]["overlap_seconds"] == 0.5
    Draft202012Validator({**SCHEMA, "properties": {**SCHEMA["properties"], "provenance": {}}}).validate(found)


def test_formats_name_the_speakers() -> None:
    found = add_speakers(document(segment(0, "Hi."), segment(3, "Hello.")), {None: TWO}, SOURCE)
    texts = render_all(found, ["txt", "vtt", "srt", "tsv", "html", "rttm", "json"])
    assert texts["txt"] == "Speaker 1: Hi.\n\nSpeaker 2: Hello.\n"
    assert "<v Speaker 2>Hello.</v>" in texts["vtt"]
    assert "Speaker 2: Hello." in texts["srt"]
    assert texts["tsv"].splitlines()[1] == "0\t800\tSpeaker 1\tHi."
    assert texts["rttm"].splitlines()[1] == "SPEAKER talk 1 2.000 4.000 <NA> <NA> Speaker_2 <NA> <NA>"
    assert "Speaker 2" in texts["html"]
    assert json.loads(texts["json"]) == found


def test_channels_stay_speakers_and_may_be_divided() -> None:
    plain = document(segment(0, "One."), segment(3, "Two."), mode="split")
    plain["segments"][0]["speaker"], plain["segments"][1]["speaker"] = "Channel 1", "Channel 2"
    tracks: dict[str | None, TrackSpeakers] = {
        "Channel 1": TrackSpeakers([turn(0, 1, 0)], ["Channel 1"]),
        "Channel 2": TrackSpeakers([turn(0, 1, 0), turn(3, 4, 1)], ["Channel 2, speaker 1", "Channel 2, speaker 2"]),
    }
    found = add_speakers(plain, tracks, SOURCE)
    assert [one["speaker"] for one in found["segments"]] == ["Channel 1", "Channel 2, speaker 2"]


def test_words_of_a_chunk_without_voices_have_no_speaker() -> None:
    speakers = TrackSpeakers([turn(0, 5, 0)], ["Speaker 1"], unknown=[(5 * SECOND, 20 * SECOND)])
    found = add_speakers(document(segment(0, "One."), segment(6, "Two.")), {None: speakers}, SOURCE)
    assert [one.get("speaker") for one in found["segments"]] == ["Speaker 1", None]


def test_no_speech_no_speakers() -> None:
    found = add_speakers(document(), {None: TrackSpeakers([], [])}, SOURCE)
    assert (found["segments"], found["speakers"], found["turns"]) == ([], [], [])
    assert render_all(found, ["rttm", "txt"]) == {"rttm": "", "txt": ""}


def test_overlap_is_time_not_turns() -> None:
    assert overlap_samples([Turn(0, 10, 0), Turn(5, 20, 1), Turn(8, 12, 2)]) == 7
    assert overlap_samples([Turn(0, 10, 0), Turn(10, 20, 1)]) == 0
    assert overlap_samples([]) == 0


@pytest.mark.parametrize(
    ("value", "count"),
    [
        ("none", None),
        ("", None),
        ("auto", SpeakerCount()),
        (3, SpeakerCount(3, 3)),
        ("2-4", SpeakerCount(2, 4)),
        ("2 - 4", SpeakerCount(2, 4)),
        ({"min": 2}, SpeakerCount(2, None)),
        ({"count": "auto", "max": 5}, SpeakerCount(None, 5)),
        ({"count": "none", "max": 5}, None),
    ],
)
def test_counts_as_they_may_be_written(value: Any, count: SpeakerCount | None) -> None:
    assert speaker_count(value) == count


@pytest.mark.parametrize("value", ["many", "0", "4-2", "1.5", "-1", "2-"])
def test_counts_that_mean_nothing(value: str) -> None:
    with pytest.raises(InputError, match="write none, auto, a number, or a range"):
        speaker_count(value)


def recording(**columns: str) -> Recording:
    return Recording("talk", "talk.wav", 1, 1, 100, 1, "mix", 1, columns=columns)


def test_a_table_row_decides_over_the_configuration(tmp_path: Path) -> None:
    assert speaker_source(recording(), VoiceStore(tmp_path), "none") is None
    assert speaker_source(recording(speakers="none"), VoiceStore(tmp_path), "auto") is None
    assert speaker_source(recording(speakers="3"), VoiceStore(tmp_path), None) is None
    found = speaker_source(recording(speakers="3"), VoiceStore(tmp_path), "none")
    assert found is not None
    assert found.count == SpeakerCount(3, 3)
    given = speaker_source(recording(rttm="who.rttm"), VoiceStore(tmp_path), "none")
    assert given is not None
    assert given.rttm == "who.rttm"


def test_given_turns_stand_once_however_many_channels_there_are() -> None:
    """A file with turns says of the whole recording who speaks when; each channel is labelled by it."""
    given = TrackSpeakers([turn(0, 3, 0), turn(3, 6, 1)], ["Anna", "Bert"])
    whole = document(
        segment(0, "one", "two", speaker="Channel 1"), segment(3.1, "three", speaker="Channel 2"), mode="split"
    )
    source = SpeakerSource(SpeakerCount(), lambda chunk: None, "networks", rttm="who.rttm")
    found = add_speakers(whole, {"Channel 1": given, "Channel 2": given}, source)
    assert [one["speaker"] for one in found["segments"]] == ["Anna", "Bert"]
    assert [one["speaker"] for one in found["turns"]] == ["Anna", "Bert"]
    assert [(one["speaker"], one["words"], one["turns"]) for one in found["speakers"]] == [
        ("Anna", 2, 1),
        ("Bert", 1, 1),
    ]
    assert found["quality"]["overlap_seconds"] == 0
