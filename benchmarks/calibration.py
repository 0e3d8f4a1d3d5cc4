"""Fits the map from what the model says of a word to how often such words are right, and measures it.

    python benchmarks/calibration.py decode            (hours of one core; what is done stays in bench-data/calibration)
    python benchmarks/calibration.py measure           (tables for BENCHMARKS.md)
    python benchmarks/calibration.py fit --write       (the map that is shipped, with the figures of `measure`)

Every figure is of words and recordings that the map in question was not fitted on: a map is fitted without one language
and used on it, for each language in turn, and the same for each condition (noise, telephone ...).
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))
sys.path.insert(0, str(Path(__file__).parent))

from calibration_sets import Decoded, decode, read_decoded

ROOT = Path(__file__).parents[1]
CACHE = ROOT / "bench-data" / "calibration"
COVERED = 0.9
_KNOTS = 12
_DIGITS = {
    "en": "zero one two three four five six seven eight nine ten",
    "es": "cero uno dos tres cuatro cinco seis siete ocho nueve diez",
    "fr": "zero un deux trois quatre cinq six sept huit neuf dix",
    "it": "zero uno due tre quattro cinque sei sette otto nove dieci",
    "ru": "ноль один два три четыре пять шесть семь восемь девять десять",
}


@dataclass(frozen=True)
class Recording:
    """A recording with its words: features (words x features), which are right, and its word error rate."""

    name: str
    language: str
    condition: str
    features: np.ndarray
    right: np.ndarray
    rate: float


def tokens(text: str, language: str) -> list[str]:
    """Returns a text as what is compared: without case, accents and punctuation, small numbers as digits."""
    from whisper_normalizer.basic import BasicTextNormalizer

    digits = {word: str(number) for number, word in enumerate(_DIGITS[language].split())}
    found = []
    for word in BasicTextNormalizer(remove_diacritics=True)(text).split():
        plain = digits.get(word, word)
        found += list(plain) if plain.isdigit() and plain != "10" else [plain]
    return found


def document_of(one: Decoded) -> dict[str, Any]:
    """Returns the document of a recording that is one chunk."""
    from audiogrid.core.json_values import from_json
    from audiogrid.merging.document import build_document
    from audiogrid.merging.stitch import stitch
    from audiogrid.merging.track_text import TrackText
    from audiogrid.records.chunks import Chunk, Seam
    from audiogrid.records.results import ChunkResult

    result = from_json(ChunkResult, one.result)
    ends = Seam("edge", 0, 0), Seam("edge", result.samples, 0)
    chunk = Chunk("clip.0000", "clip", None, 0, 0, result.samples, 0, result.samples, *ends, "")
    track = TrackText(None, stitch([(chunk, result)], {}), [(chunk, "", result)])
    facts = {"recording": "clip", "path": "clip.wav", "language": one.language}
    return build_document(facts, [track], {"chunks": []})


def labelled(one: Decoded) -> Recording | None:
    """Returns a recording with its words judged against the reference; ``None`` without a word."""
    from audiogrid.merging.confidence import features
    from audiogrid.scoring.alignment import align

    rows: list[list[float]] = []
    found: list[str] = []
    owner: list[int] = []
    for _, word, values in features(document_of(one)):
        parts = tokens(word["word"], one.language)
        if parts:
            found += parts
            owner += [len(rows)] * len(parts)
            rows.append(values)
    if not rows:
        return None
    alignment = align(tokens(one.reference, one.language), found)
    right = np.ones(len(rows), bool)
    for span in alignment.spans:
        if span.kind != "equal":
            right[[owner[at] for at in range(span.other_start, span.other_end)]] = False
    return Recording(one.name, one.language, one.condition, np.array(rows), right, alignment.rate)


def _weights(features: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Returns the weights of a logistic regression, none negative, by projected gradient descent."""
    scale = features.std(axis=0) + 1e-9
    centred = (features - features.mean(axis=0)) / scale
    weights, bias = np.zeros(features.shape[1]), math.log(right.mean() / (1 - right.mean() + 1e-9))
    for _ in range(3000):
        error = 1 / (1 + np.exp(-(centred @ weights + bias))) - right
        weights = np.maximum(0, weights - 0.5 * (centred.T @ error / len(right) + 1e-3 * weights))
        bias -= 0.5 * error.mean()
    return np.asarray(weights / scale)


