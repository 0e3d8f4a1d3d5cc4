"""The ledger tiles every recording, to the sample, and says of each sample what is true of it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, pairwise
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from audiogrid.core.errors import InputError
from audiogrid.merging.ledger import joined, make_ledger, unread_ledger
from audiogrid.merging.ledger_table import LEDGER_COLUMNS, add_totals, part_totals, write_ledger, write_part
from audiogrid.merging.stitch import stitch
from audiogrid.merging.track_text import TrackText
from audiogrid.records.chunks import Chunk, Seam, chunk_id
from audiogrid.records.ledger import KINDS, REASONS, LedgerSpan, Sound
from audiogrid.records.results import ChunkResult, Segment, Window, Word
from audiogrid.records.run_folder import RunFolder

SECOND = 16_000


def make_chunk(index: int, start: int, end: int, sounds: Sequence[Sound] = (), channel: int | None = None) -> Chunk:
    seams = Seam("pause", start, 0), Seam("pause", end, 0)
    name = chunk_id("talk", channel, index)
    return Chunk(name, "talk", channel, index, start, end, start, end, *seams, "0" * 64, tuple(sounds))


def result(samples: int, speech: list[tuple[int, int]], words: list[Word], windows: list[Window]) -> ChunkResult:
    text = "".join(word.text for word in words)
    segments = [Segment(words[0].start, words[-1].end, text, words, -0.2, 1.2, 0.0, 0.0, "en", 0)] if words else []
    return ChunkResult(samples, "en", 0.99, speech, windows, segments)


def track(pieces: list[tuple[Chunk, ChunkResult | None]]) -> TrackText:
    whole = [(chunk, None if found is None else "key", found) for chunk, found in pieces]
    return TrackText(pieces[0][0].channel, stitch(pieces), whole)


def seconds(spans: Sequence[LedgerSpan]) -> list[tuple[float, float, str, str]]:
    return [(one.start / SECOND, one.end / SECOND, one.kind, one.reason) for one in spans]


def window(start: int, end: int, kept: str = "fast", flags: Sequence[str] = ()) -> Window:
    return Window(start, end, [(start, end)], list(flags), kept, [])


def assert_tiles(spans: Sequence[LedgerSpan], samples: int) -> None:
    assert spans[0].start == 0
    assert spans[-1].end == samples
    for left, right in pairwise(spans):
        assert left.end == right.start
        assert left[2:] != right[2:]
    for one in spans:
        assert one.end > one.start
        assert one.kind in KINDS
        assert (one.kind, one.reason) in REASONS or (one.kind, one.reason) == ("speech_with_words", "")


def test_what_became_of_every_second() -> None:
    words = [Word(s * SECOND, s * SECOND + 8_000, " word", 0.9) for s in (1, 2, 9)]
    speech = [
        (SECOND, 5 * SECOND),
        (9 * SECOND - 4_000, 10 * SECOND),
        (12 * SECOND, 14 * SECOND),
        (16 * SECOND, 320_000),
    ]
    windows = [window(0, 10 * SECOND), window(12 * SECOND, 14 * SECOND, "nothing")]
    sounds = [Sound(0, 6 * SECOND, "silence"), Sound(6 * SECOND, 10 * SECOND, "sound")]
    sounds += [
        Sound(10 * SECOND, 14 * SECOND + 8_000, "sound"),
        Sound(14 * SECOND + 8_000, 15 * SECOND, "damaged_audio"),
    ]
    first = make_chunk(0, 0, 20 * SECOND, sounds)
    second = make_chunk(1, 20 * SECOND, 25 * SECOND)
    third = make_chunk(2, 25 * SECOND, 26 * SECOND, [Sound(26 * SECOND, 30 * SECOND, "cut_off")])
    spans = make_ledger(
        [
            track(
                [
                    (first, result(320_000, speech, words, windows)),
                    (second, None),
                    (third, result(SECOND, [], [], [])),
                ]
            )
        ]
    )
    assert_tiles(spans, 30 * SECOND)
    assert seconds(spans) == [
        (0, 1, "no_speech", "silence"),
        (1, 2.5, "speech_with_words", ""),
        (2.5, 5, "speech_without_words", "no_words"),
        (5, 6, "no_speech", "silence"),
        (6, 8.75, "no_speech", "sound"),
        # Detection began a little before the word and ended a little after it.
        (8.75, 10, "speech_with_words", ""),
        (10, 12, "no_speech", "sound"),
        (12, 14, "speech_without_words", "withheld"),
        (14, 14.5, "no_speech", "sound"),
        (14.5, 15, "unreadable", "damaged_audio"),
        (15, 16, "no_speech", ""),
        (16, 20, "speech_without_words", "no_words"),
        (20, 25, "speech_without_words", "failed_chunk"),
        (25, 26, "no_speech", ""),
        (26, 30, "unreadable", "cut_off"),
    ]


def test_a_word_stretched_over_lost_speech_does_not_hide_it() -> None:
    words = [Word(0, 6 * SECOND, " After", 0.5)]
    spans = make_ledger([track([(make_chunk(0, 0, 96_000), result(96_000, [(0, 96_000)], words, []))])])
    assert [(one.kind, one.end) for one in spans] == [("speech_with_words", 20_800), ("speech_without_words", 96_000)]


def test_speech_beside_unreadable_audio_is_lost_to_the_damage() -> None:
    sounds = [Sound(2 * SECOND, 3 * SECOND, "damaged_audio")]
    chunk = make_chunk(0, 0, 6 * SECOND, sounds)
    spans = make_ledger([track([(chunk, result(96_000, [(SECOND, 40_000), (80_000, 96_000)], [], []))])])
    assert ("speech_without_words", "damaged_audio", 2 * SECOND) in [(one.kind, one.reason, one.end) for one in spans]
    assert (spans[-1].kind, spans[-1].reason) == ("speech_without_words", "no_words")


def test_of_several_channels_the_one_with_a_loss_counts() -> None:
    def channel(number: int, speech: list[tuple[int, int]], words: list[Word]) -> TrackText:
        chunk = make_chunk(0, 0, 64_000, [Sound(0, 64_000, "silence")], number)
        return track([(chunk, result(64_000, speech, words, []))])

    one = channel(0, [(0, 32_000)], [Word(0, 15_000, " long", 0.9), Word(16_000, 32_000, " answer", 0.9)])
    other = channel(1, [(16_000, 48_000)], [])
    spans = make_ledger([one, other, track([(make_chunk(0, 0, 0, (), 2), None)])])
    assert [(*span[1:4], span.channels) for span in spans] == [
        (16_000, "speech_with_words", "", (1,)),
        (48_000, "speech_without_words", "no_words", (2,)),
        (64_000, "no_speech", "silence", (1, 2)),
    ]


def test_music_on_one_channel_counts_while_the_other_is_silent() -> None:
    def channel(number: int, kind: str) -> TrackText:
        chunk = make_chunk(0, 0, 64_000, [Sound(0, 64_000, kind)], number)
        return track([(chunk, result(64_000, [], [], []))])

    for loud in ("music", "noise", "sound"):
        spans = make_ledger([channel(0, "silence"), channel(1, loud)])
        assert spans == [LedgerSpan(0, 64_000, "no_speech", loud, (2,))]
    spans = make_ledger([channel(0, "noise"), channel(1, "music")])
    assert spans == [LedgerSpan(0, 64_000, "no_speech", "music", (2,))]


def test_recordings_without_a_transcript() -> None:
    chunk = make_chunk(0, 0, 32_000)
    done = track([(chunk, result(32_000, [(0, 16_000)], [Word(0, 16_000, " lost", 0.9)], []))])
    spans = make_ledger([done], is_delivered=False)
    assert [one[1:4] for one in spans] == [(16_000, "speech_without_words", "failed_chunk"), (32_000, "no_speech", "")]
    assert unread_ledger(5, was_read=False) == [LedgerSpan(0, 5, "unreadable", "not_read")]
    assert unread_ledger(5, was_read=True) == [LedgerSpan(0, 5, "speech_without_words", "failed_chunk")]
    assert unread_ledger(0, was_read=True) == make_ledger([]) == []


@st.composite
def spans_within(draw: st.DrawFn, start: int, end: int) -> list[tuple[int, int]]:
    edges = sorted(draw(st.sets(st.integers(start, end), max_size=8)))
    return [(edges[n], edges[n + 1]) for n in range(0, len(edges) - 1, 2)]


@st.composite
def tracks(draw: st.DrawFn, channel: int | None = None) -> TrackText:
    edges = [0, *sorted(draw(st.sets(st.integers(1, 400_000), min_size=1, max_size=4)))]
    pieces: list[tuple[Chunk, ChunkResult | None]] = []
    for index, (start, end) in enumerate(pairwise(edges)):
        kinds = st.sampled_from([reason for kind, reason in REASONS if kind == "no_speech"] + ["damaged_audio"])
        sounds = [Sound(*span, draw(kinds)) for span in draw(spans_within(start, end))]
        if draw(st.booleans()) and index == len(edges) - 2:
            sounds.append(Sound(end, end + draw(st.integers(1, 50_000)), "cut_off"))
        chunk = make_chunk(index, start, end, sounds, channel)
        if draw(st.integers(0, 4)) == 0:
            pieces.append((chunk, None))
            continue
        length = end - start
        words = [
            Word(*span, draw(st.sampled_from([" a", " word", "…", " 語"])), 0.5)
            for span in draw(spans_within(0, length))
        ]
        windows = [
            window(*span, draw(st.sampled_from(["fast", "nothing"])), draw(st.sampled_from([(), ("loop_cut",)])))
            for span in draw(spans_within(0, length))
        ]
        pieces.append((chunk, result(length, draw(spans_within(0, length)), words, windows)))
    return track(pieces)


def ends(one: TrackText) -> int:
    return max([one.samples, *(sound.end for chunk, _, _ in one.pieces for sound in chunk.sounds)])


@settings(deadline=None)
@given(st.one_of(tracks().map(lambda one: [one]), st.tuples(tracks(0), tracks(1)).map(list)), st.booleans())
def test_spans_tile_every_recording(found: list[TrackText], is_delivered: bool) -> None:
    spans = make_ledger(found, is_delivered=is_delivered)
    assert_tiles(spans, max(map(ends, found)))
    for one in found:
        for gap in one.stitched.gaps:
            inside = [span for span in spans if span.start < gap.end and span.end > gap.start]
            assert {span.kind for span in inside} <= {"speech_without_words", "unreadable"}
        for word in one.stitched.words:
            at = next(span for span in spans if span.start <= word.start < span.end)
            assert at.kind != "no_speech"
    if not is_delivered:
        assert all(span.kind != "speech_with_words" for span in spans)


def longest(word: Word) -> int:
    """The longest that a word can take, in samples: 0.7 s, and 0.12 s for every letter; an ellipsis has none."""
    return 11_200 + 1_920 * sum(map(str.isalnum, word.text))


def counted(word: Word) -> tuple[int, int]:
    """Where what counts of a word begins and ends."""
    return word.start, max(word.start + 1, min(word.end, word.start + longest(word)))


@settings(deadline=None)
@given(tracks())
@example(track([(make_chunk(0, 0, 100_000), result(100_000, [(0, 100_000)], [Word(0, 14_971, "…", 0.5)], []))]))
def test_each_sample_is_what_the_rules_say(found: TrackText) -> None:
    """The same by brute force, for samples here and there."""
    spans = make_ledger([found])
    words = found.stitched.words
    for sample in range(0, found.samples, max(1, found.samples // 97)):
        (span,) = [one for one in spans if one.start <= sample < one.end]
        (chunk, read) = next((c, r) for c, _, r in found.pieces if c.start <= sample < c.end)
        if any(sound.kind == "damaged_audio" and sound.start <= sample < sound.end for sound in chunk.sounds):
            assert span.kind == "unreadable"
        elif read is None:
            assert (span.kind, span.reason) == ("speech_without_words", "failed_chunk")
        else:
            is_speech = any(a <= sample - chunk.context_start < b for a, b in read.speech)
            if span.kind == "no_speech":
                assert not is_speech
            if span.kind == "speech_without_words":
                assert is_speech
            if any(word.start <= sample < min(word.end, word.start + longest(word)) for word in words):
                assert span.kind == "speech_with_words"
            # A word can reach beyond its end by the edge of speech that is found around it, or by a pause.
            elif is_speech and all(abs(sample - edge) > 12_800 for word in words for edge in counted(word)):
                assert span.kind == "speech_without_words"


@given(st.lists(st.tuples(st.integers(1, 5), st.sampled_from(list(KINDS))), min_size=1))
def test_joining_keeps_the_samples(runs: list[tuple[int, str]]) -> None:
    spans, at = [], 0
    for length, kind in runs:
        spans.append(LedgerSpan(at, at + length, kind))
        at += length
    found = list(joined(spans))
    assert sum(one.end - one.start for one in found) == at
    assert [one.kind for one in found] == [kind for kind, _ in groupby(kind for _, kind in runs)]


def test_the_table_of_a_run_is_its_parts_in_order(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    spans = [LedgerSpan(0, 10, "speech_with_words"), LedgerSpan(10, 16, "no_speech", "silence", (1, 2))]
    write_part(folder, "b1", {"a\tb": spans, "empty": []})
    write_part(folder, "b0", {"c": unread_ledger(7, was_read=False)})
    write_ledger(folder, ["b0", "b1", "merged-by-an-earlier-version"])
    totals = part_totals(folder, "b0") | part_totals(folder, "b1")
    assert folder.ledger.read_text().splitlines() == [
        "\t".join(LEDGER_COLUMNS),
        "c\t0\t7\tunreadable\tnot_read\t",
        "a\\tb\t0\t10\tspeech_with_words\t\t",
        "a\\tb\t10\t16\tno_speech\tsilence\t1,2",
    ]
    assert totals["a\tb"] == {("speech_with_words", ""): 10, ("no_speech", "silence"): 6}
    assert sum(add_totals(totals.values()).values()) == 23
    (folder.merged / "b1.ledger.tsv").write_bytes(b"a\t0\t\xff")
    with pytest.raises(InputError, match=r"b1.ledger.tsv is damaged"):
        part_totals(folder, "b1")
    assert part_totals(folder, "merged-by-an-earlier-version") == {}
