"""The document of a recording: its schema, its figures, and the order of its speakers."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib import resources
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from audiogrid.core.text import clean_text, comparison_form, join_words
from audiogrid.core.timebase import SAMPLE_RATE, to_samples
from audiogrid.export.provenance import model_names
from audiogrid.merging.document import build_document, main_language, quality, speaker_name
from audiogrid.merging.stitch import stitch
from audiogrid.merging.track_text import TrackText
from audiogrid.records.chunks import Chunk, Seam, SeamKind, chunk_id
from audiogrid.records.results import ChunkResult, HypothesisRecord, Segment, Window, Word

PUBLISHED = json.loads((resources.files("audiogrid.export") / "transcript.schema.json").read_text())


def strict(rule: Any) -> Any:
    """The schema for writers: readers ignore unknown fields, but whatever is written must be described."""
    if isinstance(rule, list):
        return [strict(one) for one in rule]
    if not isinstance(rule, dict):
        return rule
    made = {key: strict(value) for key, value in rule.items()}
    # The versions in the provenance are open.
    closed = (
        isinstance(made.get("properties"), dict)
        and made.get("description") != PUBLISHED["properties"]["provenance"]["description"]
    )
    return {"additionalProperties": False, **made} if closed else made


SCHEMA = strict(PUBLISHED)
FACTS = {"recording": "talk", "path": "in/talk one.mp3", "channels_mode": "mix", "duration": 20 * SAMPLE_RATE}
PROVENANCE = {"audiogrid": "0.1.0", "model": {"name": "base", "hash": "d0"}, "options": {"beam_size": 5}}


def word(start: float, end: float, text: str, probability: float = 0.9) -> Word:
    return Word(to_samples(start), to_samples(end), f" {text}", probability)


def result(words: list[Word], samples: int, language: str = "en", windows: list[Window] | None = None) -> ChunkResult:
    segments = []
    if words:
        text = "".join(one.text for one in words).strip()
        segments = [Segment(words[0].start, words[-1].end, text, words, -0.21, 1.3, 0.01, 0.0, language, 0)]
    speech = [(words[0].start, words[-1].end)] if words else []
    return ChunkResult(samples, language, 0.9, speech, windows or [], segments)


def chunk(index: int, start: float, end: float, channel: int | None = None, kind: SeamKind = "pause") -> Chunk:
    first, last = to_samples(start), to_samples(end)
    return Chunk(
        chunk=chunk_id("talk", channel, index),
        recording="talk",
        channel=channel,
        index=index,
        start=first,
        end=last,
        context_start=first,
        context_end=last,
        left=Seam(kind, first, 0),
        right=Seam(kind, last, 0),
        pcm_sha256="0" * 64,
    )


def track(*pieces: tuple[Chunk, ChunkResult | None], channel: int | None = None) -> TrackText:
    stitched = stitch(list(pieces), {"talk.0001": "out\nof memory"})
    keyed = [(piece, f"key{piece.index}" if found else None, found) for piece, found in pieces]
    return TrackText(channel, stitched, keyed)


def document(*tracks: TrackText, **more: Any) -> dict[str, Any]:
    made = build_document({**FACTS, **more}, tracks, PROVENANCE)
    Draft202012Validator(SCHEMA).validate(made)
    return made


def test_a_whole_document() -> None:
    first = result([word(1, 1.5, "Good"), word(1.6, 2.00004, "day.", 0.4)], to_samples(10))
    made = document(track((chunk(0, 0, 10), first), (chunk(1, 10, 20), result([], to_samples(10)))))
    assert made["duration"] == 20.0
    assert made["path"] == "in/talk one.mp3"
    assert made["complete"] is True
    (segment,) = made["segments"]
    assert segment["text"] == "Good day."
    assert segment["chunk"] == "talk.0000"
    assert segment["words"][1] == {"start": 1.6, "end": 2.0, "word": " day.", "probability": 0.4}
    assert [seam["kind"] for seam in made["seams"]] == ["pause"]
    assert made["seams"][0]["before"] == "Good day."
    assert made["provenance"]["chunks"] == [
        {"chunk": "talk.0000", "key": "key0", "start": 0.0, "end": 10.0},
        {"chunk": "talk.0001", "key": "key1", "start": 10.0, "end": 20.0},
    ]
    assert made["provenance"]["model"] == {"name": "base", "hash": "d0"}


def test_channels_with_models_of_their_own_fit_the_schema() -> None:
    options = {"language": "en"}
    channels = [{"channel": n, "model": {"name": f"m{n}", "hash": "d"}, "options": options} for n in (1, 2)]
    tracks = [track((chunk(0, 0, 10, n), result([], to_samples(10))), channel=n) for n in (0, 1)]
    made = build_document({**FACTS, "channels_mode": "split"}, tracks, {"audiogrid": "0", "channels": channels})
    Draft202012Validator(SCHEMA).validate(made)
    assert model_names(made) == "m1, m2"
    made["provenance"]["channels"][0]["channel"] = 0
    assert not Draft202012Validator(SCHEMA).is_valid(made)


def test_the_same_input_gives_the_same_bytes() -> None:
    def once() -> str:
        return json.dumps(document(track((chunk(0, 0, 20), result([word(1, 2, "hi")], to_samples(20))))))

    assert once() == once()


def test_a_gap_makes_it_incomplete_and_keeps_its_reason_on_one_line() -> None:
    made = document(track((chunk(0, 0, 10), result([], to_samples(10))), (chunk(1, 10, 20), None)))
    assert made["complete"] is False
    assert made["gaps"] == [{"start": 10.0, "end": 20.0, "chunk": "talk.0001", "reason": "out of memory"}]
    assert made["provenance"]["chunks"][1]["key"] is None


def test_no_speech_at_all() -> None:
    made = document(track((chunk(0, 0, 20), result([], to_samples(20), language=""))), note="ends early")
    assert made["segments"] == []
    assert (made["language"], made["language_probability"]) == (None, 0.0)
    assert made["quality"]["silence_share"] == 1.0
    assert made["quality"]["mean_probability"] == 0.0
    assert made["notes"] == ["ends early"]
    assert document(track((chunk(0, 0, 20), result([], 320_000, language=""))), language="fr")["language"] == "fr"


def test_the_language_is_the_one_with_most_speech() -> None:
    tracks = [
        track(
            (chunk(0, 0, 10), result([word(1, 2, "ja")], to_samples(10), "de")),
            (chunk(1, 10, 20), result([word(1, 5, "yes")], to_samples(10), "en")),
        )
    ]
    assert main_language(tracks) == ("en", 0.9)


def test_quality_counts_windows_words_and_speech() -> None:
    fast = HypothesisRecord("fast", 0.2, 3, -0.9, 2.9, 0.0, ["repeats"], "no no no")
    careful = HypothesisRecord("careful", 0.8, 2, -0.3, 1.2, 0.2, [], "no\tthanks")
    windows = [
        Window(0, to_samples(4), [(0, 10)], ["repeats"], "careful", [fast, careful]),
        Window(to_samples(4), to_samples(8), [], [], "fast", [replace(fast, flags=[])]),
    ]
    words = [word(1, 2, "no", 0.3), word(2, 3, "thanks", 0.9)]
    one = track((chunk(0, 0, 20), result(words, to_samples(20), windows=windows)))
    assert quality([one]) == {
        "words": 2,
        "speech_seconds": 2.0,
        "silence_share": 0.9,
        "windows": 2,
        "flagged_windows": 1,
        "redecoded_windows": 1,
        "kept_careful": 1,
        "temperature_above_zero": 1,
        "mean_probability": 0.6,
        "low_confidence_share": 0.5,
    }
    (flagged,) = document(one)["windows"]
    assert flagged["kept"] == "careful"
    assert [reading["text"] for reading in flagged["readings"]] == ["no no no", "no thanks"]


def test_hard_seams_show_both_readings() -> None:
    first, second = chunk(0, 0, 10), chunk(1, 10, 20, kind="hard")
    first = replace(first, context_end=to_samples(13))
    second = replace(second, context_start=to_samples(7))
    left = result([word(8, 8.5, "their"), word(11, 11.5, "mist")], to_samples(13))
    right = result([word(1, 1.5, "there"), word(4, 4.5, "missed")], to_samples(13))
    (seam,) = document(track((first, left), (second, right)))["seams"]
    assert (seam["left"], seam["right"], seam["agreement"]) == ("their mist", "there missed", 0.0)


def test_channels_are_interleaved_and_a_turn_inside_a_segment_is_cut_out() -> None:
    clerk = [word(1, 2, "May"), word(2, 2.5, "I?"), word(4, 5, "Thank"), word(5, 5.5, "you.")]
    caller = [word(2.7, 3.5, "Certainly.")]
    tracks = [
        track((chunk(0, 0, 20, 0), result(clerk, to_samples(20))), channel=0),
        track((chunk(0, 0, 20, 1), result(caller, to_samples(20))), channel=1),
    ]
    made = document(*tracks, channels_mode="split")
    assert [(segment["speaker"], segment["text"]) for segment in made["segments"]] == [
        ("Channel 1", "May I?"),
        ("Channel 2", "Certainly."),
        ("Channel 1", "Thank you."),
    ]
    assert [segment["id"] for segment in made["segments"]] == [0, 1, 2]
    assert build_document(FACTS, tracks, PROVENANCE, "Line {}")["segments"][0]["speaker"] == "Line 1"
    assert speaker_name(None, "Channel {}") is None


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("plain é", "plain é"),
        ("a\x00b", "ab"),
        ("a\nb\tc", "a b c"),
        ("\ud800x", "x"),
        ("👩‍👧", "👩‍👧"),
        ("\x1b[0m", "[0m"),
    ],
)
def test_clean_keeps_what_can_be_written(raw: str, expected: str) -> None:
    assert clean_text(raw) == expected


def test_words_join_to_text_and_compare_as_tokens() -> None:
    assert join_words([Word(0, 1, " Ice", 1.0), Word(1, 2, "-cream,", 1.0), Word(2, 3, " please", 1.0)]) == (
        "Ice-cream, please"
    )
    assert comparison_form(" Ｃafé!") == "café"
    assert comparison_form(" ...") == ""
