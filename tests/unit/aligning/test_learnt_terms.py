"""Names that a glossary learns from corrections."""

from __future__ import annotations

from pathlib import Path

from audiogrid.aligning.glossary_file import Term, read_glossary
from audiogrid.aligning.learnt_halves import HalfResult, learnt_halves, with_terms
from audiogrid.aligning.learnt_terms import learnt_terms, ordinary_words

DOCUMENT = {
    "segments": [
        {"words": [{"word": word} for word in (" Then", " the", " clock,", " said", " Mr.", " Zorbanick’s", " then")]}
    ]
}


def test_names_are_learnt_with_what_was_heard() -> None:
    pairs = [
        ("met Zorbanick, who", "met Zorvanik, who"),
        ("Sorbanik's", "Zorvanik's"),
        ("Jell-Up Varking came", "Jelot Varckgain came"),
    ]
    assert learnt_terms(pairs, frozenset(), "en") == [
        Term("Jelot Varckgain", ("Jell-Up Varking",)),
        Term("Zorvanik", ("Zorbanick", "Sorbanik")),
    ]


def test_other_corrections_are_not() -> None:
    ordinary = ordinary_words([DOCUMENT])
    assert ordinary == {"the", "clock", "said", "then"}
    pairs = [
        ("the clock", "the cluck"),
        ("They came", "Then came"),
        ("met Peter", "met Zorvanik"),
        ("zorvanik", "Zorvanik"),
        ("nobody", ""),
        ("", "Zorvanik"),
        ("a", "Ø"),
    ]
    assert learnt_terms(pairs, ordinary, "en") == []


def test_scripts_without_capital_letters() -> None:
    assert learnt_terms([("שלוום", "שאלום")], frozenset(), "he") == [Term("שאלום", ("שלוום",))]


def test_what_half_of_the_corrections_teaches_the_other_half() -> None:
    def word(text: str, own: str | None = None) -> dict[str, str]:
        return {"word": f" {text}"} | ({} if own is None else {"own": f" {own}"})

    words = [
        word("then"),
        word("Zorvanik", "Zorbanick"),
        word("met"),
        word("Zorvanik,", "Zorbanick,"),
        word("who"),
        word("said", "set"),
        word("nothing"),
    ]
    document = {"language": "en", "segments": [{"words": words}]}

    def errors(right: str, text: str) -> int:
        return sum(one != other for one, other in zip(right.split(), text.split(), strict=True))

    # From the first and the third correction: the name. From the second: the same name.
    assert learnt_halves(document, ordinary_words([document]), errors) == HalfResult(3, 1, 2)
    assert with_terms("“Zor banick’s", [Term("Zorvanik", ("zor Banick",))]) == "“Zorvanik’s"


def test_what_the_glossary_did_wrong_teaches_no_name() -> None:
    undone = [("Sotheby's", "Sothebee's"), ("Zorvanik", "Zorbanick")]
    pairs = [("at Sotheby's,", "at Sothebee's,"), ("Zorvanik", "Zorbanick")]
    assert learnt_terms(pairs, frozenset(), "en", undone) == []
    assert learnt_terms([("Zorbanick", "Zorvanik")], frozenset(), "en", undone) == [Term("Zorvanik", ("Zorbanick",))]


def test_what_is_printed_can_be_read_again(tmp_path: Path) -> None:
    pairs = [
        ("met Zor|banick, who", "met Zorvanik, who"),
        ("Tavrin\t\u2028Ostello", "Tavrin\nOstalow"),
        ("M" + "o" * 150, "M" + "o" * 151),
    ]
    terms = learnt_terms(pairs, frozenset(), "en")
    path = tmp_path / "names.tsv"
    path.write_text("term\tsounds\n" + "".join(f"{one.text}\t{'|'.join(one.sounds)}\n" for one in terms))
    assert (
        list(read_glossary(path).terms) == terms == [Term("Ostalow", ("Ostello",)), Term("Zorvanik", ("Zor banick",))]
    )
