"""Linking a run: from what its jobs left in the store to one file of voices, and back to transcripts."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audiogrid.config.resolve import resolve
from audiogrid.core.errors import InputError
from audiogrid.core.json_values import to_json
from audiogrid.embedding.chunk_voices import EmbeddingOptions
from audiogrid.embedding.embedders import CAMPPLUS, voices_key
from audiogrid.embedding.link_run import link_run
from audiogrid.export.cues import CueOptions
from audiogrid.merging.merge_recording import MissingChunkError, merge_recording
from audiogrid.merging.speakers import read_linking, speaker_source, track_speakers
from audiogrid.merging.stitch import StitchedTrack
from audiogrid.merging.track_text import TrackText
from audiogrid.records.chunks import Chunk, Seam
from audiogrid.records.linked_voices import read_linked
from audiogrid.records.plan import Bundle, Plan, Recording, Settings, Shard
from audiogrid.records.results import empty_result
from audiogrid.records.run_folder import RunFolder
from audiogrid.records.speakers import link_of
from audiogrid.records.store import VoiceStore
from audiogrid.records.voices import ChunkVoices, Tracklet, vector_bytes
from audiogrid.remote.publishing import result_files
from audiogrid.reporting.voice_vectors import linked_vectors

SECOND = 16_000
EDGE = Seam("edge", 0, 0)
LINK = {"link": True}


class Runs:
    """Runs over one store, in which people talk for 20 s each."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.store = VoiceStore(root / "store")
        self.chunks: dict[str, Chunk] = {}

    def said(self, who: int, recording: str, seconds: int) -> Tracklet:
        random = np.random.default_rng([who, *recording.encode(), seconds])
        vector = np.eye(192)[who] * 12 + random.normal(0, 0.3, 192)
        start = seconds * SECOND
        return Tracklet(start, start + 2 * SECOND, 2 * SECOND, -3.0, vector_bytes(vector))

    def embed(self, recording: str, *people: int) -> None:
        samples = 20 * len(people) * SECOND
        chunk = Chunk(f"{recording}.0000", recording, None, 0, 0, samples, 0, samples, EDGE, EDGE, recording)
        tracklets = [
            self.said(who, recording, 20 * index + second)
            for index, who in enumerate(people)
            for second in range(0, 20, 2)
        ]
        key = voices_key(chunk, CAMPPLUS.identity, EmbeddingOptions().identity())
        self.store.put(key, ChunkVoices(samples, tracklets), {})
        self.chunks[recording] = chunk

    def plan(self, *names: str, **columns: str) -> Plan:
        recordings = [Recording(name, f"{name}.wav", 1, 1, 100, 1, "mix", 1, columns=columns) for name in names]
        shard = Shard("s0001", "x", [f"{name}.0000" for name in names], ["b0001"], 100, "base", "auto")
        return Plan(Settings("base", {}, {}, 5, 60, 30, 1, 0), recordings, [Bundle("b0001", "x", list(names))], [shard])

    def link(self, run: str, *names: str, default: Any = LINK, **columns: str) -> dict[str, list[int]]:
        folder = RunFolder(self.root / run)
        folder.voices.mkdir(parents=True, exist_ok=True)
        facts = {"chunks": [to_json(self.chunks[name]) for name in names if name in self.chunks], "keys": {}}
        (folder.voices / "s0001.json").write_text(json.dumps({"facts": facts}))
        history = link_run(folder, self.plan(*names, **columns), self.store, default)
        return {name: tracks.get("", []) for name, tracks in history.links.items()}


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    found = Runs(tmp_path)
    found.embed("b", 5, 6)
    found.embed("c", 6, 7)
    return found


def test_the_next_day(runs: Runs) -> None:
    assert runs.link("r", "b", "c") == {"b": [1, 2], "c": [2, 3]}
    runs.embed("a", 7, 8, 5)
    assert runs.link("r", "a", "b", "c") == {"a": [3, 4, 1], "b": [1, 2], "c": [2, 3]}
    path = runs.root / "r" / "voices.json"
    before = path.stat().st_mtime_ns
    assert runs.link("r", "a", "b", "c") == {"a": [3, 4, 1], "b": [1, 2], "c": [2, 3]}
    assert path.stat().st_mtime_ns == before


def test_a_recording_that_is_not_embedded_is_left_out(runs: Runs) -> None:
    assert runs.link("r", "b", "missing") == {"b": [1, 2]}


def test_ids_outlive_the_file(runs: Runs) -> None:
    runs.link("r", "b")
    runs.link("r", "c", "b")
    (runs.root / "r" / "voices.json").unlink()
    assert runs.link("r", "c", "b") == {"b": [1, 2], "c": [2, 3]}
    # Of another file nothing is known.
    assert runs.link("r", "c", "b", default={"link": str(runs.root / "other.json")}) == {"c": [1, 2], "b": [3, 1]}


