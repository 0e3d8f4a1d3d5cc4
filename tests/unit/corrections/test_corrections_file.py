"""The file with a person's corrections: read, written, merged by git and by us, and damaged by hand."""

from __future__ import annotations

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from audiogrid.core.errors import InputError
from audiogrid.core.text import LONGEST_NAME, clean_name, clean_text
from audiogrid.corrections.corrections_file import (
    Corrections,
    add,
    combined,
    find,
    list_files,
    parse,
    read,
    to_text,
    write,
)
from audiogrid.corrections.entries import ParagraphStart, Passage, SpeakerName
from audiogrid.corrections.tracking import CorrectedFiles

HASH = "0123456789abcdef" * 4
OTHER = "f" * 64
ANNA = SpeakerName("Anna", "Speaker 1", ((0.5, 4.0), (20.0, 26.5)), "2026-05-01T12:00:00Z")
BEN = SpeakerName("Ben", "Speaker 2", ((5.0, 9.0),), "2026-05-01T12:00:05Z", "cd")


def corrections(*speakers: SpeakerName, recording: str = "talk", audio: str = HASH) -> Corrections:
    return Corrections(recording, audio, speakers)


def schema() -> Draft202012Validator:
    return Draft202012Validator(
        json.loads(resources.files("audiogrid.corrections").joinpath("corrections.schema.json").read_text())
    )


names = st.text(max_size=12).map(clean_name)
spans = st.lists(st.tuples(st.integers(0, 9999), st.integers(1, 9999)), min_size=1, max_size=4).map(
    lambda pairs: tuple((start / 1000, (start + length) / 1000) for start, length in pairs)
)


@given(st.lists(st.builds(SpeakerName, names, names, spans, names, names), max_size=4))
def test_what_is_written_is_read_again_and_follows_the_schema(speakers: list[SpeakerName]) -> None:
    text = to_text(corrections(*speakers))
    schema().validate(json.loads(text))
    again = parse(text)
    assert sorted(again.speakers, key=repr) == sorted(speakers, key=repr)
    assert to_text(again) == text


PASSAGE = Passage(1.25, 2.5, "missus", "Mrs", "I met", "in the", 2, "2026-05-01T12:00:00Z", "ab")
START = ParagraphStart(3.0, "And", begins=True, when="2026-05-01T12:00:00Z")
texts = st.text(max_size=12).map(lambda text: " ".join(clean_text(text).split()))
passages = st.builds(
    lambda at, length, was, text, around, channel: Passage(
        at / 1000, (at + length) / 1000, was or "x", text, around, "", channel
    ),
    *(st.integers(0, 9999), st.integers(1, 999), texts, texts, texts, st.integers(0, 3)),
)


@given(st.lists(passages, max_size=4), st.lists(st.builds(ParagraphStart, st.integers(0, 99), texts, st.booleans())))
def test_words_and_paragraphs_are_read_again_and_follow_the_schema(
    found: list[Passage], starts: list[ParagraphStart]
) -> None:
    text = to_text(Corrections("talk", HASH, passages=tuple(found), paragraphs=tuple(starts)))
    schema().validate(json.loads(text))
    again = parse(text)
    assert again.mistakes == ()
    assert (sorted(again.passages, key=repr), len(again.paragraphs)) == (sorted(found, key=repr), len(starts))
    assert to_text(again) == text


