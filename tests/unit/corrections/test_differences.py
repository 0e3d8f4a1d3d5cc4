"""Edited copies of a transcript become corrections: every format, every kind of change, and files that are none."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from audiogrid.core.errors import InputError
from audiogrid.corrections.apply_passages import apply_passages
from audiogrid.corrections.corrected_recordings import Recordings, read_edited_transcript
from audiogrid.corrections.differences import edited_names, edited_passages, unchanged_texts
from audiogrid.corrections.edited_files import READERS, read_edited, read_texts
from audiogrid.export.formats import file_name, render
from audiogrid.records.run_folder import RunFolder

HASH = "ab" * 32
TEXTS = {
    "Anna": "Yesterday I met missus covalska, in the <old> city --> today.",
    "Ben": "And what did she say?",
    "Speaker 3": "she said hello, and hello again",
}
EDITS = [("missus covalska", "Mrs Kowalska"), ("And what", "What"), ("she said hello", "She said a loud hello")]


def document(*, speakers: bool = True, texts: tuple[str, ...] = tuple(TEXTS.values())) -> dict[str, Any]:
    segments, at = [], 1.0
    for number, (text, who) in enumerate(zip(texts, TEXTS, strict=False)):
        words = []
        for token in text.split():
            words.append({"start": at, "end": round(at + 0.3, 3), "word": f" {token}", "probability": 0.9})
            at = round(at + 0.4, 3)
        named = {"speaker": who} if speakers else {}
        head = {
            "start": words[0]["start"],
            "end": words[-1]["end"],
            "chunk": "talk.0000",
            "language": "en",
            "id": number,
        }
        segments.append({**head, **named, "text": text, "words": words})
        at += 3
    turns = [{"start": one["start"], "end": one["end"], "speaker": one["speaker"]} for one in segments if speakers]
    return {
        "recording": "talk",
        "path": "talk.wav",
        "duration": 60.0,
        "channels_mode": "mix",
        "language": "en",
        "notes": [],
        "segments": segments,
        "gaps": [{"start": 50.0, "end": 60.0, "chunk": "talk.0001", "reason": "it failed"}],
        "seams": [],
        "windows": [],
        "provenance": {"audio": HASH, "chunks": []},
        **({"turns": turns, "speakers": []} if speakers else {}),
    }


def text(value: dict[str, Any]) -> str:
    return " ".join(segment["text"] for segment in value["segments"])


def edited(data: str | bytes, ending: str, edits: list[tuple[str, str]]) -> bytes:
    """The file with some texts replaced, wherever the format breaks their lines."""
    if ending == ".docx":
        from docx import Document

        assert isinstance(data, bytes)
        word = Document(io.BytesIO(data))
        for paragraph in word.paragraphs:
            for run in paragraph.runs:
                for was, wanted in edits:
                    run.text = run.text.replace(was, wanted)
        buffer = io.BytesIO()
        word.save(buffer)
        return buffer.getvalue()
    assert isinstance(data, str)
    for was, wanted in edits:
        for broken in (was, was.replace(" ", "\n", 1), "\n".join(was.rsplit(" ", 1))):
            data = data.replace(broken, wanted)
    return data.encode()


@pytest.mark.parametrize("speakers", [True, False])
@pytest.mark.parametrize("ending", READERS)
def test_differences_become_corrections(ending: str, speakers: bool) -> None:
    value = document(speakers=speakers)
    original = render(value, READERS[ending][0])
    unchanged = original if isinstance(original, bytes) else original.encode()
    own = unchanged_texts(value, ending)
    assert edited_passages(value, read_texts(unchanged, ending), own) == []
    found = edited_passages(value, read_texts(edited(original, ending, EDITS), ending), own, "ab")
    wanted = text(value)
    for was, now in EDITS:
        wanted = wanted.replace(was, now)
    applied = apply_passages(value, found)
    assert applied.unfit == []
    assert text(applied.document) == wanted
    assert {one.by for one in found} == {"ab"}
    changed = sum("confirmed" in word for segment in applied.document["segments"] for word in segment["words"])
    # Nothing but what was changed, and a word beside it where something was added or left out.
    assert changed <= 8


@pytest.mark.parametrize("ending", [ending for ending in READERS if ending != ".docx"])
def test_other_names_of_speakers_change_no_words(ending: str) -> None:
    value = document()
    original = str(render(value, READERS[ending][0]))
    own = unchanged_texts(value, ending)
    # A new name, a speaker that is another one known, both with another word changed beside it.
    for was, name in (("Anna", "Anna Kowalska"), ("Ben", "Anna"), ("Speaker 3", "Ben")):
        for edits in ([(was, name)], [(was, name), ("hello, and", "goodbye, and")]):
            found = edited_passages(value, read_texts(edited(original, ending, edits), ending), own)
            assert [(one.was, one.text) for one in found] == [("hello,", "goodbye,")][: len(edits) - 1]


@pytest.mark.parametrize("ending", READERS)
def test_names_that_a_copy_gives_to_speakers(ending: str) -> None:
    value = document()
    original = render(value, READERS[ending][0])
    own = unchanged_texts(value, ending)
    has_names = "Speaker 3" in str(original) or ending == ".docx"
    for was, name in (("Anna", "Zofia"), ("Ben", "Anna"), ("Speaker 3", "Zoë")):
        copy = read_texts(edited(original, ending, [(was, name), ("hello, and", "goodbye, and")]), ending)
        found = [(one.was, one.name) for one in edited_names(value, copy, own, "ab")]
        assert found == ([(was, name)] if has_names else [])
    unchanged = read_texts(edited(original, ending, []), ending)
    assert edited_names(value, unchanged, own) == []


def test_a_text_that_is_given_to_another_speaker_renames_nobody() -> None:
    value = document()
    again = [{**one, "start": one["start"] + 20, "end": one["end"] + 20} for one in value["segments"]]
    for segment in again:
        segment["words"] = [{**w, "start": w["start"] + 20, "end": w["end"] + 20} for w in segment["words"]]
    value = {**value, "segments": [*value["segments"], *again]}
    original = str(render(value, "vtt"))
    one_of_two = original[::-1].replace("neB", "annA", 1)[::-1]
    assert edited_names(value, read_texts(one_of_two.encode(), ".vtt"), unchanged_texts(value, ".vtt")) == []


def test_words_that_were_added_or_removed_at_the_ends() -> None:
    value = document(speakers=False, texts=("one two three", "four five six"))
    own = unchanged_texts(value, ".txt")
    for wanted in (
        "Well, one two three\n\nfour five six",
        "one two three\n\nfour five six seven",
        "two three\n\nfour five",
    ):
        found = edited_passages(value, read_texts(wanted.encode(), ".txt"), own)
        assert text(apply_passages(value, found).document) == " ".join(wanted.split())


def test_languages_without_spaces() -> None:
    value = document(speakers=False, texts=("今日は東京に行きます。",))
    segment = value["segments"][0]
    segment["words"] = [
        {"start": n, "end": n + 0.9, "word": part, "probability": 0.9}
        for n, part in enumerate(["今日", "は", "東京", "に行き", "ます。"])
    ]
    segment |= {"start": 0, "end": 4.9}
    own = unchanged_texts(value, ".txt")
    found = edited_passages(value, read_texts("今日は京都に行きます。".encode(), ".txt"), own)
    assert [(one.was, one.text) for one in found] == [("東京", "京都")]
    assert text(apply_passages(value, found).document) == "今日は京都に行きます。"


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("talk.srt", b"\xff\xfe\x00", "cannot be read as srt"),
        ("talk.txt", b"", "holds no text"),
        ("talk.docx", b"PK\x03\x04 nothing", "cannot be read as docx"),
        ("talk.eaf", b"<ANNOTATION_DOCUMENT>", "cannot be read as eaf"),
        ("talk.eaf", b'<!DOCTYPE a [<!ENTITY a "aaaa">]><a>&a;</a>', "declares entities"),
        ("talk.TextGrid", b"File type", "holds no text"),
        ("talk.pdf", b"%PDF", "corrections are taken from"),
        ("talk.txt", b"It was the best of times, it was the worst of times", "another recording"),
        ("other.txt", b"one two", "no run has a recording 'other'"),
    ],
)
def test_what_is_no_edited_transcript_is_told(tmp_path: Path, name: str, data: bytes, said: str) -> None:
    run = RunFolder(tmp_path / "run")
    run.transcripts.mkdir(parents=True)
    (run.transcripts / file_name("talk", "json")).write_text(str(render(document(), "json")))
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=said):
        read_edited_transcript(tmp_path / name, Recordings([run]))


def test_the_name_of_a_copy_says_which_recording_it_is_of(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    run.transcripts.mkdir(parents=True)
    (run.transcripts / file_name("talk", "json")).write_text(str(render(document(), "json")))
    for name in ("talk.srt", "talk.edited.srt", "talk.edited.2.srt", "talk (1).srt", "talk_corrected.srt"):
        (tmp_path / name).write_bytes(edited(render(document(), "srt"), ".srt", EDITS))
        found = read_edited_transcript(tmp_path / name, Recordings([run]))
        assert (found.recording, found.audio, len(found.passages)) == ("talk", HASH, 3)
    assert read_edited(tmp_path / "talk.srt")[0].start == 1.0
