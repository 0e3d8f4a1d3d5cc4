"""Which words are judged against which terms, and what becomes of the scores."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import partial

import pytest

from audiogrid.aligning.glossary_file import Glossary, Term
from audiogrid.aligning.name_candidates import SpokenWord, TermIndex
from audiogrid.aligning.name_verdicts import verdicts
from audiogrid.aligning.names import NameFinder, NamePassage, spelt
from audiogrid.aligning.sounds import sound_of
from audiogrid.records.chunks import Chunk, Seam
from audiogrid.records.results import ChunkResult, Segment, Word
from counting import count_steps

STEP = 8_000


def chunk_of(*sentences: str, language: str = "en") -> tuple[Chunk, ChunkResult]:
    """A chunk in which each word takes half a second; ``word~`` is doubtful."""
    segments, at = [], 0
    for text in sentences:
        words = []
        for word in text.split():
            words.append(Word(at, at + STEP, f" {word.rstrip('~')}", 0.5 if word.endswith("~") else 0.98))
            at += STEP
        segments.append(Segment(words[0].start, at, text, words, -0.2, 1.0, 0.0, 0.0, language, 0))
    seam = Seam("pause", 0, 0)
    chunk = Chunk("a.0000", "a", None, 0, 0, at, 0, at, seam, seam, "")
    return chunk, ChunkResult(at, language, 1.0, [(0, at)], [], segments)


def passages(terms: Sequence[Term | str], *sentences: str, language: str = "en") -> list[NamePassage]:
    glossary = Glossary(tuple(term if isinstance(term, Term) else Term(term) for term in terms))
    return NameFinder(glossary).passages(*chunk_of(*sentences, language=language))


def found(terms: Sequence[Term | str], *sentences: str, language: str = "en") -> list[tuple[str, tuple[str, ...]]]:
    return [(one.heard, one.candidate.terms) for one in passages(terms, *sentences, language=language)]


def test_what_is_written_of_a_translation_is_english() -> None:
    terms = Glossary((Term("Zorvanik", languages=("en",)), Term("Jelarun", languages=("es",))))
    chunk, result = chunk_of("Then Sorvanick~ met Gelaroon~ there.", language="es")
    (spoken,) = NameFinder(terms).passages(chunk, result)
    (written,) = NameFinder(terms).passages(chunk, result, "translate")
    assert (spoken.candidate.terms, written.candidate.terms) == (("Jelarun",), ("Zorvanik",))
    # The model is told what is spoken.
    assert spoken.question["language"] == written.question["language"] == "es"


def test_parts_of_a_word() -> None:
    parts = {
        text: (spelt(text).opening, spelt(text).core, spelt(text).closing) for text in (" “Anna’s,", " O'Neil", " …")
    }
    assert parts == {
        " “Anna’s,": (" “", "Anna", "’s,"),
        " O'Neil": (" ", "O'Neil", ""),
        " …": (" …", "", ""),
    }


@pytest.mark.parametrize(
    ("heard", "term", "language"),
    [
        ("Rehmatov", "Rameatov", "en"),
        ("Peltz", "Peldce", "en"),
        ("Quatt girl", "Quotkerl", "en"),
        ("Schmitt", "Schmidt", "de"),
        ("Renaux", "Renault", "fr"),
        ("Щербаков", "Щербакоф", "ru"),
        ("張偉", "章伟", "zh"),
        ("שלום", "שאלום", "he"),
    ],
)
def test_what_sounds_alike_is_alike(heard: str, term: str, language: str) -> None:
    from rapidfuzz import fuzz

    other = "Zimbolugeri" if language in ("en", "de", "fr") else "Пирожок" if language == "ru" else "日本語学校"
    likeness = fuzz.ratio(sound_of(heard, language), sound_of(term, language))
    assert likeness > 60 and likeness > 20 + fuzz.ratio(sound_of(heard, language), sound_of(other, language))


def test_doubtful_words_are_judged_and_ordinary_ones_stay() -> None:
    terms = ["Zorvanik", "Tavrin Ostalow", "Doggs", "Harnbo"]
    said = "then Captain Morris met Zorbanick~ near~ the dogs~ in the harbor~ and Tavrin~ Ostello~ too"
    assert found(terms, "the dogs saw the harbor", said) == [
        ("Zorbanick", ("Zorvanik",)),
        ("Tavrin Ostello", ("Tavrin Ostalow",)),
    ]
    # Nothing is asked about a name that is written as it should be, nor about what is certain.
    assert found(terms, "then Zorvanik met Zorbanick") == []
    # A term of another language is none here.
    assert found([Term("Zorvanik", languages=("de",))], said) == []


def test_terms_in_small_letters_are_looked_for_in_small_letters() -> None:
    assert found(["metoprolol"], "she takes metropolol~ daily") == [("metropolol", ("metoprolol",))]
    assert found(["Metoprolol"], "the doctor said daily", "she takes daly~ doses") == []


def test_names_over_several_words_and_in_scripts_without_spaces() -> None:
    assert found(["Jelot Varckgain"], "then Jell~ -Up~ Varkin~ came") == [("Jell -Up Varkin", ("Jelot Varckgain",))]
    segment = [Word(at * STEP, (at + 1) * STEP, char, 0.5) for at, char in enumerate("我在章伟家")]
    chunk, result = chunk_of("x", language="zh")
    whole = Segment(0, 5 * STEP, "我在章伟家", segment, -0.2, 1.0, 0.0, 0.0, "zh", 0)
    result = ChunkResult(5 * STEP, "zh", 1.0, [(0, 5 * STEP)], [], [whole])
    seam = Seam("pause", 0, 0)
    chunk = Chunk("a.0000", "a", None, 0, 0, 5 * STEP, 0, 5 * STEP, seam, seam, "")
    (one,) = NameFinder(Glossary((Term("張偉"),))).passages(chunk, result)
    assert (one.heard, one.question["readings"]) == ("章伟", ["我在章伟家", "我在張偉家"])


def test_a_question_has_the_words_around_and_the_marks() -> None:
    (one,) = passages(["Zorvanik"], "we were told that Zorbanick's,~ of all people, had left")
    assert one.question["readings"] == [
        " told that Zorbanick's, of all",
        " told that Zorvanik's, of all",
    ]
    assert one.question["pieces"] == [[2 * STEP - 3200, 7 * STEP + 3200]]
    assert one.question["prompt"] == "Zorvanik"


@pytest.mark.parametrize(
    ("term", "heard", "reading"),
    [
        ("Sotheby's", "Sothebee’s,~", " Sotheby's,"),
        ("Sotheby's", "Sothebees~", " Sotheby's"),
        ("Zorvanik!", "Zorbanick!~", " Zorvanik!"),
        ("Zorvanik Inc.", "Zorbanick~ Ink.~", " Zorvanik Inc."),
        ("@Zorvanik", "“@Zorbanick~", " “@Zorvanik"),
        ("Zorvanik", "(Zorbanick's),~", " (Zorvanik's),"),
    ],
)
def test_marks_of_a_term_are_not_doubled(term: str, heard: str, reading: str) -> None:
    (one,) = passages([term], f"then {heard}")
    assert one.readings[1] == reading


def test_neighbours_share_their_audio() -> None:
    first, second = passages(["Zorvanik", "Morlenda"], "then Zorbanick~ met Morlinda~ there")
    assert first.question["pieces"] == second.question["pieces"] == [[0, 5 * STEP]]


def test_words_of_another_chunk_and_of_another_sentence_are_apart() -> None:
    chunk, result = chunk_of("then Tavrin~. Ostello~ came")
    finder = NameFinder(Glossary((Term("Tavrin Ostalow"),)))
    assert [one.heard for one in finder.passages(chunk, result)] == []
    chunk, result = chunk_of("then Zorbanick~ came")
    later = Chunk("a.0001", "a", None, 1, 2 * STEP, 3 * STEP, 0, 3 * STEP, chunk.left, chunk.right, "")
    assert NameFinder(Glossary((Term("Zorvanik"),))).passages(later, result) == []


def decide(
    terms: Sequence[Term | str], scores: Sequence[Sequence[float]], *sentences: str
) -> list[tuple[str, str] | None]:
    decided = verdicts(passages(terms, *sentences), scores)
    return [None if one is None else (one.term, one.reason) for one in decided]


def test_the_audio_decides() -> None:
    said = "then Zorbanick~ came"
    assert decide(["Zorvanik"], [[-9.0, -2.0]], said) == [("Zorvanik", "audio")]
    assert decide(["Zorvanik"], [[-2.0, -9.0]], said) == [None]
    # What sounds less alike needs more.
    assert decide(["Zorbanet"], [[-9.0, -5.0]], said) == [None]


def test_one_spelling_in_a_recording() -> None:
    said = ("then Zorbanick~ came", "and Zorbanick~ left")
    assert decide(["Zorvanik"], [[-9.0, -2.0], [-5.0, -5.2]], *said) == [
        ("Zorvanik", "audio"),
        ("Zorvanik", "one spelling"),
    ]
    assert decide(["Zorvanik"], [[-9.0, -2.0], [-5.0, -15.0]], *said) == [("Zorvanik", "audio"), None]
    # The same words are one term: the one that the audio of all places speaks for.
    rivals = decide(
        ["Zorbanik", "Zorbanic"], [[-30.0, -10.0, -2.0], [-30.0, -2.0, -10.0], [-30.0, -2.0, -10.0]], *said, said[0]
    )
    assert rivals[0] is not None and rivals[0][0] == rivals[1][0] == rivals[2][0]


def test_what_must_never_be_written_is_not() -> None:
    term = Term("Zorvanik", never=("sore van",))
    assert decide([term], [[-1.0, -20.0]], "then Sore van came") == [("Zorvanik", "never")]


def test_what_must_never_be_written_may_differ_in_capital_letters_and_spaces_only() -> None:
    term = Term("GitHub", never=("Github", "git hub"))
    assert found([term], "then Github, GitHub and git hub") == [("Github", ("GitHub",)), ("git hub", ("GitHub",))]
    assert found([Term("GitHub")], "then Github and git hub") == []


def test_told_sounds_are_judged_although_nobody_doubts() -> None:
    assert found([Term("Zorvanik", sounds=("sour panic",))], "then sour panic came") == [("sour panic", ("Zorvanik",))]


def test_words_are_compared_one_by_one_with_few_of_thousands_of_terms() -> None:
    rng = random.Random(1)
    syllables = [consonant + vowel for consonant in "bdfgklmnprstvz" for vowel in "aeiou"]
    names = sorted({"".join(rng.choices(syllables, k=4)).capitalize() for _ in range(9000)})
    words = [SpokenWord(rng.choice(names).lower(), rng.random()) for _ in range(400)]
    terms = [Term(name) for name in rng.sample(names, 5000)]
    index = TermIndex(terms, "en")

    def search() -> None:
        for at in range(0, len(words), 15):
            index.candidates(words[at : at + 15])

    # A comparison takes several steps; a table of likenesses of all words of a passage to all terms is one.
    assert count_steps(search) < 3 * len(words) * len(terms)


def test_a_term_costs_no_more_among_many_than_among_few() -> None:
    terms = [Term(f"Zorvanik {number}") for number in range(5000)]
    few, many = (count_steps(partial(TermIndex, some, "en")) for some in (terms[:500], terms))
    assert many < 11 * few
