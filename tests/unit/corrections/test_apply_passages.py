"""Corrected words in a transcript that another run made: found by time and content, never forced, never lost."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from importlib import resources
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from audiogrid.corrections.apply_passages import _without_contradictions, apply_passages, split_words
from audiogrid.corrections.combining import combined_passages
from audiogrid.corrections.corrected_document import correct_words
from audiogrid.corrections.corrections_file import Corrections
from audiogrid.corrections.entries import ParagraphStart, Passage
from audiogrid.export.formats import FORMATS, render_all
from audiogrid.export.paragraphs import make_paragraphs
from counting import count_steps

HASH = "ab" * 32
HOSTILE = '<script>alert("x")</script>&amp;'
QUALITY = "words speech_seconds silence_share windows flagged_windows redecoded_windows kept_careful".split()


def document(*texts: str, step: float = 0.4, shift: float = 0.0, recording: str = "talk") -> dict[str, Any]:
    """A segment per text, words of ``step`` seconds one after another, half a second between segments."""
    at, segments = shift, []
    for number, text in enumerate(texts):
        words = []
        for token in text.split():
            words.append(
                {"start": round(at, 3), "end": round(at + 0.9 * step, 3), "word": f" {token}", "probability": 0.6}
            )
            at += step
        segments.append(
            {
                "id": number,
                "start": words[0]["start"],
                "end": words[-1]["end"],
                "text": text,
                "language": "en",
                "avg_logprob": -0.1,
                "compression_ratio": 1.0,
                "no_speech_prob": 0.0,
                "temperature": 0.0,
                "chunk": f"{recording}.0000",
                "words": words,
            }
        )
        at += 0.5
    return {
        "schema": 1,
        "recording": recording,
        "path": "in/talk.wav",
        "duration": 60.0,
        "channels_mode": "mix",
        "language": "en",
        "language_probability": 1.0,
        "complete": True,
        "notes": [],
        "segments": segments,
        "gaps": [],
        "seams": [],
        "quality": dict.fromkeys([*QUALITY, "temperature_above_zero", "mean_probability", "low_confidence_share"], 0),
        "windows": [],
        "provenance": {"audio": HASH, "chunks": [{"chunk": f"{recording}.0000", "key": "", "start": 0, "end": 60}]},
    }


def text(value: dict[str, Any]) -> str:
    return " ".join(segment["text"] for segment in value["segments"])


def corrected(value: dict[str, Any], was: str, wanted: str, **more: Any) -> Passage:
    """The correction of the first place where these words stand."""
    words = [word for segment in value["segments"] for word in segment["words"]]
    tokens = [word["word"].strip() for word in words]
    length = len(was.split())
    first = next(n for n in range(len(words)) if tokens[n : n + length] == was.split())
    around = {"before": " ".join(tokens[max(0, first - 4) : first]), "after": " ".join(tokens[first + length :][:4])}
    return Passage(words[first]["start"], words[first + length - 1]["end"], was, wanted, **{**around, **more})


FIRST = document("Yesterday I met missus covalska in the city", "and she said hello to me")
NAME = corrected(FIRST, "missus covalska", "Mrs Kowalska", when="2026-05-01T12:00:00Z", by="ab")


def test_words_keep_their_audio_and_say_that_a_person_wrote_them() -> None:
    found = apply_passages(FIRST, [NAME])
    assert text(found.document) == "Yesterday I met Mrs Kowalska in the city and she said hello to me"
    words = found.document["segments"][0]["words"]
    assert [(word["word"], word["start"], word["end"]) for word in words[3:5]] == [
        (" Mrs", 1.2, 1.56),
        (" Kowalska", 1.6, 1.96),
    ]
    assert [word.get("confirmed") for word in words] == [None, None, None, True, True, None, None, None]
    assert words[3]["probability"] == 0.6
    assert found.unfit == []
    assert text(FIRST).startswith("Yesterday I met missus")
    # Applied to its own result it changes nothing.
    assert apply_passages(found.document, [NAME]).document == found.document


@pytest.mark.parametrize(
    ("again", "wanted"),
    [
        # Another reading, with the same number of words and with another; a little earlier and later.
        (document("Yesterday I met misses koval scar in the city", "and she said hello", step=0.37), "Mrs Kowalska in"),
        (document("Yesterday I met Mrs. Kowalska in the city", shift=0.2), "met Mrs Kowalska in"),
        (document("Yesterday I met covalska in the city", shift=0.3), "met Mrs Kowalska in"),
        (document("I met missus covalska in", shift=0.5), "met Mrs Kowalska in"),
        (document("Yesterday I met missus covalska", "in the city and she", step=0.42), "met Mrs Kowalska in"),
    ],
)
def test_another_run_reads_or_cuts_differently(again: dict[str, Any], wanted: str) -> None:
    found = apply_passages(again, [NAME])
    assert found.unfit == []
    assert wanted in text(found.document)
    assert text(found.document).count("Kowalska") == 1
    assert "oval" not in text(found.document).replace("Kowalska", "")


def test_a_short_word_that_another_run_times_later_by_more_than_its_length_is_known_by_its_neighbours() -> None:
    value = document("The baker's sun sold twelve baskets of apples")
    wanted = corrected(value, "sun", "Zoe")
    later = document("The baker's son sold twelve baskets of apples", shift=0.4)
    assert text(apply_passages(later, [wanted]).document) == "The baker's Zoe sold twelve baskets of apples"
    # With other words on one side nothing tells that it is the same one.
    other = document("My uncle son sold twelve baskets of apples", shift=0.4)
    assert text(apply_passages(other, [wanted]).document) == text(other)


@pytest.mark.parametrize(
    "again",
    [
        # Nothing was heard there; something else was; the words stand elsewhere.
        document("Yesterday I met", "and she said hello", shift=20),
        document("the weather is quite nice in all of these places today"),
        document("Yesterday I met missus covalska in the city", shift=6.0),
    ],
)
def test_what_does_not_fit_is_told_and_not_forced(again: dict[str, Any]) -> None:
    found = apply_passages(again, [NAME])
    assert text(found.document) == text(again)
    (sentence,) = found.sentences
    assert "'missus covalska' to 'Mrs Kowalska'" in sentence
    assert found.applied == []


def test_of_words_that_repeat_the_one_at_this_time_is_meant() -> None:
    value = document("no no no no no no no no")
    wanted = Passage(1.2, 1.56, "no", "know", "no no no", "no no no no")
    for again in (value, document("no no no no no no no no", shift=0.1)):
        assert text(apply_passages(again, [wanted]).document) == "no no no know no no no no"
    # Right between two of them nobody can tell.
    between = apply_passages(document("no no no no no no no no", shift=0.2), [wanted])
    assert len(between.unfit) == 1
    assert "two places" in between.sentences[0]


def test_a_passage_is_deleted_confirmed_and_added() -> None:
    value = document("Thanks for watching", "so we begin", shift=1.0)
    part = apply_passages(value, [corrected(value, "for", "")])
    assert text(part.document) == "Thanks watching so we begin"
    gone = corrected(value, "Thanks for watching", "")
    right = corrected(value, "begin", "begin")
    new = Passage(10.0, 12.0, "", "Good bye.")
    found = apply_passages(value, [gone, right, new])
    assert text(found.document) == "so we begin Good bye."
    assert found.unfit == []
    assert [word.get("confirmed") for word in found.document["segments"][0]["words"]] == [None, None, True]
    # A run that hears nothing there needs no deletion, and one that hears the words needs no addition.
    again = apply_passages(document("so we begin", "good bye", shift=2.7), [gone, replace(new, start=4.4, end=5.2)])
    assert text(again.document) == "so we begin Good bye."
    assert again.unfit == []
    # A word that is added where others stand is not forced between them.
    assert len(apply_passages(document("some other words", shift=10), [new]).unfit) == 1


def test_corrections_go_on_from_each_other() -> None:
    first = replace(NAME, when="2026-05-01T12:00:00Z")
    second = Passage(1.6, 1.96, "Kowalska", "Kowalski", "met Mrs", "in the", when="2026-05-02T12:00:00Z")
    assert "Mrs Kowalski in" in text(apply_passages(FIRST, [second, first]).document)


def test_two_people_contradict_each_other() -> None:
    later = replace(NAME, text="Mrs Kovalsky", by="cd", when="2026-06-01T12:00:00Z")
    part = Passage(1.6, 2.36, "covalska in", "Kowalczyk in", "missus", "the city", by="ef", when="2026-07-01T00:00:00Z")
    found = apply_passages(FIRST, [later, NAME, part])
    assert "met Mrs Kovalsky in the" in text(found.document)
    assert [entry for entry, _ in found.unfit] == [NAME, part]
    assert "by cd, which is later" in found.sentences[0]
    assert "contradicts" in found.sentences[1]


def test_channels_are_corrected_apart() -> None:
    one, two = document("one two three"), document("one two three")
    for segment in two["segments"]:
        segment["chunk"] = "talk.c1.0000"
    for segment in one["segments"]:
        segment["chunk"] = "talk.c0.0000"
    both = {**one, "segments": [*one["segments"], *two["segments"]]}
    found = apply_passages(both, [corrected(one, "two", "too", channel=2)])
    assert [segment["text"] for segment in found.document["segments"]] == ["one two three", "one too three"]


def test_paragraphs_begin_where_a_person_wants_them() -> None:
    value = document("One two three four", "five six seven eight")
    at = value["segments"][0]["words"][2]["start"]
    again = document("One two three four", "five six seven eight", shift=0.2)
    found = apply_passages(
        again, [], [ParagraphStart(at, "three", begins=True), ParagraphStart(40.0, "x", begins=True)]
    )
    assert [one.text for one in make_paragraphs(found.document)] == ["One two", "three four five six seven eight"]
    assert "x" in found.sentences[0]
    pause = document("One two", "three four")
    for word in pause["segments"][1]["words"]:
        word["start"], word["end"] = word["start"] + 9, word["end"] + 9
    assert len(make_paragraphs(pause)) == 2
    start = ParagraphStart(pause["segments"][1]["words"][0]["start"], "three", begins=False)
    assert len(make_paragraphs(apply_passages(pause, [], [start]).document)) == 1


def test_html_in_a_correction_breaks_no_format() -> None:
    given = Corrections("talk", HASH, passages=(replace(NAME, text=HOSTILE),))
    found, unfit = correct_words(FIRST, given)
    assert unfit == []
    schema = json.loads(resources.files("audiogrid.export").joinpath("transcript.schema.json").read_text())
    Draft202012Validator(schema).validate(found)
    assert found["provenance"]["corrections"] == {"applied": 1, "unapplied": 0, "confirmed_words": 1, "people": ["ab"]}
    for name, content in render_all(found, FORMATS).items():
        if name in ("html", "vtt", "ttml", "eaf", "otr", "md"):
            assert "<script>alert" not in str(content), name
        assert name == "docx" or "alert" in str(content) or name == "rttm", name


def test_what_does_not_fit_is_listed_in_the_document_whole_and_in_its_notes_briefly() -> None:
    wrong = tuple(Passage(30.0 + n, 30.5 + n, f"word{n}", "x") for n in range(6))
    found, unfit = correct_words(FIRST, Corrections("talk", HASH, passages=wrong))
    assert len(unfit) == 4
    assert "3 more" in unfit[-1]
    assert [one["was"] for one in found["unapplied"]] == [f"word{n}" for n in range(6)]
    assert correct_words(FIRST, Corrections("talk", HASH)) == (FIRST, [])


def test_words_are_split_as_their_language_writes_them() -> None:
    assert split_words("  Mrs  Kowalska ") == ["Mrs", " Kowalska"]
    assert "".join(split_words("東京に行きます。")) == "東京に行きます。"
    assert len(split_words("東京に行きます。")) == 7
    assert split_words("שלום עולם") == ["שלום", " עולם"]


def test_a_word_between_two_that_touch_gets_a_length_and_can_be_corrected_again() -> None:
    value = document("one two three")
    for word, start in zip(value["segments"][0]["words"], (0.0, 0.5, 1.0), strict=True):
        word["start"], word["end"] = start, start + 0.5
    for was, wanted in (("one two", "one and two"), ("one", "so one"), ("three", "three four five")):
        found = apply_passages(value, [corrected(value, was, wanted)]).document["segments"][0]["words"]
        assert all(word["end"] > word["start"] for word in found)
        assert [word["start"] for word in found] == sorted(word["start"] for word in found)
    # Also where a file says so by hand.
    entry = Passage.from_json({"at": [1.0, 1.0], "was": "", "text": "x"})
    assert (entry.start, entry.end) == (1.0, 1.001)
    with pytest.raises(ValueError, match="at must be"):
        Passage.from_json({"at": [2.0, 1.0], "was": "", "text": "x"})


def test_nothing_is_put_behind_the_end_or_into_a_channel_that_is_none() -> None:
    value = document("one two three")
    for passage in (Passage(1e6, 1e6 + 1, "", "x"), Passage(60.0, 61.0, "", "x")):
        found = apply_passages(value, [passage])
        assert "ends before it" in found.sentences[0]
        assert text(found.document) == "one two three"
    inside = apply_passages(value, [Passage(59.0, 70.0, "", "x")]).document["segments"][-1]
    assert inside["end"] == 60.0
    value["provenance"]["chunks"][0]["chunk"] = value["segments"][0]["chunk"] = "talk.c0.0000"
    for channel in (0, 7):
        found = apply_passages(value, [Passage(10.0, 11.0, "", "x", channel=channel)])
        assert len(found.unfit) == 1
        assert text(found.document) == "one two three"


def test_channels_may_be_apart_in_one_run_and_together_in_another() -> None:
    together, apart = document("one two three"), document("one two three")
    for part in (apart["segments"][0], apart["provenance"]["chunks"][0]):
        part["chunk"] = "talk.c1.0000"
    assert text(apply_passages(together, [corrected(together, "two", "too", channel=2)]).document) == "one too three"
    assert text(apply_passages(apart, [corrected(apart, "two", "too")]).document) == "one too three"


def test_words_added_to_a_language_without_spaces_have_none() -> None:
    value = document("今日は")
    found = apply_passages(value, [Passage(10.0, 11.0, "", "京都")]).document
    assert found["segments"][-1]["words"][0]["word"] == "京"


def test_thousands_of_confirmed_words_are_compared_by_their_place() -> None:
    many = [Passage(n / 2, n / 2 + 0.4, "a", "a", when="1", by="x") for n in range(2000)]

    def combine(passages: list[Passage]) -> None:
        assert len(combined_passages(passages, passages)) == len(passages)

    def select(passages: list[Passage]) -> None:
        kept, _ = _without_contradictions([*passages, replace(passages[0], text="b", when="2")])
        assert len(kept) == len(passages)

    for act in (combine, select):
        assert count_steps(partial(act, many)) < 11 * count_steps(partial(act, many[:200]))


def test_who_confirms_words_contradicts_who_changes_them() -> None:
    right = replace(NAME, text=NAME.was)
    other = replace(NAME, when="2026-06-01T12:00:00Z", by="cd")
    both = combined_passages([right], [other])
    assert both == (right, other)
    assert "contradicts 'Mrs Kowalska' by cd" in apply_passages(FIRST, both).sentences[0]
    # One and the same person has thought better of it.
    assert len(combined_passages([right], [replace(other, by="ab")])) == 1


words = st.text(st.sampled_from("ab東 \u0301'.ש<&"), min_size=0, max_size=12).map(lambda one: " ".join(one.split()))


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 6), words, words), max_size=6))
def test_whatever_is_corrected_times_stay_in_order(entries: list[tuple[int, int, str, str]]) -> None:
    passages = [
        Passage(start * 0.4, start * 0.4 + length * 0.4, was, wanted, when=str(number))
        for number, (start, length, was, wanted) in enumerate(entries)
        if was or wanted
    ]
    value = document("a b a b ab ba", "b a b", "aa bb a 東京")
    found = apply_passages(value, passages)
    different = {(one.start, one.end, one.was, one.text) for one in passages}
    assert {
        (one.start, one.end, one.was, one.text) for one in (*found.applied, *(one for one, _ in found.unfit))
    } == different
    for segment in found.document["segments"]:
        times = [time for word in segment["words"] for time in (word["start"], word["end"])]
        assert times == sorted(times)
        assert segment["words"]
        assert segment["start"] <= times[0] <= times[-1] <= segment["end"]
