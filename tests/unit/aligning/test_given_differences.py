"""Texts that differ from what is said, heard by an invented recogniser: what is listed, and what is not."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest
from rapidfuzz import fuzz

from audiogrid.aligning.anchoring import Anchored, anchor
from audiogrid.aligning.differences import Difference, find_differences
from audiogrid.aligning.given_text import GivenWord
from audiogrid.core.text import comparison_form
from audiogrid.records.aligned import TimedWord
from audiogrid.records.chunks import Chunk, Seam
from audiogrid.records.results import ChunkResult, Segment, Word

STEP = 6400


def given(sentences: Sequence[str]) -> list[GivenWord]:
    return [
        GivenWord(f" {word}", comparison_form(word), number)
        for number, sentence in enumerate(sentences)
        for word in sentence.split()
    ]


def heard(sentences: Sequence[str]) -> tuple[Chunk, ChunkResult]:
    """What was decoded: a segment to each sentence, 0.4 s to each word, half a second between sentences."""
    segments, at = [], 0
    for sentence in sentences:
        at += 8000
        words = []
        for word in sentence.split():
            words.append(Word(at, at + STEP - 800, f" {word}", 0.9))
            at += STEP
        segments.append(Segment(words[0].start, words[-1].end, sentence, words, -0.2, 1.0, 0.0, 0.0, "en", 0))
    seam = Seam("edge", 0, 0)
    chunk = Chunk("a.0000", "a", None, 0, 0, at + 8000, 0, at + 8000, seam, seam, "")
    speech = [(one.start, one.end) for one in segments]
    return chunk, ChunkResult(at + 8000, "en", 1.0, speech, [], segments)


def held_against(
    text: Sequence[str], said: Sequence[str], probability: float = 0.8
) -> tuple[Anchored, list[Difference]]:
    """The differences, where each word that is aligned is as probable as any: the audio does not help."""
    found = anchor(given(text), [heard(said)])
    timed = {index: TimedWord(0, 0, probability) for one in found.stretches for index in one.words}
    return found, find_differences(found, timed)


def listed(text: Sequence[str], said: Sequence[str], probability: float = 0.8) -> list[tuple[str, str, str]]:
    return [(one.kind, one.text, one.heard) for one in held_against(text, said, probability)[1]]


SAID = [
    "The young doctor sold twelve baskets of apples at the market.",
    "Captain Morris repaired the old clock above the station.",
    "Our teacher wrote a long letter to the city council.",
    "My neighbor counted 17 boats in the harbor.",
    "The gardener found a silver coin under the stairs.",
    "The baker's son taught the children a song about winter.",
]
TEXT = [*SAID[:3], "My neighbour counted seventeen boats in the harbour.", *SAID[4:]]
EXTRA = "Nobody in the village had ever seen such a thing."


def test_a_sentence_with_other_spellings_between_one_too_many_and_one_too_few() -> None:
    text = [*TEXT[:3], EXTRA, TEXT[3], TEXT[5]]
    assert listed(text, SAID) == [("not heard", EXTRA, ""), ("not in the text", "", SAID[4])]
    found, _ = held_against(text, SAID)
    aligned = {index for one in found.stretches for index in one.words}
    extra = {index for index, word in enumerate(found.words) if word.paragraph == 3}
    assert not aligned & extra, "what nobody says is not squeezed in between two words"


def test_other_spellings_alone_are_no_difference() -> None:
    assert listed(TEXT, SAID) == [] == listed(SAID, TEXT)


@pytest.mark.parametrize("place", range(6))
def test_deleted_inserted_swapped_and_replaced_sentences(place: int) -> None:
    assert listed([*TEXT[:place], *TEXT[place + 1 :]], SAID) == [("not in the text", "", SAID[place])]
    assert listed([*TEXT[:place], EXTRA, *TEXT[place:]], SAID) == [("not heard", EXTRA, "")]
    # Here it is the audio that says that it is not a recogniser which went astray.
    replaced = listed([*TEXT[:place], EXTRA, *TEXT[place + 1 :]], SAID, 0.05)
    assert replaced == [("different", EXTRA, SAID[place])]
    if place:
        swapped = [*TEXT[: place - 1], TEXT[place], TEXT[place - 1], *TEXT[place + 1 :]]
        assert [kind for kind, *_ in listed(swapped, SAID)] == ["moved", "moved"]


@pytest.mark.parametrize(
    ("words", "digits"),
    [
        ("one thousand two hundred and five", "1205"),
        ("nineteen eighty four", "1984."),
        ("deux mille vingt-quatre", "2024"),
        ("twenty first", "21st"),
    ],
)
def test_numerals_are_number_words(words: str, digits: str) -> None:
    one, other = (f"They bought {number} sacks of corn that spring." for number in (words, digits.strip(".")))
    assert listed([SAID[0], one, SAID[1]], [SAID[0], other, SAID[1]]) == []
    assert listed([SAID[0], other, SAID[1]], [SAID[0], one, SAID[1]]) == []
    # A numeral takes no words of a sentence that only one side has.
    ends = (f"The year was {words}.", f"The year was {digits.strip('.')}.")
    assert listed([SAID[0], ends[0], EXTRA, SAID[1]], [SAID[0], ends[1], SAID[1]]) == [("not heard", EXTRA, "")]
    assert listed([SAID[0], ends[1], SAID[1]], [SAID[0], ends[0], EXTRA, SAID[1]]) == [("not in the text", "", EXTRA)]


COMMON = "the of and to a in it was that he she they his her with for on at by from not but had were there".split()
NUMBERS = {"seventeen": "17", "forty": "40", "nine hundred": "900", "two thousand and six": "2006", "twelve": "12"}
SPELLINGS = {"harbour": "harbor", "colour": "color", "neighbour": "neighbor", "travelled": "traveled", "grey": "gray"}


def invented_words(rng: random.Random, count: int) -> list[str]:
    parts = "ba be bi bo du da fe fi go ga ka ki lo la me mi no na pe pa ra ri so sa te ta vo ve".split()
    ends = ["", "n", "s", "r", "ing", "ed", "t", "ly"]
    return ["".join(rng.choices(parts, k=rng.randrange(1, 4))) + rng.choice(ends) for _ in range(count)]


def sentences(rng: random.Random, words: int) -> list[str]:
    """Sentences of invented words, a few of them often, with common words, numbers and words of two spellings."""
    known = invented_words(rng, 3000)
    weights = [1 / (10 + rank) for rank in range(len(known))]
    made, count = [], 0
    while count < words:
        own = [
            rng.choice(COMMON) if rng.random() < 0.45 else rng.choices(known, weights)[0]
            for _ in range(rng.randrange(5, 19))
        ]
        if rng.random() < 0.2:
            own.insert(rng.randrange(len(own)), rng.choice(list(NUMBERS)))
        if rng.random() < 0.2:
            own.insert(rng.randrange(len(own)), rng.choice(list(SPELLINGS)))
        made.append(" ".join(own).capitalize() + ".")
        count += len(own)
    return made


def recognised(rng: random.Random, said: Sequence[str], errors: float) -> Iterator[str]:
    """What a recogniser makes of sentences: other spellings, digits, and so many of its words wrong."""
    others = invented_words(rng, 500) + COMMON
    for sentence in said:
        for written, spelt in [*NUMBERS.items(), *SPELLINGS.items()]:
            if rng.random() < 0.8:
                sentence = sentence.replace(f" {written} ", f" {spelt} ")
        words = []
        for word in sentence.split():
            kind = rng.random() / errors if errors else 1.0
            if kind < 0.35:
                at = rng.randrange(len(word))
                words.append(word[:at] + rng.choice("aeioulrst") + word[at + 1 :])
            elif kind < 0.7:
                words.append(rng.choice(others))
            elif kind < 0.8:
                words += [word, rng.choice(others)]
            elif kind >= 1:
                words.append(word)
        if words:
            # Now and then the end of a sentence is not heard as one.
            yield " ".join(words) if rng.random() > 0.1 else " ".join(words).rstrip(".")


@dataclass(frozen=True)
class Trial:
    words: int
    changes: list[tuple[str, ...]]
    missed: list[tuple[str, ...]]
    false: list[Difference]


def trial(seed: int, words: int, errors: float, share: float) -> Trial:
    """Deletes, inserts and swaps a share of the sentences of a text, and counts what is found and what else is."""
    rng = random.Random(seed)
    said = sentences(rng, words)
    extra = sentences(rng, 20 * round(share * len(said)) + 100)
    text, changes, index = [], [], 0
    while index < len(said):
        kind = rng.choice("dis") if rng.random() < share else ""
        if kind == "d":
            changes.append((said[index],))
        elif kind == "i":
            new = extra.pop()
            changes.append((new,))
            text += [new, said[index]]
        elif kind == "s" and index + 1 < len(said):
            changes.append((said[index], said[index + 1]))
            text += [said[index + 1], said[index]]
            index += 1
        else:
            text.append(said[index])
        index += 1
    _, found = held_against(text, list(recognised(rng, said, errors)))

    def is_it(one: Difference, change: tuple[str, ...]) -> bool:
        sides = [side.lower() for side in (one.text, one.heard) if side]
        return any(fuzz.ratio(side, part.lower()) >= 60 for side in sides for part in change)

    missed = [change for change in changes if not any(is_it(one, change) for one in found)]
    false = [one for one in found if not any(is_it(one, change) for change in changes)]
    return Trial(sum(len(one.split()) for one in said), changes, missed, false)


@pytest.mark.parametrize("errors", [0.0, 0.05, 0.1])
def test_changes_of_a_long_text_are_found(errors: float) -> None:
    trials = [trial(seed, 5000, errors, 0.05) for seed in (1, 2)]
    changes, words = sum(len(one.changes) for one in trials), sum(one.words for one in trials)
    missed, false = ([part for one in trials for part in getattr(one, name)] for name in ("missed", "false"))
    assert changes > 20
    assert len(missed) <= 0.05 * changes, missed
    assert len(false) <= words / 1000, false