def _curve(scores: np.ndarray, right: np.ndarray) -> list[tuple[float, float]]:
    """Returns a rising curve through means of equally many words, by pooling neighbours that would fall."""
    order = np.argsort(scores)
    pools: list[list[float]] = []
    for part in np.array_split(order, min(_KNOTS, max(2, len(order) // 60))):
        # One word of each kind more than there are: no share is 0 or 1.
        pools.append([float(scores[part].mean()), (right[part].sum() + 0.5) / (len(part) + 1), float(len(part))])
        while len(pools) > 1 and pools[-2][1] > pools[-1][1]:
            score, share, count = pools.pop()
            before = pools[-1]
            whole = before[2] + count
            pools[-1] = [(a * before[2] + b * count) / whole for a, b in zip(before[:2], (score, share), strict=True)]
            pools[-1].append(whole)
    return [(round(score, 4), round(float(share), 4)) for score, share, _ in pools]


def fit(recordings: Sequence[Recording], model: str = "") -> Any:
    """Returns the map of some recordings."""
    from audiogrid.merging.confidence import Calibration

    features = np.concatenate([one.features for one in recordings])
    right = np.concatenate([one.right for one in recordings])
    weights = _weights(features, right)
    languages = sorted({one.language for one in recordings})
    made = Calibration(
        model, [round(float(w), 4) for w in weights], _curve(features @ weights, right), 1.0, 0.0, 0.0, languages, {}
    )
    doubts = np.array([doubt(made, one) for one in recordings])
    rates = np.array([one.rate for one in recordings])
    words = np.array([len(one.right) for one in recordings])
    slope = float((doubts * rates * words).sum() / (doubts * doubts * words).sum())
    expected = slope * doubts
    # How far true rates are from expected ones beyond chance, relative to them.
    beyond = np.maximum(0, (rates - expected) ** 2 - expected / words).mean() / (expected**2).mean()
    noise = math.sqrt(float(beyond))
    deviation = np.abs(rates - expected) / np.sqrt(expected / words + (noise * expected) ** 2)
    rank = min(len(deviation) - 1, math.ceil((len(deviation) + 1) * COVERED) - 1)
    spread = float(np.sort(deviation)[rank])
    return Calibration(
        model, made.weights, made.curve, round(slope, 4), round(spread, 4), round(noise, 4), languages, {}
    )


def confidences(made: Any, one: Recording) -> np.ndarray:
    return np.array([made.confidence([float(value) for value in row]) for row in one.features])


def doubt(made: Any, one: Recording) -> float:
    return float((1 - confidences(made, one)).mean())


def calibration_error(said: np.ndarray, right: np.ndarray, bins: int = 10) -> float:
    """Returns the expected calibration error: over ten equal spans of confidence, how far from the share right."""
    at = np.minimum((said * bins).astype(int), bins - 1)
    parts = [at == number for number in range(bins)]
    return float(sum(abs(said[part].mean() - right[part].mean()) * part.mean() for part in parts if part.any()))


def ranks(values: Iterable[float]) -> np.ndarray:
    values = np.array(list(values))
    return np.array([(values < one).sum() + ((values == one).sum() - 1) / 2 for one in values])


@dataclass(frozen=True)
class Measured:
    """What maps say of recordings that they were not fitted on. ``rows``: name, expected, low, high, true."""

    said: np.ndarray
    raw: np.ndarray
    right: np.ndarray
    rows: list[tuple[str, float, float, float, float]]

    @property
    def figures(self) -> dict[str, float]:
        expected, true = (ranks(row[at] for row in self.rows) for at in (1, 4))
        inside = [low <= rate <= high for _, _, low, high, rate in self.rows]
        return {
            "calibration_error": round(calibration_error(self.said, self.right), 4),
            "calibration_error_of_probability": round(calibration_error(self.raw, self.right), 4),
            "interval_coverage": round(sum(inside) / len(inside), 3),
            "rank_correlation": round(float(np.corrcoef(expected, true)[0, 1]), 3),
            "recordings": len(self.rows),
            "words": len(self.right),
        }


def held_apart(recordings: Sequence[Recording], group: Callable[[Recording], str]) -> Measured:
    """Fits a map without each group in turn, and uses it on that group."""
    from audiogrid.merging.confidence import expected_errors

    said, raw, right, rows = [], [], [], []
    for name in sorted({group(one) for one in recordings}):
        made = fit([one for one in recordings if group(one) != name])
        for one in recordings:
            if group(one) == name:
                mine = confidences(made, one)
                said.append(mine)
                raw.append(1 / (1 + np.exp(-one.features[:, 0])))
                right.append(one.right)
                rate = expected_errors(made, mine.tolist())
                rows.append((one.name, rate["rate"], rate["low"], rate["high"], one.rate))
    return Measured(np.concatenate(said), np.concatenate(raw), np.concatenate(right), rows)


def tables(recordings: Sequence[Recording]) -> dict[str, float]:
    """Prints the tables of BENCHMARKS.md; returns the worse of the two figures of each kind."""
    measured = {
        "language": held_apart(recordings, lambda one: one.language),
        "condition": held_apart(recordings, lambda one: one.condition),
    }
    names = list(measured["language"].figures)
    print("| held apart | " + " | ".join(name.replace("_", " ") for name in names) + " |")
    for name, one in measured.items():
        print(f"| each {name} | " + " | ".join(f"{one.figures[figure]:g}" for figure in names) + " |")
    one = measured["language"]
    print("\n| confidence | words | said | right | probability says |")
    edges = [0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 1.001]
    for low, high in pairwise(edges):
        part = (one.said >= low) & (one.said < high)
        if part.any():
            shares = f"{one.said[part].mean():.2f} | {one.right[part].mean():.2f} | {one.raw[part].mean():.2f}"
            print(f"| {low:g} to {min(1, high):g} | {part.sum()} | {shares} |")
    print()
    for name in sorted({one.condition for one in recordings} | {one.language for one in recordings}):
        mine = [row for row in one.rows if f"-{name}" in row[0] or row[0].startswith(f"{name}-")]
        rates = ", ".join(f"{100 * row[1]:.0f}/{100 * row[4]:.0f}" for row in mine)
        print(f"{name}: expected/true error rates in %: {rates}")
    figures = [one.figures for one in measured.values()]
    worst = {name: max(one[name] for one in figures) for name in names}
    return worst | {name: min(one[name] for one in figures) for name in ("interval_coverage", "rank_correlation")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["decode", "measure", "fit"], nargs="?", default="measure")
    parser.add_argument("--model", type=Path, default=ROOT / "models" / "base")
    parser.add_argument("--cache", type=Path, default=CACHE)
    parser.add_argument("--seconds", type=float, default=60.0, help="length of a recording")
    parser.add_argument("--rounds", type=int, default=2, help="how often each prompt is used, in other conditions")
    parser.add_argument("--write", action="store_true", help="with fit: put the map into the package")
    arguments = parser.parse_args()
    if arguments.command == "decode":
        decode(arguments.model, arguments.cache, arguments.seconds, range(arguments.rounds), 2)
        return
    recordings = [made for one in read_decoded(arguments.cache, arguments.model.name) if (made := labelled(one))]
    if len({one.language for one in recordings}) < 2:
        raise SystemExit(f"{arguments.cache} has too little: run `calibration.py decode` first")
    worst = tables(recordings)
    made = fit(recordings, arguments.model.name)
    print(
        "\nweights:", made.weights, "curve:", made.curve, "slope, spread, noise:", made.slope, made.spread, made.noise
    )
    if arguments.write:
        from audiogrid.core.json_values import to_json
        from audiogrid.merging.confidence import FILE

        staged = json.loads((arguments.model / "audiogrid.json").read_text())
        known = json.loads(FILE.read_text()) if FILE.is_file() else {}
        known[staged["hash"]] = to_json(made) | {"measured": worst}
        FILE.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
