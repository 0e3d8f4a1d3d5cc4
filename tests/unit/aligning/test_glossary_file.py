"""Glossaries as people write them, and what they get wrong."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import pytest

from audiogrid.aligning.glossary_file import Term, read_glossary
from audiogrid.core.errors import InputError
from counting import count_steps


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "names.tsv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_table_and_a_plain_list(tmp_path: Path) -> None:
    head = "# people\n\nterm\tsounds\tlanguages\tnever\n"
    table = f"{head}Zorvanik\tsore vanic|Sorwanik\ten, German\tZorbanic\n Ana  María \n"
    assert read_glossary(written(tmp_path, table)).terms == (
        Term("Zorvanik", ("sore vanic", "Sorwanik"), ("en", "de"), ("Zorbanic",)),
        Term("Ana María"),
    )
    plain = "Zorvanik\r\nשלום עליכם\n北京站\n<b>Böhm</b>\n".encode("utf-8-sig")
    assert [term.text for term in read_glossary(written(tmp_path, plain)).terms] == [
        "Zorvanik",
        "שלום עליכם",
        "北京站",
        "<b>Böhm</b>",
    ]
    assert read_glossary(written(tmp_path, "Łódź\n".encode("utf-16"))).terms == (Term("Łódź"),)


def test_a_term_of_several_lines_is_one(tmp_path: Path) -> None:
    text = "term\tsounds\tlanguages\nZorvanik\tsorvanik\ten\nZorvanik\tzor vanic\tde\nZorvanik\t\t\n"
    assert read_glossary(written(tmp_path, text)).terms == (Term("Zorvanik", ("sorvanik", "zor vanic")),)


@pytest.mark.parametrize("before", ["Tavrin\n", "term\tlanguages\tsounds\nTavrin\t\t\n", "# people\n"])
def test_a_table_may_be_added_to_a_glossary(tmp_path: Path, before: str) -> None:
    """`audiogrid corrections terms >> names.tsv` prints a first line of its own."""
    found = read_glossary(written(tmp_path, f"{before}term\tsounds\nZorvanik\tsore van ick\n")).terms
    assert [term for term in found if term.text != "Tavrin"] == [Term("Zorvanik", ("sore van ick",))]
    assert [term.text for term in found] == [*["Tavrin"] * ("Tavrin" in before), "Zorvanik"]
    # A term alone may be called so.
    assert Term("term") in read_glossary(written(tmp_path, "Zorvanik\nterm\n")).terms


def test_short_terms_are_left_out_and_told(tmp_path: Path) -> None:
    found = read_glossary(written(tmp_path, "X\nZorvanik\n…\n"))
    assert [term.text for term in found.terms] == ["Zorvanik"]
    assert [remark.split(":")[0] for remark in found.remarks] == ["line 1", "line 3"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "has no terms"),
        ("# nothing\n\n", "has no terms"),
        ("term\tsounds\n", "has no terms that can be used"),
        ("a\n", "has no terms that can be used: line 1"),
        ("name\tsounds\nZorvanik\t\n", "line 1: the first line of a table names its columns"),
        ("term\tsound\nZorvanik\t\n", "line 1: unknown column 'sound'"),
        ("Term, sounds\nZorvanik,sorvanik\n", "line 1: separate the columns by tabs"),
        ("term;languages;sounds\nZorvanik;en;\n", "line 1: separate the columns by tabs"),
        ("term\tterm\nZorvanik\t\n", "line 1: a column occurs twice"),
        ("term\tlanguages\n\nZorvanik\tklingon\n", "line 3: languages: 'klingon' is not a language"),
        ("term\tlanguages\nZorvanik\tauto\n", "line 2: languages: leave it empty"),
        ("term\tsounds\n\tsorvanik\n", "line 2: the column term is empty"),
        ("sounds\tterm\nsorvanik\n", "line 2: the column term is empty"),
        ("term\tsounds\nZorvanik\tsorvanik\tde\n", "line 2: 'de' has no column"),
        ("one two three four five six seven\n", "line 1: 'one two three four five six seven'… is no term"),
        ("Zor\x0bvanik\nMor\u2028len\nSolden\tx\n", "line 3: 'x' has no column"),
        ("term\tnever\nZorvanik\tMorlen\nMorlen\t\n", "'Morlen' must never be written instead of 'Zorvanik', but is"),
        (b"Zorvanik\nB\xf6hm\n", "line 2: it is not UTF-8"),
        (b"Zor\0vanik\n", "is not a text"),
    ],
)
def test_mistakes_name_file_and_line(tmp_path: Path, text: str | bytes, told: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(InputError) as error:
        read_glossary(path)
    assert str(path) in str(error.value) and told in str(error.value)


def test_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        read_glossary(tmp_path / "absent.tsv")
    with pytest.raises(InputError, match="is a folder"):
        read_glossary(tmp_path)
    # Reading one of these would never end.
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(InputError, match="is no ordinary file"):
            read_glossary(path)


def test_a_line_costs_no_more_in_a_large_file_than_in_a_small_one(tmp_path: Path) -> None:
    def read(count: int) -> None:
        path = written(tmp_path, "".join(f"Term {number}\n" for number in range(count)))
        assert len(read_glossary(path).terms) == count

    few, many = (count_steps(partial(read, count)) for count in (1000, 10_000))
    assert many < 11 * few
