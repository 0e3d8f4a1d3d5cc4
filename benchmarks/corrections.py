"""Corrections that stay: corrects one transcript in many places, and counts where another one gets them.

    python benchmarks/corrections.py results/base/transcripts results/tiny/transcripts --corrections 300

Both folders hold JSON transcripts of the same recordings, made without corrections by two runs (another model, chunk
length, options). Half of the corrections are words that both readings differ in, half are any words; half of each get
a text that fits (the other run's), half an invented word that nobody could guess. The truth of where a correction
belongs are the times of the words in the first run: the words that it replaces in the second one must have their
middles within its span, give or take ``--slack`` seconds, and no word may be left inside; or they must be the same
words, at most a second away, or what lies between the same four words on each side.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

from audiogrid.core.text import comparison_form
from audiogrid.corrections.apply_passages import apply_passages
from audiogrid.corrections.entries import Passage

AROUND = 4
LONGEST = 4


def words_of(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Returns the words of a document in the order of time."""
    return sorted((word for segment in document["segments"] for word in segment["words"]), key=lambda one: one["start"])


def text(words: list[dict[str, Any]]) -> str:
    """Returns the text of some words on one line."""
    return " ".join("".join(word["word"] for word in words).split())


def differs(words: list[dict[str, Any]], other: set[tuple[str, int]]) -> bool:
    """Whether the other transcript has none of these words within a second."""
    return not any(
        (comparison_form(word["word"]), round(word["start"]) + shift) in other for word in words for shift in (-1, 0, 1)
    )


def chosen(first: Mapping[str, Any], second: Mapping[str, Any], count: int, source: random.Random) -> list[Passage]:
    """Returns corrections of places that do not touch each other, half of them where the transcripts differ."""
    words = words_of(first)
    other = {(comparison_form(word["word"]), round(word["start"])) for word in words_of(second)}
    starts = list(range(len(words) - LONGEST))
    source.shuffle(starts)
    unlike = [n for n in starts if differs(words[n : n + 1], other)]
    taken: set[int] = set()
    found: list[Passage] = []
    for candidates, most in ((unlike, count // 2), (starts, count)):
        for start in candidates:
            if len(found) >= most:
                break
            length = source.choice((1, 1, 1, 2, 3))
            span = range(start, start + length)
            if taken & set(range(start - 2, start + length + 2)) or words[start]["start"] >= words[span[-1]]["end"]:
                continue
            taken |= set(span)
            number = len(found)
            wanted = f"Zyx{number}quo" if number % 2 else f"{text(words[start : start + length])}."
            found.append(
                Passage(
                    words[start]["start"],
                    words[span[-1]]["end"],
                    text(words[start : start + length]),
                    wanted,
                    text(words[max(0, start - AROUND) : start]),
                    text(words[start + length :][:AROUND]),
                    when=f"2026-01-01T00:00:{number:05}",
                )
            )
    return found


def judged(second: Mapping[str, Any], corrections: list[Passage], slack: float) -> Iterator[tuple[str, Passage, str]]:
    """Yields for each correction what became of it alone: applied, listed, or wrong; with what was replaced."""
    before = words_of(second)
    for one in corrections:
        result = apply_passages(second, [one])
        if result.unfit:
            now = text([word for word in before if one.start - 1 < (word["start"] + word["end"]) / 2 < one.end + 1])
            yield "listed", one, now
            continue
        after = words_of(result.document)
        same = 0
        while same < min(len(before), len(after)) and before[same] == after[same]:
            same += 1
        rest = 0
        while rest < min(len(before), len(after)) - same and before[-1 - rest] == after[-1 - rest]:
            rest += 1
        replaced = before[same : len(before) - rest]
        outside = [
            word for word in replaced if not one.start - slack <= (word["start"] + word["end"]) / 2 <= one.end + slack
        ]
        kept = [
            word
            for word in [*before[:same], *before[len(before) - rest :]]
            if one.start + slack < (word["start"] + word["end"]) / 2 < one.end - slack
        ]
        # The same words a little elsewhere are the same words: transcripts differ in their times.
        is_same = "".join(map(comparison_form, text(replaced))) == "".join(map(comparison_form, one.was))
        is_near = all(
            abs((word["start"] + word["end"]) - (one.start + one.end)) < 2 + one.end - one.start for word in replaced
        )
        # A run may time the last word before a pause at the end of the pause: its neighbours tell that it is the one.
        sides = before[max(0, same - AROUND) : same], before[len(before) - rest :][:AROUND]
        is_between = [comparison_form(text(side)) for side in sides] == [
            comparison_form(side) for side in (one.before, one.after)
        ]
        is_right = bool(replaced) and ((is_same and is_near) or is_between or not (outside or kept))
        yield "applied" if is_right else "wrong", one, text(replaced)


def main() -> None:
    """Print what became of the corrections, and each that was listed or is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("first", type=Path, help="folder of transcripts that are corrected")
    parser.add_argument("second", type=Path, help="folder of transcripts that get the corrections")
    parser.add_argument("--corrections", type=int, default=300)
    parser.add_argument("--slack", type=float, default=0.3, metavar="SECONDS", help="that word times may be apart")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    names = sorted(path.name for path in arguments.second.glob("*.json") if (arguments.first / path.name).is_file())
    pairs = {
        name: [json.loads((folder / name).read_text()) for folder in (arguments.first, arguments.second)]
        for name in names
    }
    hours = sum(first["duration"] for first, _ in pairs.values()) / 3600
    counts: Counter[str] = Counter()
    spent = 0.0
    for first, second in pairs.values():
        count = round(arguments.corrections * first["duration"] / 3600 / hours)
        corrections = chosen(first, second, count, random.Random(arguments.seed))
        for verdict, one, replaced in judged(second, corrections, arguments.slack):
            counts[verdict] += 1
            if verdict != "applied":
                print(f"{verdict}: {one.start:.2f}-{one.end:.2f} {one.was!r} -> {one.text!r}; there: {replaced!r}")
        began = time.process_time()
        together = apply_passages(second, corrections)
        spent += time.process_time() - began
        counts["listed together"] += len(together.unfit)
    total = counts["applied"] + counts["wrong"] + counts["listed"]
    share = 100 * counts["applied"] / max(1, total)
    print(f"{total} corrections over {hours:.2f} h of {len(names)} recording(s): {share:.1f} % applied, {dict(counts)}")
    print(f"applying all of them at once: {spent:.2f} s of CPU")


if __name__ == "__main__":
    main()
