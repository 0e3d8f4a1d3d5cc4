"""Calibrated confidence of words, and the error rate to be expected of a recording."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiogrid.merging.confidence import (
    FEATURES,
    Calibration,
    add_confidence,
    calibrations,
    expected_errors,
    features,
    interpolated,
    is_rising,
)

BASE = "368391b205205ddba0a1696f7e408130ad6432cf442588919dc80f7ad31225de"


def document(*segments: dict[str, Any], hash_: str = BASE, windows: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    return {
        "recording": "talk",
        "segments": list(segments),
        "windows": list(windows),
        "quality": {"words": 3},
        "provenance": {"model": {"name": "base", "hash": hash_}},
    }


def segment(words: str, probability: float = 0.9, language: str = "en", start: float = 0.0) -> dict[str, Any]:
    made = [
        {"start": start + n * 0.4, "end": start + n * 0.4 + 0.3, "word": f" {word}", "probability": probability}
        for n, word in enumerate(words.split())
    ]
    return {"language": language, "avg_logprob": -0.2, "chunk": "talk.0000", "words": made}


def confidences(document: dict[str, Any]) -> list[float | None]:
    return [word.get("confidence") for segment in document["segments"] for word in segment["words"]]


def test_what_is_shipped_can_only_count_in_its_direction_and_says_how_good_it_is() -> None:
    assert BASE in calibrations()
    for made in calibrations().values():
        assert len(made.weights) == len(FEATURES) and min(made.weights) >= 0
        assert is_rising(made.curve) and 0 < made.curve[0][1] <= made.curve[-1][1] < 1
        # The figures that were asked for, on recordings it was not fitted on.
        assert made.measured["calibration_error"] <= 0.05
        assert made.measured["interval_coverage"] >= 0.85
        assert made.measured["rank_correlation"] >= 0.7


def test_a_surer_word_is_never_less_likely_right() -> None:
    (low,), (high,) = (confidences(add_confidence(document(segment("word", p)))) for p in (0.2, 0.95))
    assert low is not None and high is not None and low < high
    assert 0 < low < 1 and 0 < high < 1


def test_a_word_that_no_other_reading_has_is_less_sure() -> None:
    def window(text: str) -> dict[str, Any]:
        readings = [{"path": "fast", "text": text}, {"path": "second", "text": "some words"}]
        return {"start": 0.0, "end": 9.0, "chunk": "talk.0000", "kept": "second", "readings": readings}

    agreed = confidences(add_confidence(document(segment("some words"), windows=(window("Some other WORDS!"),))))
    alone = confidences(add_confidence(document(segment("some words"))))
    assert agreed[0] == alone[0] and agreed[1] == alone[1]
    against = confidences(add_confidence(document(segment("some words"), windows=(window("wholly else"),))))
    assert all(one < other for one, other in zip(against, alone, strict=True))  # type: ignore[operator]


def test_readings_of_a_word_are_found_among_those_of_many_channels() -> None:
    def window(channel: int, start: float, text: str) -> dict[str, Any]:
        readings = [{"path": "fast", "text": text}, {"path": "second", "text": "word"}]
        chunk = f"talk.c{channel}.0000"
        return {"start": start, "end": 9.0, "chunk": chunk, "kept": "second", "readings": readings}

    windows = tuple(window(n, n / 100, "other" if n == 0 else "word") for n in range(6))
    spoken = [{**segment("word", start=1.0), "chunk": f"talk.c{n}.0000"} for n in range(6)]
    found = [values[3] for _, _, values in features(document(*spoken, windows=windows))]
    assert found == [-1, 0, 0, 0, 0, 0]


def test_the_model_probability_stays_and_the_document_is_not_changed() -> None:
    given_ = document(segment("one two three"))
    made = add_confidence(given_)
    assert confidences(given_) == [None] * 3 and None not in confidences(made)
    assert [word["probability"] for word in made["segments"][0]["words"]] == [0.9] * 3
    expected = made["quality"]["expected_errors"]
    assert 0 <= expected["low"] <= expected["rate"] <= expected["high"]


@pytest.mark.parametrize(
    "unknown",
    [
        document(segment("one two"), hash_="0" * 64),
        document(),
        document(segment("一 二", language="zh")),
        {**document(segment("one")), "provenance": {}},
        {**document(segment("one")), "provenance": {"model": {"hash": BASE}, "options": {"task": "translate"}}},
        {
            **document(segment("one")),
            "provenance": {"channels": [{"model": {"hash": BASE}}, {"model": {"hash": "0" * 64}}]},
        },
    ],
)
def test_without_a_calibration_nothing_is_said(unknown: dict[str, Any]) -> None:
    made = add_confidence(unknown)
    assert set(confidences(made)) <= {None} and "expected_errors" not in made["quality"]


def test_a_recording_that_is_partly_in_another_language_has_no_expected_error_rate() -> None:
    made = add_confidence(document(segment("one two"), segment("一 二", language="zh", start=5)))
    assert [one is not None for one in confidences(made)] == [True, True, False, False]
    assert "expected_errors" not in made["quality"]


def test_words_without_letters_have_no_features() -> None:
    assert [word["word"] for _, word, _ in features(document(segment("one … two")))] == [" one", " two"]


CURVE = [(-1.0, 0.2), (0.0, 0.5), (2.0, 0.9)]


@given(st.floats(-5, 5), st.floats(-5, 5))
def test_a_curve_rises_and_goes_through_its_points(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert 0.2 <= interpolated(CURVE, low) <= interpolated(CURVE, high) + 1e-9 <= 0.9 + 2e-9
    assert [interpolated(CURVE, score) for score, _ in CURVE] == [share for _, share in CURVE]


def test_the_interval_is_wider_for_fewer_words() -> None:
    made = Calibration("m", [1.0], CURVE, 1.2, 2.0, 0.2, ["en"], {})
    short, long = (expected_errors(made, [0.9] * count) for count in (50, 5000))
    assert short["rate"] == long["rate"] == 0.12
    assert short["low"] < long["low"] and long["high"] < short["high"]