@pytest.mark.parametrize(
    ("key", "entry"),
    [
        *(("passages", one) for one in (7, {}, {"at": [1, 2], "was": "a"}, {"at": [1, 2], "was": "", "text": " "})),
        *(
            ("passages", {"at": at, "was": "a", "text": "b"})
            for at in (None, [2, 1], [1], [0, "x"], [[0, 1]], [0, 1e999])
        ),
        *(("passages", {"at": [0, 1], "was": "a", "text": "b", "channel": one}) for one in ("2", -1, True, 10**9)),
        *(
            ("paragraphs", one)
            for one in ({"at": 1, "word": "a"}, {"at": -1, "begins": True}, {"at": [], "begins": True})
        ),
    ],
)
def test_nonsense_among_words_is_told_and_kept(tmp_path: Path, key: str, entry: object) -> None:
    raw = json.loads(to_text(Corrections("talk", HASH, passages=(PASSAGE,), paragraphs=(START,))))
    raw[key].append(entry)
    path = tmp_path / f"talk.{HASH[:12]}.json"
    path.write_text(json.dumps(raw))
    found = find([path], "talk", HASH)
    assert found.corrections is not None
    assert (found.corrections.passages, found.corrections.paragraphs) == ((PASSAGE,), (START,))
    assert len(found.unfit) == 1
    write(tmp_path, combined(found.corrections, Corrections("talk", HASH)))
    assert entry == json.loads(path.read_text().replace("Infinity", "1e999"))[key][-1]


def test_words_of_two_files_are_combined() -> None:
    def both(*pairs: Passage) -> tuple[Passage, ...]:
        first, second = (Corrections("talk", HASH, passages=(one,)) for one in pairs)
        return combined(first, second).passages

    later = replace(PASSAGE, text="Ms", when="2026-06-01T00:00:00Z")
    assert both(PASSAGE, PASSAGE) == (PASSAGE,)
    # The same person changes their mind; somebody else contradicts, and nothing is lost.
    assert both(PASSAGE, later) == (later,)
    assert both(later, PASSAGE) == (later,)
    other = replace(later, by="cd")
    assert both(PASSAGE, other) == (PASSAGE, other)
    # What goes on from an earlier one is one with it.
    assert both(PASSAGE, replace(other, was="Mrs")) == (other,)
    elsewhere = replace(PASSAGE, start=2.0)
    assert both(PASSAGE, elsewhere) == (PASSAGE, elsewhere)
    starts = [
        Corrections("talk", HASH, paragraphs=(one,)) for one in (START, replace(START, begins=False, when="2027"))
    ]
    assert combined(*starts).paragraphs == starts[1].paragraphs == combined(*starts[::-1]).paragraphs


def test_fields_of_a_later_version_stay(tmp_path: Path) -> None:
    raw = json.loads(to_text(corrections(ANNA)))
    raw["places"] = [{"at": [1, 2], "text": "there"}]
    raw["speakers"][0]["email"] = "a@example.org"
    found = parse(json.dumps(raw))
    kept = json.loads(to_text(combined(found, corrections(replace(ANNA, name="Anne", when="2027"), BEN))))
    assert kept["places"] == raw["places"]
    assert [(one["name"], one.get("email")) for one in kept["speakers"]] == [("Anne", "a@example.org"), ("Ben", None)]


