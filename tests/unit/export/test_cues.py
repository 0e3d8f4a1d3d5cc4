"""Subtitle rules: limits that hold for any text, and cuts where a reader expects them."""

from __future__ import annotations

import itertools
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audiogrid.export.cues import Cue, CueOptions, gap_text, make_cues
from audiogrid.export.line_breaking import has_content, width

SENTENCES = (
    "We came to the harbour before the sun was up, and nobody was there. "
    "The boats lay still. Dr. Green said that the tide would turn at six, so we sat down on the wall and waited for it."
)


def spoken(text: str, start: float = 0.0, seconds: float = 0.35, pause: float = 0.05) -> list[dict[str, Any]]:
    words = []
    for word in text.split():
        words.append(
            {"start": round(start, 3), "end": round(start + seconds, 3), "word": f" {word}", "probability": 0.9}
        )
        start += seconds + pause
    return words


def segment(words: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    text = " ".join("".join(word["word"] for word in words).split())
    return {"start": words[0]["start"], "end": words[-1]["end"], "text": text, "words": words, **more}


def document(*segments: dict[str, Any], gaps: list[dict[str, Any]] | None = None, **more: Any) -> dict[str, Any]:
    ends = [entry["end"] for entry in [*segments, *(gaps or [])]]
    return {
        "channels_mode": "mix",
        "duration": max(ends, default=0.0) + 5,
        "segments": list(segments),
        "gaps": gaps or [],
        **more,
    }


def texts(cues: list[Cue]) -> list[str]:
    return [" ".join(cue.lines) for cue in cues]


def assert_rules(cues: list[Cue], options: CueOptions) -> None:
    for cue in cues:
        assert 1 <= len(cue.lines) <= options.max_lines
        for number, line in enumerate(cue.lines):
            name = 0 if cue.speaker is None or number else len(cue.speaker) + 2
            assert line.strip() == line != ""
            assert width(line) + name <= options.max_line_chars
        assert cue.end > cue.start >= 0
        assert cue.gap or cue.end - cue.start <= options.max_seconds * 1000
        assert any(map(has_content, cue.lines))
    for before, after in itertools.pairwise(cues):
        assert before.end + round(1000 * options.gap_seconds) <= after.start


def test_cues_end_where_sentences_and_clauses_end() -> None:
    cues = make_cues(document(segment(spoken(SENTENCES))))
    assert_rules(cues, CueOptions())
    assert texts(cues) == [
        "We came to the harbour before the sun was up, and nobody was there.",
        "The boats lay still.",
        "Dr. Green said that the tide would turn at six,",
        "so we sat down on the wall and waited for it.",
    ]


def test_lines_are_balanced_and_leave_no_orphan() -> None:
    (cue,) = make_cues(document(segment(spoken("It was the kind of a morning nobody forgets so soon", seconds=0.2))))
    assert len(cue.lines) == 2
    assert abs(len(cue.lines[0]) - len(cue.lines[1])) <= 8
    (cue,) = make_cues(document(segment(spoken("Forty-one columns fit on one single line."))))
    assert cue.lines == ["Forty-one columns fit on one single line."]


def test_parts_of_a_long_sentence_are_of_like_length() -> None:
    cues = make_cues(document(segment(spoken(" ".join(["word"] * 24), seconds=0.2))))
    lengths = [len(text) for text in texts(cues)]
    assert len(cues) == 2
    assert max(lengths) - min(lengths) <= 5


def test_short_sentences_share_a_cue_rather_than_flash_by() -> None:
    cues = make_cues(document(segment(spoken("Yes. No. Yes. I do.", seconds=0.2))))
    assert texts(cues) == ["Yes. No. Yes. I do."]


def test_a_cue_is_shown_for_a_second_where_speech_allows() -> None:
    cues = make_cues(document(segment(spoken("Stop.", 1.0)), segment(spoken("Go on then, quickly.", 1.6, seconds=0.3))))
    (single,) = make_cues(document(segment(spoken("Stop.", 1.0))))
    assert (single.start, single.end) == (1000, 2000)
    assert_rules(cues, CueOptions())
    assert texts(cues) in (["Stop. Go on then, quickly."], ["Stop.", "Go on then, quickly."])


def test_reading_speed_is_eased_by_the_pause_after_a_cue() -> None:
    (cue,) = make_cues(document(segment(spoken("Exceptionally incomprehensible characterisations", seconds=0.2))))
    assert cue.end - cue.start == pytest.approx(1000 * len(" ".join(cue.lines)) / 20, abs=60)


def test_nothing_is_shown_after_the_end_of_the_recording() -> None:
    (cue,) = make_cues(document(segment(spoken("End.", 1.0)), duration=1.5))
    assert (cue.start, cue.end) == (1000, 1500)


def test_a_long_pause_begins_a_new_cue() -> None:
    words = [*spoken("one two", 0), *spoken("three four", 4)]
    assert texts(make_cues(document(segment(words)))) == ["one two", "three four"]


def test_a_word_longer_than_a_cue_is_broken_and_kept_whole() -> None:
    long = "x" * 200
    cues = make_cues(document(segment(spoken(f"so {long} there", seconds=4))))
    assert_rules(cues, CueOptions())
    assert "".join(line for cue in cues for line in cue.lines).replace(" ", "") == f"so{long}there"


def test_scripts_without_spaces_are_laid_out_by_character() -> None:
    text = "今天天气很好，我们一起去公园散步。那里有很多人在唱歌跳舞，孩子们在草地上奔跑。" * 2
    words = [{"start": 0.2 * n, "end": 0.2 * n + 0.2, "word": char, "probability": 1.0} for n, char in enumerate(text)]
    cues = make_cues(document(segment(words)))
    assert_rules(cues, CueOptions())
    assert "".join(line for cue in cues for line in cue.lines) == text
    assert texts(cues)[0].endswith(("，", "。"))


def test_right_to_left_text_stays_in_logical_order() -> None:
    text = "ذهبنا إلى الميناء قبل شروق الشمس، ولم يكن هناك أحد على الإطلاق في ذلك الوقت."
    cues = make_cues(document(segment(spoken(text))))
    assert_rules(cues, CueOptions())
    assert " ".join(texts(cues)) == text


def test_a_gap_is_a_cue_of_its_own() -> None:
    gap = {"start": 720.0, "end": 1020.0, "chunk": "a.0002", "reason": "out of memory"}
    before, after = segment(spoken("Just before", 718.0)), segment(spoken("and after.", 1020.0))
    cues = make_cues(document(before, after, gaps=[gap]))
    assert texts(cues) == ["Just before", "[not transcribed 0:12:00-0:17:00: out of memory]", "and after."]
    assert [(cue.start, cue.end) for cue in cues if cue.gap] == [(720_000, 1_019_920)]
    assert gap_text(gap) == texts(cues)[1]


def test_a_long_reason_is_cut_short_inside_the_limits() -> None:
    gap = {"start": 0.0, "end": 300.0, "chunk": "a.0000", "reason": "because " * 40}
    (cue,) = make_cues(document(gaps=[gap]))
    assert_rules([cue], CueOptions())
    assert cue.lines[-1].endswith("…")


def test_two_speakers_never_share_a_cue_nor_overlap() -> None:
    first = segment(spoken("I was going to say that it rained all week.", 0.0), speaker="Channel 1")
    second = segment(spoken("Did it really rain?", 0.5), speaker="Channel 2")
    third = segment(spoken("Yes.", 4.6), speaker="Channel 1")
    cues = make_cues(document(first, second, third, channels_mode="split"))
    assert_rules(cues, CueOptions())
    assert [cue.speaker for cue in cues] == ["Channel 1", "Channel 2", "Channel 1"]
    assert all(abs(cue.start - start) <= 1000 for cue, start in zip(cues, [0, 500, 4600], strict=True))


def test_no_speech_gives_no_cues() -> None:
    assert make_cues(document()) == []


def test_punctuation_between_distant_words_is_not_left_out() -> None:
    words = [
        {"start": 0.0, "end": 0.0, "word": "?", "probability": 0.5},
        {"start": 0.502, "end": 3.002, "word": "?", "probability": 0.5},
        {"start": 4.501, "end": 7.001, "word": "a", "probability": 0.5},
    ]
    (cue,) = make_cues(document(segment(words)), CueOptions(max_line_chars=10, max_lines=2))
    assert (cue.lines, cue.start) == (["??a"], 4501)


WORDS = st.text(st.sampled_from("aé,.?今’ -"), min_size=0, max_size=60)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(WORDS, st.integers(0, 3000), st.integers(0, 2500), st.booleans()), max_size=40),
    st.integers(10, 50),
    st.integers(1, 4),
    st.sampled_from([None, "Channel 1"]),
)
def test_the_rules_hold_and_no_character_is_lost(
    drawn: list[tuple[str, int, int, bool]], columns: int, lines: int, speaker: str | None
) -> None:
    now, words = 0, []
    for text, pause, length, space in drawn:
        now += pause
        said = f" {text}" if space else text
        words.append({"start": now / 1000, "end": (now + length) / 1000, "word": said, "probability": 0.5})
        now += length
    words = [word for word in words if word["word"].strip()]
    options = CueOptions(max_line_chars=columns, max_lines=lines)
    more = {} if speaker is None else {"speaker": speaker}
    cues = make_cues(document(*([segment(words, **more)] if words else [])), options)
    limits = CueOptions(
        max_line_chars=max(columns, columns - columns // 2 + 11) if speaker else columns, max_lines=lines
    )
    assert_rules(cues, limits)
    told = "".join(line for cue in cues for line in cue.lines).replace(" ", "")
    said = "".join(word["word"] for word in words).replace(" ", "")
    # A run of punctuation that fills a cue is left out, everything else is there.
    assert [char for char in told if has_content(char)] == [char for char in said if has_content(char)]
    if lines > 1 and has_content(said) and not re.search(r"[^\w\s]{5}", said):
        assert told == said


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 20_000), st.integers(1, 12), st.integers(1, 3)), max_size=25))
def test_channels_that_speak_at_once_give_cues_in_order(turns: list[tuple[int, int, int]]) -> None:
    segments = [
        segment(spoken("word " * count, start / 1000, seconds=0.2), speaker=f"Channel {channel}")
        for start, count, channel in sorted(turns)
    ]
    cues = make_cues(document(*segments, channels_mode="split"))
    assert_rules(cues, CueOptions())
    assert sum(len(" ".join(cue.lines).split()) for cue in cues) == sum(count for _, count, _ in turns)
