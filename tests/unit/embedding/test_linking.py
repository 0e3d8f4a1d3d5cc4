"""Voices over recordings: the same id for the same person, whatever is added later."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from audiogrid.core.errors import InputError
from audiogrid.embedding.linking import Linker, NewVoice
from audiogrid.records.linked_voices import LinkedVoices, read_linked

PEOPLE = np.eye(192)[:40]


def said(who: int, seed: int, seconds: float = 60.0, channel: int | None = None, number: int = 0) -> NewVoice:
    """A person in a recording: 0.9 alike from one recording to the next."""
    vector = PEOPLE[who] + np.random.default_rng([who, seed]).normal(0, 0.024, 192)
    return NewVoice(channel, number, seconds, vector / np.linalg.norm(vector))


def conversation(seed: int, *people: int) -> list[NewVoice]:
    return [said(who, seed, number=number) for number, who in enumerate(people)]


def test_a_person_has_one_id_in_all_recordings() -> None:
    linker = Linker(LinkedVoices())
    random = np.random.default_rng(1)
    id_of: dict[int, int] = {}
    for number in range(200):
        people = random.choice(40, size=3, replace=False).tolist()
        ids = linker.link("r", f"talk{number}", "s", conversation(number, *people))[""]
        for who, identity in zip(people, ids, strict=True):
            assert id_of.setdefault(who, identity) == identity
    assert sorted(id_of.values()) == list(range(1, 41))


def test_ids_stay_when_recordings_are_added_in_front() -> None:
    first = Linker(LinkedVoices())
    assert first.link("r", "b", "s", conversation(1, 5, 6)) == {"": [1, 2]}
    known = first.result("networks")
    second = Linker(known)
    assert second.link("r", "a", "s", conversation(2, 9, 6)) == {"": [3, 2]}
    assert second.ids_of("r", "b", "s") == {"": [1, 2]}
    # Found otherwise than before (another number of speakers, say): looked at again.
    assert second.ids_of("r", "b", "other") is None


def test_two_voices_of_a_recording_stay_two() -> None:
    linker = Linker(LinkedVoices())
    linker.link("r", "a", "s", [said(1, 1)])
    alike = [said(1, 2, channel=0), said(1, 3, channel=1)]
    assert linker.link("r", "b", "s", alike) in ({"0": [1], "1": [2]}, {"0": [2], "1": [1]})


def test_linking_again_replaces_what_was_known() -> None:
    linker = Linker(LinkedVoices())
    linker.link("r", "a", "s", conversation(1, 1, 2))
    before = linker.result("n")
    assert linker.link("r", "a", "s", conversation(1, 1, 2)) == {"": [1, 2]}
    assert linker.result("n") == before
    assert linker.link("r", "a", "t", conversation(1, 1)) == {"": [1]}
    assert [voice.voice for voice in linker.result("n").voices] == [1]


def test_ids_outlive_the_vectors() -> None:
    linker = Linker(LinkedVoices(following=8))
    assert linker.link("r", "a", "s", conversation(1, 1, 2), {"": [4, 7]}) == {"": [4, 7]}
    # Other voices than those that had the ids.
    assert linker.link("r", "b", "s", conversation(1, 3, 4, 5), {"": [5, 6]}) == {"": [8, 9, 10]}


def test_a_file_of_voices_can_be_read_and_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "voices.json"
    assert read_linked(path) == LinkedVoices()
    linker = Linker(LinkedVoices())
    linker.link("r", "a", "s", conversation(1, 1, 2))
    linker.link("q", "a", "s", conversation(2, 2))
    known = linker.result("n")
    known.voices[1].name = "Anna"
    known.write(path)
    assert read_linked(path) == known
    assert Linker(known).result("n") == known
    assert known.names() == {2: "Anna"}
    assert known.forget("r", ["b"]) == 0
    assert known.forget("r", ["a"]) == 2
    assert [(voice.voice, voice.name, len(voice.heard)) for voice in known.voices] == [(2, "Anna", 1)]
    assert (known.forget("q"), known.voices, known.following) == (1, [], 3)


HEARD = {"run": "r", "recording": "a", "channel": None, "number": 0, "seconds": 1, "state": "s", "vector": "AAA"}
CUT_VECTOR = {"schema": 1, "voices": [{"voice": 1, "heard": [HEARD]}]}


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(CUT_VECTOR),
        "",
        "[]",
        "{}",
        '{"schema": 1, "networks": "", "following": 1, "voices": [{"voice": "x"}]}',
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "voices.json").write_text(text)
    with pytest.raises(InputError, match=r"voices.json is not a file of linked voices .*: mend it, or delete it"):
        read_linked(tmp_path / "voices.json")