def test_git_merges_what_two_people_did(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        identity = ("-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "init.defaultBranch=main")
        subprocess.run(["git", *identity, *words], cwd=tmp_path, check=True, capture_output=True)

    git("init")
    path = write(tmp_path, corrections(ANNA, BEN))
    git("add", ".")
    git("commit", "-m", "names")
    git("checkout", "-b", "other")
    write(tmp_path, corrections(replace(ANNA, name="Anna Kowalska"), BEN))
    git("commit", "-am", "Anna's whole name")
    git("checkout", "main")
    write(tmp_path, corrections(ANNA, replace(BEN, name="Benedict")))
    git("commit", "-am", "Ben's whole name")
    git("merge", "other")
    assert [one.name for one in read(path).speakers] == ["Anna Kowalska", "Benedict"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not JSON"),
        ("{", "is not JSON"),
        ("<<<<<<< HEAD\n{}\n>>>>>>> other\n", "unresolved merge"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "holds no corrections"),
        ('{"schema": 99}', "later version"),
        ('{"schema": 1, "recording": "talk", "audio": "../../etc"}', "whose corrections"),
        (
            f'{{"schema": 1, "recording": "talk", "audio": "{HASH}", "speakers": {{}}}}',
            'something else than a list in "speakers"',
        ),
        (f'{{"schema": 1, "recording": "../../talk", "audio": "{HASH}"}}', "not the id of one"),
    ],
)
def test_nonsense_is_told_and_not_applied(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / f"talk.{HASH[:12]}.json"
    path.write_text(text)
    found = find([path], "talk", HASH)
    assert found.corrections is None
    (sentence,) = found.unfit
    assert str(path) in sentence
    assert said in sentence
    assert path.read_text() == text


def test_an_entry_that_cannot_be_read_is_told_and_the_others_count(tmp_path: Path) -> None:
    raw = json.loads(to_text(corrections(ANNA)))
    wrong = [{"name": 7}, {"name": "X"}, {"name": "Y", "at": [[3, 1]]}, {"name": "Z", "at": [[0, float("inf")]]}, "W"]
    wrong += [{"name": "V", "at": [[0, 10**400]]}, {"name": "\ud800"}]
    raw["speakers"] += wrong
    path = tmp_path / f"talk.{HASH[:12]}.json"
    path.write_text(json.dumps(raw))
    found = find([path], "talk", HASH)
    assert found.corrections is not None
    assert [one.name for one in found.corrections.speakers] == ["Anna"]
    assert len(found.unfit) == len(wrong)
    # They are still there when the file is written again.
    write(tmp_path, combined(found.corrections, corrections(BEN)))
    assert len(json.loads(path.read_text())["speakers"]) == 2 + len(wrong)


def test_only_the_file_of_this_audio_is_applied(tmp_path: Path) -> None:
    write(tmp_path, corrections(ANNA, audio=OTHER))
    (tmp_path / "notes.txt").write_text("")
    files = list_files(tmp_path)["talk"]
    found = find(files, "talk", HASH)
    assert found.corrections is None
    assert "other audio" in found.unfit[0]
    assert "no hash" in find(files, "talk", "").unfit[0]
    # Two recordings of one name: each has its own.
    write(tmp_path, corrections(BEN))
    found = find(list_files(tmp_path)["talk"], "talk", HASH)
    assert found.corrections == corrections(BEN)
    assert found.unfit == ()
    # A file that was renamed by hand.
    (tmp_path / f"talk.{OTHER[:12]}.json").replace(tmp_path / f"talk.{HASH[:12]}.json")
    assert "other audio than its name says" in find(list_files(tmp_path)["talk"], "talk", HASH).unfit[0]
    assert list_files(tmp_path / "absent") == {}


def test_names_are_one_short_line() -> None:
    assert clean_name("  Anna\n\tMaria\0\x1b[31m ") == "Anna Maria[31m"
    assert len(clean_name("x" * 1000)) == LONGEST_NAME


def test_of_two_names_of_a_voice_the_later_one_stays() -> None:
    later = replace(ANNA, name="Anne", at=((21.0, 26.0),), when="2026-06-01T00:00:00Z")
    assert combined(corrections(ANNA, BEN), corrections(later)).speakers == (BEN, later)
    assert combined(corrections(later), corrections(ANNA)).speakers == (later,)
    with pytest.raises(InputError, match="other audio"):
        combined(corrections(ANNA), corrections(ANNA, audio=OTHER))


def test_nothing_is_lost_when_several_add_at_the_same_time(tmp_path: Path) -> None:
    # Threads stand for processes: each opens the folder anew, and such locks belong to what was opened.
    entries = [replace(ANNA, name=f"Person {number}", at=((float(number), number + 0.5),)) for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        (path,) = set(pool.map(lambda entry: add(tmp_path, corrections(entry)), entries))
    assert [one.name for one in read(path).speakers] == [entry.name for entry in entries]


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be written"):
        add(tmp_path / "file", corrections(ANNA))


def test_a_changed_file_changes_the_state_of_its_recordings_only(tmp_path: Path) -> None:
    def states() -> list[str]:
        files = CorrectedFiles(tmp_path)
        return [files.state(files.of([name])) for name in ("talk", "song", "none")]

    write(tmp_path, corrections(ANNA))
    write(tmp_path, corrections(BEN, recording="song"))
    before = states()
    assert before[2] == ""
    write(tmp_path, corrections(BEN))
    after = states()
    assert (after[0] != before[0], after[1:]) == (True, before[1:])
