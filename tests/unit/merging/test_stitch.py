"""Every word exactly once: examples for each way it can go wrong, properties for all others."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audiogrid.core.text import comparison_form
from audiogrid.core.timebase import SAMPLE_RATE, to_samples
from audiogrid.merging.overlaps import align_words, join_overlap, middle
from audiogrid.merging.stitch import Gap, StitchError, check_track, stitch
from audiogrid.records.chunks import Chunk, Seam
from audiogrid.records.results import ChunkResult, Segment, Word, empty_result


def word(start: float, end: float, text: str, probability: float = 0.9) -> Word:
    return Word(to_samples(start), to_samples(end), f" {text}", probability)


def segment(words: list[Word], window: int = 0) -> Segment:
    text = "".join(one.text for one in words).strip()
    return Segment(words[0].start, words[-1].end, text, words, -0.2, 1.3, 0.01, 0.0, "en", window)


def make_chunks(cuts: list[int], samples: int, reach: int, kind: str = "hard") -> list[Chunk]:
    """Chunks of one track with ``reach`` samples of context on both sides of every cut."""
    edges = [0, *cuts, samples]

    def seam(at: int) -> Seam:
        return Seam("edge", at, 0) if at in (0, samples) else Seam(kind, at, reach)  # type: ignore[arg-type]

    return [
        Chunk(
            chunk=f"talk.{index:04d}",
            recording="talk",
            channel=None,
            index=index,
            start=start,
            end=end,
            context_start=max(0, start - reach),
            context_end=min(samples, end + reach),
            left=seam(start),
            right=seam(end),
            pcm_sha256="0" * 64,
        )
        for index, (start, end) in enumerate(itertools.pairwise(edges))
    ]


def heard(chunk: Chunk, words: list[Word]) -> ChunkResult:
    """A result whose words are given in track time."""
    local = [replace(one, start=one.start - chunk.context_start, end=one.end - chunk.context_start) for one in words]
    segments = [segment(local)] if local else []
    return ChunkResult(chunk.context_end - chunk.context_start, "en", 0.9, [], [], segments)


def two(left: list[Word], right: list[Word], seam: float = 10, reach: float = 3, kind: str = "hard") -> str:
    chunks = make_chunks([to_samples(seam)], to_samples(20), to_samples(reach), kind)
    stitched = stitch([(chunks[0], heard(chunks[0], left)), (chunks[1], heard(chunks[1], right))])
    check_track(stitched, to_samples(20))
    return " ".join(one.text.strip() for one in stitched.words)


def test_a_word_read_by_both_on_the_wrong_side_of_the_seam_is_not_lost() -> None:
    left = [word(9, 9.4, "we"), word(9.9, 10.3, "hear")]
    right = [word(9.0, 9.4, "we"), word(9.7, 10.1, "hear"), word(10.6, 11, "you")]
    assert middle(left[1]) >= to_samples(10) > middle(right[1])
    assert two(left, right) == "we hear you"


def test_a_word_read_by_both_on_their_own_side_of_the_seam_is_not_doubled() -> None:
    left = [word(9, 9.4, "we"), word(9.7, 10.1, "hear"), word(10.6, 11, "you")]
    right = [word(9.0, 9.4, "we"), word(9.9, 10.3, "hear"), word(10.6, 11, "you")]
    assert middle(left[1]) < to_samples(10) <= middle(right[1])
    assert two(left, right) == "we hear you"


@pytest.mark.parametrize("kind", ["hard", "pause", "short_pause"])
def test_case_and_punctuation_do_not_make_a_word_another(kind: str) -> None:
    assert two([word(9.8, 10.1, "Hear,")], [word(9.9, 10.2, "hear")], kind=kind).lower().strip(",") == "hear"


def test_a_word_that_one_side_misheard_comes_from_one_side_only() -> None:
    left = [word(9, 9.4, "in"), word(9.8, 10.1, "colour"), word(10.4, 10.8, "now")]
    right = [word(9, 9.4, "in"), word(9.9, 10.2, "collar"), word(10.4, 10.8, "now")]
    assert two(left, right) in ("in colour now", "in collar now")


def test_words_that_repeat_stay_repeated() -> None:
    spoken = [word(8.6 + 0.3 * n, 8.8 + 0.3 * n, "no") for n in range(10)]
    assert two(spoken, spoken).split() == ["no"] * 10


def test_different_words_that_touch_in_a_pause_both_stay() -> None:
    # Both were stretched into the pause and now claim the same time.
    left = [word(9, 9.5, "the"), word(9.7, 10.25, "end.")]
    right = [word(9.75, 10.4, "So"), word(10.5, 11, "then")]
    assert two(left, right, reach=0.3, kind="pause") == "the end. So then"


def test_a_word_only_one_side_has_at_the_seam_is_rescued() -> None:
    chunks = make_chunks([to_samples(10)], to_samples(20), to_samples(3))
    left = heard(chunks[0], [word(9, 9.4, "only"), word(10.05, 10.3, "left")])
    right = heard(chunks[1], [word(9, 9.4, "only"), word(11, 11.4, "next")])
    stitched = stitch([(chunks[0], left), (chunks[1], right)])
    assert [one.text.strip() for one in stitched.words] == ["only", "left", "next"]
    assert stitched.seams[0].rescued == ["left"]


def test_a_word_of_the_neighbour_far_from_the_seam_is_dropped() -> None:
    chunks = make_chunks([to_samples(10)], to_samples(20), to_samples(3))
    left = heard(chunks[0], [word(9, 9.4, "only"), word(12, 12.6, "invented")])
    right = heard(chunks[1], [word(9, 9.4, "only"), word(11, 11.4, "next")])
    stitched = stitch([(chunks[0], left), (chunks[1], right)])
    assert [one.text.strip() for one in stitched.words] == ["only", "next"]
    assert stitched.seams[0].dropped == ["invented"]


def test_where_both_agree_the_cut_falls_into_the_widest_gap() -> None:
    spoken = [word(9.0, 9.4, "one"), word(9.45, 9.95, "two"), word(10, 10.4, "three"), word(10.8, 11.2, "four")]
    chunks = make_chunks([to_samples(10)], to_samples(20), to_samples(3))
    stitched = stitch([(chunk, heard(chunk, spoken)) for chunk in chunks])
    assert [(placed.chunk, placed.segment.text) for placed in stitched.segments] == [
        ("talk.0000", "one two three"),
        ("talk.0001", "four"),
    ]
    seam = stitched.seams[0]
    assert (seam.before, seam.after, seam.agreement) == ("one two three", "four", 1.0)
    assert seam.left == seam.right == "one two three four"


def test_where_they_disagree_each_side_comes_from_its_owner() -> None:
    left = [word(9.0, 9.4, "their"), word(9.5, 9.8, "house"), word(10.3, 10.8, "mist")]
    right = [word(9.0, 9.4, "there"), word(9.5, 9.8, "house"), word(10.3, 10.8, "missed")]
    assert two(left, right) == "their house missed"


def test_a_segment_keeps_its_figures_and_its_text_is_its_words() -> None:
    chunks = make_chunks([to_samples(10)], to_samples(20), 0, "pause")
    result = heard(chunks[1], [word(11, 11.4, "hello"), word(11.5, 12, "there.")])
    placed = stitch([(chunks[0], empty_result(chunks[0].end, "en")), (chunks[1], result)]).segments[0]
    assert placed.segment.text == "hello there."
    assert (placed.segment.start, placed.segment.end) == (to_samples(11), to_samples(12))
    assert placed.segment.avg_logprob == -0.2


def test_a_segment_without_word_times_keeps_its_text() -> None:
    (chunk,) = make_chunks([], to_samples(20), 0)
    bare = replace(segment([word(2, 6, "x")]), text="no times here", words=[])
    stitched = stitch([(chunk, ChunkResult(to_samples(20), "en", 0.9, [], [], [bare]))])
    assert stitched.segments[0].segment.text == "no times here"
    assert stitched.words[0].start == to_samples(2)
    assert stitched.words[-1].end == to_samples(6)


def test_a_missing_chunk_leaves_a_gap_and_its_neighbours_stay_outside() -> None:
    chunks = make_chunks([to_samples(10), to_samples(20)], to_samples(30), to_samples(3))
    left = heard(chunks[0], [word(9, 9.5, "before"), word(9.8, 10.4, "across"), word(11, 11.5, "inside")])
    right = heard(chunks[2], [word(18, 18.5, "inside"), word(19.9, 20.3, "across"), word(21, 21.5, "after")])
    stitched = stitch([(chunks[0], left), (chunks[1], None), (chunks[2], right)], {"talk.0001": "out of memory"})
    check_track(stitched, to_samples(30))
    assert [one.text.strip() for one in stitched.words] == ["before", "across", "across", "after"]
    assert stitched.gaps == [Gap(to_samples(10), to_samples(20), "talk.0001", "out of memory")]
    assert stitched.seams == []


def test_empty_chunks_need_no_result_and_make_no_seam() -> None:
    chunks = make_chunks([to_samples(10)], to_samples(10), 0, "pause")
    assert chunks[1].is_empty
    stitched = stitch([(chunks[0], heard(chunks[0], [word(1, 2, "hi")])), (chunks[1], None)])
    check_track(stitched, to_samples(10))
    assert stitched.gaps == []
    assert stitched.seams == []
    assert stitch([(chunks[1], None)]).segments == []


def test_times_never_go_back_nor_overlap() -> None:
    (chunk,) = make_chunks([], to_samples(10), 0)
    tangled = [word(1, 5, "long"), word(2, 3, "in"), word(2.5, 2.5, "it"), word(9, 12, "late")]
    stitched = stitch([(chunk, heard(chunk, tangled))])
    check_track(stitched, to_samples(10))
    assert [one.text for one in stitched.words] == [" long", " in", " it", " late"]


def test_check_names_what_is_wrong() -> None:
    chunks = make_chunks([to_samples(10)], to_samples(20), 0, "pause")
    whole = stitch([(chunk, heard(chunk, [word(1 + 10 * n, 2 + 10 * n, "hi")])) for n, chunk in enumerate(chunks)])
    check_track(whole, to_samples(20))
    with pytest.raises(StitchError, match="the audio at"):
        check_track(whole, to_samples(21))
    with pytest.raises(StitchError, match="belongs to no chunk"):
        check_track(replace(whole, spans=whole.spans[1:]), to_samples(20))
    with pytest.raises(StitchError, match="belongs to two chunks"):
        check_track(replace(whole, spans=[whole.spans[0], ("x", 0, to_samples(20))]), to_samples(20))
    with pytest.raises(StitchError, match="out of order"):
        check_track(replace(whole, segments=whole.segments[::-1]), to_samples(20))
    with pytest.raises(StitchError, match="lies in the gap"):
        check_track(replace(whole, gaps=[Gap(0, to_samples(10), "talk.0000", "lost")]), to_samples(20))


def test_token_and_alignment() -> None:
    assert comparison_form(" Straße,") == comparison_form("STRASSE")
    assert comparison_form(" “42%”") == "42"
    steps = align_words([word(1, 1.2, "a"), word(2, 2.2, "b")], [word(2, 2.2, "b"), word(3, 3.2, "c")], by_time=False)
    assert [(step.left, step.right, step.same) for step in steps] == [(0, None, False), (1, 0, True), (None, 1, False)]
    assert join_overlap([], [], 0, True).agreement == 1.0


# Properties. Speech is a list of words; a chunk reads those it hears, each at a slightly wrong time.


@st.composite
def speech(draw: st.DrawFn, shortest: int = 1600) -> tuple[list[Word], int]:
    count = draw(st.integers(0, 60))
    words, now = [], 0
    for number in range(count):
        now += draw(st.integers(0, 8_000))
        length = draw(st.integers(shortest, 10_000))
        words.append(Word(now, now + length, f" w{number}", 0.9))
        now += length
    return words, now + draw(st.integers(1, 16_000))


def reads(chunk: Chunk, words: list[Word], draw: st.DrawFn, jitter: int) -> ChunkResult:
    """What a decoder makes of the words of which it hears the larger part."""
    noisy = []
    for one in words:
        inside = min(one.end, chunk.context_end) - max(one.start, chunk.context_start)
        if 2 * inside > one.end - one.start:
            shift = draw(st.integers(-jitter, jitter)) if jitter else 0
            start = min(max(one.start + shift, chunk.context_start), chunk.context_end)
            end = min(max(one.end + shift, start), chunk.context_end)
            noisy.append(replace(one, start=start, end=end))
    return heard(chunk, noisy)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_exactly_once_for_any_cuts_and_jittered_times(data: st.DataObject) -> None:
    words, samples = data.draw(speech())
    cuts = data.draw(st.lists(st.integers(1, max(1, samples - 1)), max_size=4, unique=True).map(sorted))
    cuts = [cut for cut in cuts if cut < samples]
    # Chunks are far longer than their overlap.
    cuts = [cut for index, cut in enumerate(cuts) if index == 0 or cut - cuts[index - 1] > 8 * SAMPLE_RATE]
    reach = data.draw(st.integers(SAMPLE_RATE, 4 * SAMPLE_RATE))
    chunks = make_chunks(cuts, samples, reach)
    stitched = stitch([(chunk, reads(chunk, words, data.draw, 3_500)) for chunk in chunks])
    check_track(stitched, samples)
    assert [one.text for one in stitched.words] == [one.text for one in words]


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_exactly_once_for_any_overlap_when_times_are_right(data: st.DataObject) -> None:
    words, samples = data.draw(speech())
    cuts = sorted(data.draw(st.sets(st.integers(1, max(1, samples - 1)), max_size=5)))
    cuts = [cut for cut in cuts if cut < samples]
    chunks = make_chunks(cuts, samples, data.draw(st.integers(0, 4 * SAMPLE_RATE)))
    stitched = stitch([(chunk, reads(chunk, words, data.draw, 0)) for chunk in chunks])
    check_track(stitched, samples)
    said = [one.text for one in stitched.words]
    # A word whose halves fall to chunks without overlap is heard by neither; none is ever doubled.
    heard_by = [
        one.text
        for one in words
        if any(
            2 * (min(one.end, chunk.context_end) - max(one.start, chunk.context_start)) > one.end - one.start
            for chunk in chunks
        )
    ]
    assert said == heard_by


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_exactly_once_for_repeated_words(data: st.DataObject) -> None:
    """Words from a vocabulary of two; jitter up to a quarter of the way to the next word."""
    count = data.draw(st.integers(0, 80))
    step = data.draw(st.integers(4_000, 9_000))
    words = [
        Word(step * n, step * n + step // 2, f" {data.draw(st.sampled_from(['no', 'the']))}", 0.9) for n in range(count)
    ]
    samples = step * count + 1
    cuts = [cut for cut in [data.draw(st.integers(1, samples))] if cut < samples]
    chunks = make_chunks(cuts, samples, data.draw(st.integers(SAMPLE_RATE, 4 * SAMPLE_RATE)))
    stitched = stitch([(chunk, reads(chunk, words, data.draw, step // 8)) for chunk in chunks])
    check_track(stitched, samples)
    assert [one.text for one in stitched.words] == [one.text for one in words]


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_exactly_once_at_pauses_with_jitter_below_the_margin(data: st.DataObject) -> None:
    before, first = data.draw(speech(800))
    after, second = data.draw(speech(800))
    margin = data.draw(st.integers(800, 8_000))
    seam = first + margin
    words = [*before, *(Word(one.start + seam + margin, one.end + seam + margin, one.text, 0.9) for one in after)]
    chunks = make_chunks([seam], seam + margin + second, margin, "pause")
    stitched = stitch([(chunk, reads(chunk, words, data.draw, margin - 1)) for chunk in chunks])
    check_track(stitched, seam + margin + second)
    assert [one.text for one in stitched.words] == [one.text for one in words]


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_whatever_both_sides_read_the_result_is_in_order(data: st.DataObject) -> None:
    samples = 40 * SAMPLE_RATE
    chunks = make_chunks(sorted(data.draw(st.sets(st.integers(1, samples - 1), max_size=4))), samples, 3 * SAMPLE_RATE)
    pieces = []
    for chunk in chunks:
        length = chunk.context_end - chunk.context_start
        spans = data.draw(st.lists(st.tuples(st.integers(-9, length + 9), st.integers(-9, length + 9)), max_size=12))
        words = [Word(start, end, f" {data.draw(st.sampled_from('abc'))}", 0.5) for start, end in spans]
        result = ChunkResult(length, "en", 0.9, [], [], [segment(words)] if words else [])
        pieces.append((chunk, data.draw(st.sampled_from([result, result, None]))))
    check_track(stitch(pieces), samples)