def test_another_number_of_speakers_links_anew(runs: Runs) -> None:
    runs.embed("d", 1, 2)
    assert runs.link("r", "d", "b") == {"d": [1, 2], "b": [3, 4]}
    found = runs.link("r", "d", "b", speakers="1")
    assert (len(found["d"]), len(found["b"])) == (1, 1)
    assert (found["d"][0] in (1, 2), found["b"][0] in (3, 4)) == (True, True)


def test_a_shared_file_carries_names_and_forgets_by_run(runs: Runs) -> None:
    shared = runs.root / "people" / "voices.json"
    default = {"link": str(shared)}
    runs.link("first", "b", default=default)
    known = read_linked(shared)
    known.voices[1].name = " Anna\nMaria\0"
    known.write(shared)
    assert runs.link("second", "c", default=default) == {"c": [2, 3]}
    names = {str(voice): name for voice, name in read_linked(shared).names().items()}
    folder = RunFolder(runs.root / "second")
    linking = read_linking(folder, default, names)
    recording = runs.plan("c").recordings[0]
    source = speaker_source(recording, runs.store, default, linking)
    assert source is not None
    chunk = runs.chunks["c"]
    track = TrackText(None, StitchedTrack([], [], [], []), [(chunk, None, None)])
    assert track_speakers(track, source, {"recording": "c", "path": "c.wav"}, None).names == ["Anna Maria", "Speaker 3"]
    # Two voices with one name are one speaker.
    both = replace(source, names={2: "Anna", 3: "Anna"})
    found = track_speakers(track, both, {"recording": "c", "path": "c.wav"}, None)
    assert (found.names, {turn.speaker for turn in found.turns}) == (["Anna"], {0})

    assert linked_vectors(RunFolder(runs.root / "first"), default, ["c"], remove=True) == 0
    assert linked_vectors(RunFolder(runs.root / "first"), default) == 2
    assert linked_vectors(RunFolder(runs.root / "first"), default, remove=True) == 2
    assert [(voice.voice, voice.name) for voice in read_linked(shared).voices] == [(2, "Anna Maria"), (3, "")]
    assert linked_vectors(folder, default, remove=True) == 2
    assert not shared.exists()


def test_files_that_were_linked_with_before_are_forgotten_too(runs: Runs) -> None:
    folder = RunFolder(runs.root / "r")
    shared = runs.root / "people.json"
    runs.link("r", "b")
    runs.link("r", "b", default={"link": str(shared)})
    # Meanwhile the key says that no voices are linked.
    assert linked_vectors(folder, "auto") == 4
    assert linked_vectors(folder, "auto", remove=True) == 4
    assert not shared.exists() and not (folder.root / "voices.json").exists()


@pytest.mark.parametrize(
    ("value", "link"),
    [
        ("auto", False),
        (None, False),
        ({"count": 2}, False),
        ({"link": False}, False),
        ({"link": "false"}, False),
        ({"link": "true"}, True),
        ({"link": True}, True),
        ({"link": "people.json"}, "people.json"),
    ],
)
def test_what_link_may_say(value: Any, link: bool | str) -> None:
    assert link_of(value) == link
    with pytest.raises(InputError, match="speakers"):
        resolve({"speakers": {"link": "notes.txt"}})
    if value is not None:
        assert resolve({"speakers": value})["speakers"] == value


def test_vectors_of_other_networks_are_not_compared(runs: Runs) -> None:
    runs.link("r", "b")
    path = runs.root / "r" / "voices.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "networks": "others"}))
    with pytest.raises(InputError, match=r"voices.json were made by other networks"):
        runs.link("r", "b")


def test_a_recording_that_is_not_linked_has_no_transcript(runs: Runs) -> None:
    runs.link("r", "b")
    linking = read_linking(RunFolder(runs.root / "r"), LINK, {})
    source = speaker_source(runs.plan("c").recordings[0], runs.store, LINK, linking)
    assert source is not None
    chunk = runs.chunks["c"]
    result = ("key", empty_result(chunk.end, "en"))
    facts = {"recording": "c", "path": "c.wav"}
    folder = runs.root / "r" / "transcripts"
    # As a chunk without a result, so that the next run works on it again.
    with pytest.raises(MissingChunkError, match="0 are linked"):
        merge_recording(
            facts,
            [chunk],
            lambda _: result,
            {},
            allow_gaps=True,
            formats=["json"],
            subtitles=CueOptions(),
            folder=folder,
            provenance={},
            speakers=source,
        )
    assert not folder.exists()
    assert read_linking(RunFolder(runs.root / "r"), "auto", {}) is None


def test_nothing_of_it_is_published(runs: Runs) -> None:
    runs.link("r", "b")
    assert (runs.root / "r" / "voices.json").is_file()
    assert list(result_files(runs.root / "r")) == []
    among_transcripts = runs.root / "r" / "transcripts" / "people.json"
    runs.link("r", "b", default={"link": str(among_transcripts)})
    assert among_transcripts.is_file()
    assert list(result_files(runs.root / "r")) == []
