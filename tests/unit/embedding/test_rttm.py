"""Turns of somebody else's: read, checked against the recording, refused with a reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from audiogrid.core.errors import InputError
from audiogrid.embedding.rttm import GivenTurns, read_rttm
from audiogrid.export.formats import render

SECOND = 16_000


def line(start: object, duration: object, name: str, recording: str = "talk") -> str:
    return f"SPEAKER {recording} 1 {start} {duration} <NA> <NA> {name} <NA> <NA>\n"


def read(folder: Path, *lines: str, seconds: float = 60) -> GivenTurns:
    path = folder / "who.rttm"
    path.write_text("".join(lines), encoding="utf-8")
    return read_rttm(path, "talk", round(seconds * SECOND), "talk (1)")


def test_turns_keep_their_names_and_gaps(tmp_path: Path) -> None:
    found = read(tmp_path, ";; a comment\n", line(20, 5.5, "anna"), line(1, 2, "bert"), "SPKR-INFO talk 1\n", "\n")
    assert [(t.start / SECOND, t.end / SECOND, found.names[t.speaker]) for t in found.turns] == [
        (1, 3, "bert"),
        (20, 25.5, "anna"),
    ]
    assert found.notes == []


def test_names_may_hold_characters_that_unicode_takes_for_spaces_or_ends_of_lines(tmp_path: Path) -> None:
    names = ["田中\u3000一郎", "a\u2028b", "c\x85d", "e\x0bf"]
    found = read(tmp_path, *(line(2 * number, 1, name) for number, name in enumerate(names)))
    assert found.names == names
    assert read(tmp_path, line(0, 1, "a").replace("\n", "\r\n"), line(3, 1, "b")).names == ["a", "b"]


def test_of_several_recordings_only_the_right_one_counts(tmp_path: Path) -> None:
    found = read(tmp_path, line(1, 2, "a", "other"), line(3, 1, "b"), line(5, 1, "c", "third"))
    assert found.names == ["b"]
    with pytest.raises(InputError, match="of 2 recordings, and none of them is 'talk'"):
        read(tmp_path, line(1, 2, "a", "other"), line(5, 1, "c", "third"))


def test_another_name_is_noted_and_a_longer_recording_refused(tmp_path: Path) -> None:
    assert read(tmp_path, line(1, 2, "a", "waveform")).notes == ["who.rttm calls its recording 'waveform'"]
    found = read(tmp_path, line(1, 58, "a"), line(59, 1.2, "b"))
    assert found.turns[-1].end == 60 * SECOND
    assert "0.20 s of speech beyond the end were left out" in found.notes[0]
    with pytest.raises(InputError, match=r"has 40\.0 s of speech beyond the end.*another recording"):
        read(tmp_path, line(1, 58, "a"), line(70, 40, "b"))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("SPEAKER talk 1 x 2 <NA> <NA> a\n", "line 1: not a line of RTTM"),
        ("SPEAKER talk 1 1.0\n", "line 1: not a line of RTTM"),
        (line(-1, 2, "a"), "at least 0"),
        (line("nan", 2, "a"), "at least 0"),
        (line(1, "inf", "a"), "at least 0"),
        ("", "no SPEAKER lines"),
        ("1\t2\thello\n", "no SPEAKER lines"),
    ],
)
def test_what_is_no_rttm_is_refused(text: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=reason):
        read(tmp_path, text)
    with pytest.raises(InputError, match="cannot be read"):
        read_rttm(tmp_path / "absent.rttm", "talk", SECOND)


def test_what_is_written_can_be_read_again(tmp_path: Path) -> None:
    turns = [{"start": 1.5, "end": 3.25, "speaker": "Speaker 1"}, {"start": 3.0, "end": 9.0, "speaker": "Anna  B."}]
    document = {"recording": "talk", "channels_mode": "mix", "turns": turns, "segments": [], "gaps": []}
    found = read(tmp_path, str(render(document, "rttm")))
    assert [(t.start / SECOND, t.end / SECOND) for t in found.turns] == [(1.5, 3.25), (3, 9)]
    assert found.names == ["Speaker_1", "Anna_B."]
