"""Names of speakers in a document: whose they are after a later run, and in every format, whatever they contain."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from jsonschema import Draft202012Validator

from audiogrid.core.errors import InputError
from audiogrid.core.text import clean_name
from audiogrid.corrections.corrected_recordings import Recordings, judge, rename_speaker
from audiogrid.corrections.corrections_file import Corrections
from audiogrid.corrections.entries import SpeakerName
from audiogrid.corrections.speaker_names import apply_names, match_names, name_speaker
from audiogrid.export.formats import FORMATS, render_all
from audiogrid.export.voice_lanes import voices_of
from audiogrid.records.run_folder import RunFolder

HASH = "ab" * 32


def document(*turns: tuple[str, float, float], stage: bool = True) -> dict[str, Any]:
    """A document in which a segment of one word goes with every turn; ``stage``: with turns and voices."""
    segments = [
        {
            "id": number,
            "start": start,
            "end": end,
            "text": f"Word {number}.",
            "language": "en",
            "speaker": who,
            "avg_logprob": -0.1,
            "compression_ratio": 1.0,
            "no_speech_prob": 0.0,
            "temperature": 0.0,
            "chunk": "talk.0000",
            "words": [
                {"start": start, "end": end, "word": f" Word {number}.", "probability": 0.9}
                | ({"speaker": who} if stage else {})
            ],
        }
        for number, (who, start, end) in enumerate(turns)
    ]
    voices = [
        {
            "speaker": who,
            "seconds": sum(end - start for name, start, end in turns if name == who),
            "turns": sum(name == who for name, _, _ in turns),
            "words": sum(name == who for name, _, _ in turns),
            "nearest": 0.2,
        }
        for who in dict.fromkeys(name for name, _, _ in turns)
    ]
    found = {"speakers": voices, "turns": [{"start": s, "end": e, "speaker": who} for who, s, e in turns]}
    quality = "words speech_seconds silence_share windows flagged_windows redecoded_windows kept_careful".split()
    quality += ["temperature_above_zero", "mean_probability", "low_confidence_share"]
    return {
        "schema": 1,
        "recording": "talk",
        "path": "in/talk.wav",
        "duration": 60.0,
        "channels_mode": "mix" if stage else "split",
        "language": "en",
        "language_probability": 1.0,
        "complete": True,
        "notes": [],
        "segments": segments,
        "gaps": [{"start": 50.0, "end": 60.0, "chunk": "talk.0001", "reason": "x", "speaker": turns[0][0]}],
        "seams": [],
        "quality": dict.fromkeys(quality, 0),
        "windows": [],
        "provenance": {"audio": HASH, "chunks": []},
        **(found if stage else {}),
    }


DIALOGUE = document(("Speaker 1", 0, 4), ("Speaker 2", 5, 9), ("Speaker 1", 10, 20), ("Speaker 3", 21, 22))


def named(value: dict[str, Any], **names: str) -> Corrections:
    entries = [name_speaker(value, speaker.replace("_", " "), name) for speaker, name in names.items()]
    return Corrections("talk", HASH, tuple(entries))


def test_a_name_stands_everywhere_and_says_whose_it_is() -> None:
    given = named(DIALOGUE, Speaker_1="Anna")
    assert given.speakers[0].at == ((0, 4), (10, 20))
    found, unfit = apply_names(DIALOGUE, given)
    assert unfit == []
    assert [segment["speaker"] for segment in found["segments"]] == ["Anna", "Speaker 2", "Anna", "Speaker 3"]
    assert {word["speaker"] for segment in found["segments"] for word in segment["words"]} == set(voices_of(found))
    assert [turn["speaker"] for turn in found["turns"]] == ["Anna", "Speaker 2", "Anna", "Speaker 3"]
    assert [voice["speaker"] for voice in found["speakers"]] == ["Anna", "Speaker 2", "Speaker 3"]
    assert found["gaps"][0]["speaker"] == "Anna"
    assert found["names"] == {"Anna": ["Speaker 1"]}
    schema = json.loads(resources.files("audiogrid.export").joinpath("transcript.schema.json").read_text())
    Draft202012Validator(schema).validate(found)
    # Named once more, from the document that has the name already.
    again = name_speaker(found, "Anna", "Anne")
    assert (again.was, again.at) == ("Speaker 1", given.speakers[0].at)
    assert DIALOGUE["segments"][0]["speaker"] == "Speaker 1"


def test_names_follow_the_voice_not_the_number() -> None:
    given = named(DIALOGUE, Speaker_1="Anna", Speaker_2="Ben")
    # A later run hears somebody before them, cuts elsewhere, and splits a turn.
    later = document(("Speaker 1", 0, 1), ("Speaker 2", 1, 4.1), ("Speaker 3", 5.2, 9), ("Speaker 2", 10, 19))
    found, unfit = apply_names(later, given)
    assert [segment["speaker"] for segment in found["segments"]] == ["Speaker 1", "Anna", "Ben", "Anna"]
    assert unfit == []


def test_what_no_longer_fits_is_told_and_never_forced() -> None:
    given = named(DIALOGUE, Speaker_1="Anna", Speaker_2="Ben", Speaker_3="Cleo")
    # Cleo is not heard any more, and Anna and Ben are one voice.
    found, unfit = apply_names(document(("Speaker 1", 0, 9), ("Speaker 1", 10, 20)), given)
    assert {segment["speaker"] for segment in found["segments"]} == {"Speaker 1"}
    assert len(unfit) == 2
    assert "'Anna' and 'Ben'" in " ".join(unfit)
    assert "'Cleo'" in " ".join(unfit)


def test_two_people_may_contradict_each_other() -> None:
    spans = ((0.0, 4.0),)
    first = SpeakerName("Anna", "Speaker 1", spans, "2026-01-01T00:00:00Z", "a")
    later = SpeakerName("Hannah", "Speaker 1", spans, "2026-02-01T00:00:00Z", "b")
    matched = match_names([later, first], voices_of(DIALOGUE))
    assert matched.names == {"Speaker 1": "Hannah"}
    assert "'Anna'" in matched.unfit[0]
    # An empty name takes it back.
    gone = SpeakerName("", "Speaker 1", spans, "2026-03-01T00:00:00Z")
    assert match_names([gone, later], voices_of(DIALOGUE)).names == {}


def test_speakers_of_one_name_become_one() -> None:
    both = document(("Speaker 1", 0, 4), ("Speaker 2", 3, 9), ("Speaker 3", 10, 20))
    found, unfit = apply_names(both, named(both, Speaker_1="Anna", Speaker_2="Anna"))
    assert unfit == []
    assert [(turn["start"], turn["end"], turn["speaker"]) for turn in found["turns"]] == [
        (0, 9, "Anna"),
        (10, 20, "Speaker 3"),
    ]
    anna = found["speakers"][0]
    assert (anna["seconds"], anna["turns"], anna["words"], "nearest" in anna) == (9, 1, 2, False)
    assert found["names"] == {"Anna": ["Speaker 1", "Speaker 2"]}
    # "Speaker 3 is Speaker 1" is said the same way.
    found, _ = apply_names(both, named(both, Speaker_3="Speaker 1"))
    assert found["names"] == {"Speaker 1": ["Speaker 1", "Speaker 3"]}


def test_channels_that_talk_at_once_are_told_apart() -> None:
    split = document(("Channel 1", 0, 10), ("Channel 2", 0, 10), stage=False)
    for channel in ("Channel 1", "Channel 2"):
        given = Corrections("talk", HASH, (name_speaker(split, channel, "Anna"),))
        found, unfit = apply_names(split, given)
        assert unfit == []
        assert found["names"] == {"Anna": [channel]}
        assert "turns" not in found


HOSTILE = [
    "--> 00:00:01,000",
    "</v><script>alert(1)</script>",
    "a\tb\nc",
    '"quoted" \\ {\\an8}',
    "]]>&amp;<!--",
    "=HYPERLINK(1)",
    "  ;; SPEAKER x 1 <NA>",
    "\u202eevil",
    "名前 👩‍👧",
    "x" * 500,
]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_break_no_format(name: str) -> None:
    harmless, _ = apply_names(DIALOGUE, named(DIALOGUE, Speaker_1="Name", Speaker_2="Other"))
    found, _ = apply_names(DIALOGUE, named(DIALOGUE, Speaker_1=name, Speaker_2="Other"))
    assert clean_name(name) in voices_of(found)
    plain, hostile = render_all(harmless, FORMATS), render_all(found, FORMATS)
    for kind in ("tsv", "rttm", "stm", "ctm", "audacity"):
        one, other = str(plain[kind]).splitlines(), str(hostile[kind]).splitlines()
        assert len(one) == len(other)
        assert [line.count("\t") for line in one] == [line.count("\t") for line in other]
        if kind in ("rttm", "ctm"):
            assert [len(line.split()) for line in one] == [len(line.split()) for line in other]
    for kind in ("srt", "vtt"):
        # As many cues as before, however the lines of a long name are broken.
        assert str(hostile[kind]).count(" --> ") == str(plain[kind]).count(" --> ")
    for kind in ("eaf", "ttml"):
        ElementTree.fromstring(str(hostile[kind]))
    for kind in ("json", "labelstudio", "otr"):
        json.loads(str(hostile[kind]))
    assert "<script>alert" not in str(hostile["html"])
    assert "<script>alert" not in str(hostile["vtt"])


def run_with(tmp_path: Path, value: dict[str, Any]) -> RunFolder:
    run = RunFolder(tmp_path / "results" / "talks")
    run.transcripts.mkdir(parents=True, exist_ok=True)
    (run.transcripts / "talk.json").write_text(json.dumps(value))
    return run


def test_renaming_on_the_command_line_and_checking(tmp_path: Path) -> None:
    run = run_with(tmp_path, DIALOGUE)
    folder = tmp_path / "corrections"
    path, entry = rename_speaker(run, "talk", "Speaker 1", "Anna", folder)
    assert path == folder / f"talk.{HASH[:12]}.json"
    rename_speaker(run, "talk", "Speaker 2", "Ben", folder, by="cd")
    path, entry = rename_speaker(run, "talk", "Speaker 1", "Anne", folder)
    assert entry.was == "Speaker 1"
    recordings = Recordings([run])
    verdict = judge(path, recordings)
    assert (verdict.state, verdict.found) == ("ok", "Anne, Ben in talks")
    for wrong in (("talk", "Speaker 9", "X"), ("walk", "Speaker 1", "X")):
        with pytest.raises(InputError):
            rename_speaker(run, *wrong, folder)
    # Another file of that name has come.
    run_with(tmp_path, {**DIALOGUE, "provenance": {"audio": "cd" * 32, "chunks": []}})
    assert judge(path, recordings).state == "unfit"
    run_with(tmp_path, document(("Speaker 1", 30, 40)))
    assert "fits no speaker" in judge(path, recordings).found
    path.rename(moved := path.with_name("talk.000000000000.json"))
    assert judge(moved, recordings).state == "wrong"
    run_with(tmp_path, {**DIALOGUE, "provenance": {"chunks": []}})
    with pytest.raises(InputError, match="earlier version"):
        rename_speaker(run, "talk", "Speaker 1", "Anna", folder)
