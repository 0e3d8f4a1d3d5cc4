"""Calibrated confidence of words, and the error rate to be expected of a recording.

The model's own probabilities are no rates: of its words with 0.9, more or fewer than nine in ten are right, depending
on model, language and noise. ``benchmarks/calibration.py`` fits a small map for a model on recordings with known words:
a weighted sum of features, each of which can only count in one direction, and a rising curve over it. Maps lie in
``calibration.json``, by the hash of the model, with what was measured on recordings that they were not fitted on. A
model or a language without a map has no confidence.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import Any

from audiogrid.core.json_values import read_document
from audiogrid.core.text import comparison_form
from audiogrid.export.provenance import is_translation

FILE = Path(__file__).with_name("calibration.json")
#: What a word's score is made of, and the direction in which it counts.
FEATURES = {
    "probability": "logit of the probability that the model gave the word",
    "neighbours": "logit of the mean probability of the two words before and after it",
    "segment": "mean log-probability of its segment",
    "agreement": "share of the other readings of its window that have the word, less 1; 0 where there is only one",
    "pace": "how far its length is from that of a word of as many letters, as a negative logarithm",
}
_PACE_BASE, _PACE_LETTER = 0.12, 0.055


@dataclass(frozen=True)
class Calibration:
    """The map of a model. ``weights``: of ``FEATURES`` in their order, none negative.

    ``curve``: scores and shares of right words, both rising, with straight lines between them. ``slope``: errors of a
    recording per word that its confidences take for wrong; there are more, because words are missing, too. ``spread``
    and ``noise``: of the interval, see ``expected_errors``. ``languages``: those it was fitted on. ``measured``: on
    recordings it was not fitted on.
    """

    model: str
    weights: list[float]
    curve: list[tuple[float, float]]
    slope: float
    spread: float
    noise: float
    languages: list[str]
    measured: dict[str, float]

    def confidence(self, features: Sequence[float]) -> float:
        """Returns how many of a hundred such words are right, as a share."""
        return interpolated(self.curve, sum(map(float.__mul__, self.weights, features)))


def interpolated(curve: Sequence[tuple[float, float]], score: float) -> float:
    """Returns the value of a curve of straight lines; its ends go on as they are."""
    at = bisect_left(curve, (score, 0.0))
    if at == 0:
        return curve[0][1]
    if at == len(curve):
        return curve[-1][1]
    (left, low), (right, high) = curve[at - 1], curve[at]
    return low + (high - low) * (score - left) / (right - left)


@cache
def calibrations() -> dict[str, Calibration]:
    """Returns the maps by the hash of the model."""
    return read_document(dict[str, Calibration], FILE)


def _logit(share: float) -> float:
    bounded = min(0.998, max(0.01, share))
    return math.log(bounded / (1 - bounded))


def _pace(word: Mapping[str, Any], letters: int) -> float:
    usual = _PACE_BASE + _PACE_LETTER * letters
    return -abs(math.log(max(0.04, word["end"] - word["start"]) / usual))


@dataclass(frozen=True)
class _Window:
    """A window that was read more than once. ``others``: the words of each reading that was not kept."""

    start: float
    end: float
    others: list[frozenset[str]]


def _windows(document: Mapping[str, Any]) -> dict[str, list[_Window]]:
    """Returns the windows that were read more than once, by chunk and in the order of time."""
    found: dict[str, list[_Window]] = {}
    for window in sorted(document["windows"], key=itemgetter("start")):
        texts = [reading["text"] for reading in window["readings"] if reading["path"] != window["kept"]]
        if texts:
            others = [frozenset(map(comparison_form, text.split())) for text in texts]
            found.setdefault(window["chunk"], []).append(_Window(window["start"], window["end"], others))
    return found


def _agreement(windows: Sequence[_Window], word: Mapping[str, Any], form: str) -> float:
    """Returns the feature ``agreement`` of a word. ``windows``: those of its chunk."""
    middle = (word["start"] + word["end"]) / 2
    at = bisect_right(windows, middle, key=attrgetter("start")) - 1
    if at < 0 or windows[at].end <= middle:
        return 0.0
    others = windows[at].others
    return sum(form in one for one in others) / len(others) - 1


def features(document: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any], list[float]]]:
    """Yields segment, word and ``FEATURES`` of every word of a document that holds a letter or digit."""
    windows = _windows(document)
    for segment in document["segments"]:
        words = segment["words"]
        read_again = windows.get(segment["chunk"], ())
        for number, word in enumerate(words):
            form = comparison_form(word["word"])
            if not form:
                continue
            near = words[max(0, number - 2) : number] + words[number + 1 : number + 3]
            mean = sum(one["probability"] for one in near) / len(near) if near else word["probability"]
            values = [
                _logit(word["probability"]),
                _logit(mean),
                float(segment["avg_logprob"]),
                _agreement(read_again, word, form),
                _pace(word, len(form)),
            ]
            yield segment, word, values


def expected_errors(calibration: Calibration, confidences: Sequence[float]) -> dict[str, float]:
    """Returns ``rate``, ``low`` and ``high``: the word error rate to be expected, and an interval for nine of ten."""
    words = len(confidences)
    doubt = sum(1 - one for one in confidences) / words
    rate = calibration.slope * doubt
    width = calibration.spread * math.sqrt(rate / words + (calibration.noise * rate) ** 2)
    return {"rate": round(rate, 4), "low": round(max(0.0, rate - width), 4), "high": round(rate + width, 4)}


def _calibration_of(document: Mapping[str, Any]) -> Calibration | None:
    """Returns the map for the model of a document; ``None`` where it has none, or several models.

    Maps are of words that were said: a translation has none.
    """
    if is_translation(document):
        return None
    made = document["provenance"]
    parts = made.get("channels", [made])
    hashes = {one["model"]["hash"] for one in parts if "model" in one}
    return calibrations().get(hashes.pop()) if len(hashes) == 1 else None


def add_confidence(document: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the document with ``confidence`` at words, and ``expected_errors`` in its ``quality``.

    As it is where there is no map for its model; words in languages that the map does not know have none.
    """
    calibration = _calibration_of(document)
    if calibration is None or not document["segments"]:
        return dict(document)
    found: dict[int, float] = {}
    words = 0
    for segment, word, values in features(document):
        words += 1
        if segment["language"] in calibration.languages:
            found[id(word)] = calibration.confidence(values)
    segments = [
        {
            **segment,
            "words": [
                {**word, "confidence": round(found[id(word)], 3)} if id(word) in found else word
                for word in segment["words"]
            ],
        }
        for segment in document["segments"]
    ]
    quality = dict(document["quality"])
    # A rate over some of the words would be taken for that of all.
    if found and len(found) == words:
        quality["expected_errors"] = expected_errors(calibration, list(found.values()))
    return {**document, "segments": segments, "quality": quality}


def is_rising(curve: Sequence[tuple[float, float]]) -> bool:
    """Returns whether scores and shares of a curve rise."""
    return all(one[0] < other[0] and one[1] <= other[1] for one, other in pairwise(curve))
