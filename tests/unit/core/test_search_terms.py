"""What a search compares."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiogrid.core.search_terms import term_of, term_pattern


def terms(text):
    return [term_of(found) for found in term_pattern().findall(text)]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Don't STOP, 3,000 (times)!", ["don", "t", "stop", "3", "000", "times"]),
        ("naïve Über Straße Łódź", ["naive", "uber", "strasse", "lodz"]),
        ("na\u0131ve e\u0301te\u0301", ["naive", "ete"]),
        ("我们在东京", list("我们在东京")),
        ("カラ がか", ["カ", "ラ", "が", "か"]),
        ("ジョン・スミス", list("ジョンスミス")),
        ("๏กา ฿5 ១។ ⺀", ["ก", "า", "5", "១"]),
        ("ـ ـــب عـــرب \ufe70", ["ب", "عرب"]),
        ("กินข้าว", ["กิ", "น", "ข้", "า", "ว"]),
        ("العَرَبِيَّة", ["العربية"]),
        ("שָׁלוֹם", ["שלום"]),
        ("किताब", ["किताब"]),
        ("Σίσυφος ΣΙΣΥΦΟΣ", ["σισυφοσ", "σισυφοσ"]),
        ("می\u200cخواهم soft\u00adhyphen", ["میخواهم", "softhyphen"]),
        ("ﬁne 𝒳 x² <b>.*[a-z]", ["fine", "x", "x2", "b", "a", "z"]),
        ("", []),
        ("… — _ ", []),
    ],
)
def test_terms(text, wanted):
    assert terms(text) == wanted


@given(st.text())
def test_a_term_is_its_own_term(text):
    for term in terms(text):
        assert term and term_of(term) == term


def test_no_term_is_empty():
    """A match that is compared as nothing would be a hole in the positions of a line."""
    for code in range(sys.maxunicode + 1):
        assert "" not in terms(chr(code)), hex(code)
