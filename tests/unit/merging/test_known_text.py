"""A given text in the place of what was heard: words, times, speakers, and where the two disagree."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audiogrid.aligning.aligned_key import question
from audiogrid.aligning.worker import known_text
from audiogrid.decoding.engine import ChunkAudio, Engine
from audiogrid.decoding.options import DecodeOptions
from audiogrid.merging.document import build_document
from audiogrid.merging.known_text import TextResult, TextSource, add_text, apply_text
from audiogrid.merging.stitch import check_track, stitch
from audiogrid.merging.track_text import TrackText
from audiogrid.records.aligned import AlignedChunk, TimedWord
from audiogrid.records.chunks import Chunk, Seam
from audiogrid.records.results import ChunkResult, Segment, Word
from audiogrid.records.store import storable_options
from speech import RATE, TimedVoice, silence

FACTS = {"recording": "a", "path": "a.wav", "channels_mode": "mix"}


def chunk_of(index: int, start: int, end: int, kind: Any = "pause", channel: int | None = None) -> Chunk:
    seam = Seam(kind, start, 0)
    return Chunk(f"a.{index:04d}", "a", channel, index, start, end, start, end, seam, seam, f"{index}")


def result_of(words: Sequence[tuple[int, int, str]], samples: int, language: str = "en") -> ChunkResult:
    """What was heard, a segment to each sentence."""
    made: list[list[Word]] = [[]]
    for start, end, text in words:
        made[-1].append(Word(start, end, text, 0.9))
        if text.endswith("."):
            made.append([])
    segments = [
        Segment(one[0].start, one[-1].end, "".join(w.text for w in one).strip(), one, -0.2, 1.0, 0.0, 0.0, language, 0)
        for one in made
        if one
    ]
    speech = [(one[0].start, one[-1].end) for one in made if one]
    return ChunkResult(samples, language, 1.0, speech, [], segments)


def heard(text: str, at: int = 8000, step: int = 6400) -> tuple[list[tuple[int, int, str]], int]:
    words = [(at + n * step, at + (n + 1) * step - 800, f" {word}") for n, word in enumerate(text.split())]
    return words, at + len(words) * step + 8000


def spread(chunk: Chunk, result: ChunkResult, windows: list[dict[str, Any]]) -> AlignedChunk:
    """An answer with the words of each window one after another over its audio, or with the times of decoding."""
    found = []
    for window in windows:
        if "heard" in window:
            found.append([TimedWord(start, end, 0.0) for start, end in window["heard"]])
            continue
        start, end = window["pieces"][0][0], window["pieces"][-1][1]
        edges = np.linspace(start, end, len(window["words"]) + 1).astype(int).tolist()
        found.append([TimedWord(a, b, 0.8) for a, b in pairwise(edges)])
    return AlignedChunk(result.samples, found)


def given(folder: Path, text: str, said: str, **options: Any) -> tuple[TextResult, TrackText]:
    words, samples = heard(said)
    track = track_of([(chunk_of(0, 0, samples, "edge"), result_of(words, samples))])
    path = folder / "a.txt"
    path.write_text(text, encoding="utf-8")
    return apply_text([track], TextSource(str(path), options.pop("lookup", spread), **options)), track


def track_of(pieces: Sequence[tuple[Chunk, ChunkResult | None]]) -> TrackText:
    return TrackText(None, stitch(pieces), [(chunk, "k", result) for chunk, result in pieces])


def text_of(result: TextResult) -> str:
    return "".join(word.text for track in result.tracks for word in track.stitched.words).strip()


SAID = "the old man went home. it was late and the rain began. nobody came to the door. we left in the morning."


def test_the_text_comes_out_as_it_is_written_with_the_times_of_what_was_heard(tmp_path: Path) -> None:
    text = "The old man went home.\nIt was late, and the rain began.\nNobody came to the door.\nWe left in the morning!"
    found, track = given(tmp_path, text, SAID)
    assert text_of(found) == " ".join(text.split())
    assert found.fit == 1 and not found.differences and not found.problem
    before = [(word.start, word.end) for word in track.stitched.words]
    assert [(word.start, word.end) for word in found.tracks[0].stitched.words] == before
    assert [one.segment.text for one in found.tracks[0].stitched.segments] == text.split("\n")


def test_what_only_one_side_has_is_listed_and_not_put_into_the_audio(tmp_path: Path) -> None:
    extra = "they had nothing at all to say about it."
    text = SAID.replace(" nobody came to the door.", "").replace("it was late", f"{extra} it was late")
    found, _ = given(tmp_path, text, SAID)
    assert [(one["kind"], one["text"], one["heard"]) for one in found.differences] == [
        ("not heard", extra, ""),
        ("not in the text", "", "nobody came to the door."),
    ]
    moved = "the old man went home. nobody came to the door. it was late and the rain began. we left in the morning."
    found, _ = given(tmp_path, moved, SAID)
    assert [one["kind"] for one in found.differences] == ["moved", "moved"]


def test_a_misheard_word_is_written_as_in_the_text_and_is_no_difference(tmp_path: Path) -> None:
    found, _ = given(tmp_path, SAID.replace("rain", "reign"), SAID)
    assert text_of(found) == SAID.replace("rain", "reign")
    assert found.differences == []


def test_speakers_that_the_text_names(tmp_path: Path) -> None:
    text = "ANNA: the old man went home.\nBEN: it was late and the rain began.\nnobody came to the door.\n"
    found, _ = given(tmp_path, text + "ANNA: we left in the morning.", SAID)
    source = TextSource(str(tmp_path / "a.txt"), spread)
    document = add_text(build_document(FACTS, found.tracks, {}), found, source)
    assert [segment["speaker"] for segment in document["segments"]] == ["ANNA", "BEN", "BEN", "ANNA"]
    assert document["provenance"]["text"] == {"file": "a.txt", "fit": 1.0}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "holds no words"),
        ("Completely other words stand here, about ships and shoes and sealing wax. " * 5, "another recording"),
    ],
)
def test_a_text_that_cannot_be_used_leaves_what_was_heard(tmp_path: Path, text: str, problem: str) -> None:
    found, track = given(tmp_path, text, SAID)
    assert problem in found.problem
    assert found.tracks == [track]


def test_an_answer_that_is_missing_is_named(tmp_path: Path) -> None:
    found, _ = given(tmp_path, SAID.replace("rain", "reign"), SAID, lookup=lambda *_: None)
    assert found.missing == "a.0000"


def test_a_text_of_ten_hours_for_a_minute_is_cut_to_what_is_heard(tmp_path: Path) -> None:
    rng = random.Random(1)
    more = " ".join("".join(rng.choices("abcdefghij", k=6)) for _ in range(90_000))
    found, _ = given(tmp_path, f"{SAID}\n{more}", SAID)
    assert text_of(found) == SAID
    assert [one["kind"] for one in found.differences] == ["not heard"]


def test_whatever_the_text_the_track_is_consistent(tmp_path: Path) -> None:
    rng = random.Random(3)
    for number in range(60):
        words = [rng.choice("ab cd ef gh ij kl mn op".split()) + rng.choice(["", "", "."]) for _ in range(60)]
        pieces: list[tuple[Chunk, ChunkResult | None]] = []
        at = 0
        for index in range(3):
            own, samples = heard(" ".join(words[20 * index : 20 * index + 20]))
            kept = None if index == 1 and number % 3 == 0 else result_of(own, samples)
            pieces.append((chunk_of(index, at, at + samples), kept))
            at += samples
        text = [word for word in words if rng.random() > 0.1]
        first = rng.randrange(len(text))
        text[first:first] = ["sudden", "words", "that", "nobody", "said."]
        text[-8:-4], text[-4:] = text[-4:], text[-8:-4]
        (tmp_path / "a.txt").write_text(" ".join(text))
        track = track_of(pieces)
        found = apply_text([track], TextSource(str(tmp_path / "a.txt"), spread, fine=number % 2 == 1))
        check_track(found.tracks[0].stitched, at)
        if not found.problem:
            spoken = [word.text.strip() for word in found.tracks[0].stitched.words]
            rest = iter(text)
            assert all(word in rest for word in spoken), "the words of the text, in its order"


@pytest.mark.parametrize("fine", [False, True])
def test_each_sentence_goes_to_the_channel_that_says_it(tmp_path: Path, fine: bool) -> None:
    said = SAID.split(". ")
    tracks, at, spoken = [], 8000, {0: [], 1: []}
    for number, sentence in enumerate(said):
        own, samples = heard(sentence.rstrip(".") + ".", at)
        # Those of the second channel begin before the first channel has ended.
        spoken[number % 2] += own
        at += samples - 8000 if number % 2 else samples - 24000
    for channel, words in spoken.items():
        pieces = [(chunk_of(0, 0, at + 16000, "edge", channel), result_of(words, at + 16000))]
        tracks.append(TrackText(channel, stitch(pieces), [(chunk, "k", result) for chunk, result in pieces]))
    extra = "nobody has ever said this anywhere."
    text = f"ANNA: {said[0]}.\nBEN: {said[1]}.\n{extra}\nANNA: {said[2]}.\nBEN: {said[3]}".replace("rain", "reign")
    (tmp_path / "a.txt").write_text(text)
    found = apply_text(tracks, TextSource(str(tmp_path / "a.txt"), spread, fine=fine))
    texts = ["".join(word.text for word in track.stitched.words).strip() for track in found.tracks]
    assert texts == [f"{said[0]}. {said[2]}.", f"{said[1]}. {said[3]}".replace("rain", "reign")]
    assert [one["text"] for one in found.differences] == [extra]


@pytest.fixture(scope="module")
def engine(base_model: Path) -> Engine:
    return Engine(base_model, device="cpu", threads=1, batch_size=4)


SENTENCES = [
    "The young doctor sold twelve baskets of apples at the market.",
    "Captain Morris repaired the old clock above the station.",
    "Our teacher wrote a long letter to the city council.",
    "My neighbour counted seventeen boats in the harbour.",
    "The gardener found a silver coin under the stairs.",
]


@pytest.mark.parametrize("fine", [False, True])
def test_real_speech_with_a_text_that_differs(engine: Engine, tmp_path: Path, fine: bool) -> None:
    voice = TimedVoice()
    parts, starts, at = [silence(0.4)], {}, round(0.4 * RATE)
    for text in SENTENCES:
        pcm, own = voice.say(text)
        starts[text] = [at / RATE + start for start in own]
        parts += [pcm, silence(0.5)]
        at += len(pcm) + RATE // 2
    pcm = np.concatenate(parts)
    options = DecodeOptions(language="en")
    ((_, result),) = engine.decode([ChunkAudio(pcm, (0, len(pcm)), options)])

    def lookup(chunk: Chunk, result: ChunkResult, windows: list[dict[str, Any]]) -> AlignedChunk:
        asked = question(result.speech, windows, [], storable_options(vars(options)))
        return engine.align(pcm, known_text(asked), options)

    # The second sentence is not in the text, one is that nobody says, and the first has a word that is not heard so.
    extra = "Nobody in the village had ever seen such a thing."
    text = [SENTENCES[0].replace("doctor", "proctor"), *SENTENCES[2:4], extra, SENTENCES[4]]
    (tmp_path / "a.txt").write_text("\n".join(text))
    track = track_of([(chunk_of(0, 0, len(pcm), "edge"), result)])
    found = apply_text([track], TextSource(str(tmp_path / "a.txt"), lookup, fine=fine))
    check_track(found.tracks[0].stitched, len(pcm))
    assert text_of(found) == " ".join(one for one in text if one != extra)
    kinds = {one["kind"]: one for one in found.differences}
    assert set(kinds) == {"not in the text", "not heard"} and len(found.differences) == 2
    assert kinds["not heard"]["text"] == extra
    said = kinds["not in the text"]
    assert "clock" in said["heard"] and abs(said["start"] - starts[SENTENCES[1]][0]) < 0.4
    true = [start for one in (SENTENCES[0], *SENTENCES[2:]) for start in starts[one]]
    late = np.array([word.start / RATE for word in found.tracks[0].stitched.words]) - true
    assert np.mean(abs(late) <= 0.3) > 0.9, late
    if fine:
        assert np.mean(abs(late) <= 0.1) > 0.8, late
