"""From tracklets of chunks to turns of a recording."""

from __future__ import annotations

import numpy as np

from audiogrid.core.json_values import from_json, to_json
from audiogrid.embedding.clustering import Count
from audiogrid.embedding.voices import band_means, centred, find_speakers, in_track_time, turns_of
from audiogrid.records.chunks import Chunk, Seam
from audiogrid.records.voices import ChunkVoices, Tracklet, vector_bytes, vector_of

SECOND = 16_000
EDGE = Seam("edge", 0, 0)
CENTRES = np.linalg.qr(np.random.default_rng(0).normal(size=(192, 192)))[0]


def chunk(index: int, start: float, end: float, context: float = 0.0) -> Chunk:
    first = round((start - context) * SECOND)
    return Chunk(
        f"talk.{index}",
        "talk",
        None,
        index,
        round(start * SECOND),
        round(end * SECOND),
        first,
        round(end * SECOND),
        EDGE,
        EDGE,
        "",
    )


def tracklet(start: float, end: float, who: int, band: float = -3.0, clean: float | None = None) -> Tracklet:
    wide, telephone = band_means()
    mean = telephone if band < -6.5 else wide
    noise = 0.3 * np.random.default_rng(round(100 * start)).normal(size=192)
    vector = mean + 12 * CENTRES[who] + noise
    length = round((end - start) * SECOND)
    return Tracklet(
        round(start * SECOND),
        round(end * SECOND),
        length if clean is None else round(clean * SECOND),
        band,
        vector_bytes(vector),
    )


def talk(*who: int, step: float = 2.0, length: float = 1.6, **more: float) -> list[Tracklet]:
    return [tracklet(step * number, step * number + length, one, **more) for number, one in enumerate(who)]


def test_results_are_the_same_after_the_store() -> None:
    before = ChunkVoices(1000, talk(0, 1))
    after = from_json(ChunkVoices, to_json(before))
    assert after == before
    assert vector_of(after.tracklets[0]).shape == (192,)


def test_speakers_are_numbered_by_first_appearance_and_have_turns() -> None:
    who = [7, 7, 3, 7, 3, 3, 3, 7] * 3
    found = find_speakers([(chunk(0, 0, 60), ChunkVoices(60 * SECOND, talk(*who)))])
    assert [turn.speaker for turn in found.turns] == [
        0 if one == 7 else 1 for one, before in zip(who, [None, *who], strict=False) if one != before
    ]
    assert [round(voice.samples / SECOND, 1) for voice in found.voices] == [19.2, 19.2]
    assert all(voice.nearest < 0.2 for voice in found.voices)


def test_chunks_or_the_whole_give_the_same_turns() -> None:
    who = [0, 1, 1, 2, 0, 2] * 10
    whole = talk(*who)
    one = find_speakers([(chunk(0, 0, 120), ChunkVoices(120 * SECOND, whole))])
    context = 3.0
    pieces = []
    for index, (start, end) in enumerate([(0, 40), (40, 80), (80, 120)]):
        first = round(max(0.0, start - context) * SECOND)
        own = [
            Tracklet(t.start - first, t.end - first, t.clean, t.band, t.vector)
            for t in whole
            if start * SECOND <= (t.start + t.end) // 2 < end * SECOND
        ]
        pieces.append((chunk(index, start, end, min(context, start)), ChunkVoices(40 * SECOND, own)))
    assert in_track_time(pieces) == in_track_time([(chunk(0, 0, 120), ChunkVoices(0, whole))])
    assert find_speakers(pieces) == one
    assert find_speakers(pieces[::-1]) == one


def test_the_same_voices_over_the_telephone_are_not_new_voices() -> None:
    tracklets = talk(*[0, 1] * 10)
    later = [
        Tracklet(t.start + 40 * SECOND, t.end + 40 * SECOND, *(u.clean, u.band, u.vector))
        for t, u in zip(tracklets, talk(*[0, 1] * 10, band=-9.0), strict=True)
    ]
    found = find_speakers([(chunk(0, 0, 80), ChunkVoices(80 * SECOND, [*tracklets, *later]))])
    assert len(found.voices) == 2


def test_one_odd_tracklet_does_not_change_the_band() -> None:
    tracklets = talk(0, 0, 0, 0, 0)
    odd = [
        *tracklets[:2],
        Tracklet(*(tracklets[2].start, tracklets[2].end, tracklets[2].clean, -9.0, tracklets[2].vector)),
        *tracklets[3:],
    ]
    np.testing.assert_array_equal(centred(tracklets), centred(odd))


def test_pauses_are_closed_per_speaker_only() -> None:
    parts = [tracklet(0, 1, 0), tracklet(1.1, 2, 1), tracklet(1.3, 2.3, 0), tracklet(2.8, 3.5, 0)]
    turns = turns_of(parts, [0, 1, 0, 0])
    assert [(t.start / SECOND, t.end / SECOND, t.speaker) for t in turns] == [(0, 2.3, 0), (1.1, 2, 1), (2.8, 3.5, 0)]


def test_no_speech_no_speakers() -> None:
    empty = find_speakers([(chunk(0, 0, 60), ChunkVoices(60 * SECOND, []))], Count(3, 3))
    assert (empty.turns, empty.voices) == ([], [])


def test_one_short_word_is_one_speaker() -> None:
    found = find_speakers([(chunk(0, 0, 60), ChunkVoices(60 * SECOND, [tracklet(3, 3.3, 4, clean=0.3)]))])
    assert [(turn.start, turn.speaker) for turn in found.turns] == [(3 * SECOND, 0)]
    assert len(found.voices) == 1
