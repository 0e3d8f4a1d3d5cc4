"""The index of a run: what is found is what a reader of all lines would find."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audiogrid.core.errors import InputError
from audiogrid.core.search_terms import term_of, term_pattern
from audiogrid.searching.index_files import part_file, read_contents
from audiogrid.searching.query import Term, parse_query
from audiogrid.searching.search_index import Filter, SearchIndex, as_json
from search_indexes import document, write_search


def index_of(root, *documents):
    write_search(root, documents)
    return SearchIndex(root / "search" / "made")


def found(index, query, **only):
    return [
        (hit.recording.recording, [hit.text[a:b] for a, b in hit.found]) for hit in index.search(query, Filter(**only))
    ]


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("winter garden", [[Term("winter")], [Term("garden")]]),
        ('"winter garden" x', [[Term("winter"), Term("garden")], [Term("x")]]),
        ("gard* don't", [[Term("gard", True)], [Term("don"), Term("t")]]),
        ('"not closed', [[Term("not"), Term("closed")]]),
        ("„deutsche Worte“", [[Term("deutsche"), Term("worte")]]),
        ("东京", [[Term("东"), Term("京")]]),
        ('.* + "" * ( [', []),
        ("", []),
    ],
)
def test_queries(query, wanted):
    assert parse_query(query) == wanted


def test_what_a_hit_says(tmp_path):
    index = index_of(
        tmp_path / "run",
        document("empty", []),
        document("talk", ["one two", "three Four five"], speakers=["Ann", "Bob"], date="2024-05", path="in/a talk.mp3"),
    )
    (hit,) = index.search("four")
    assert hit.seconds == pytest.approx(4.2)
    assert hit.recording.page == "transcripts/talk.html"
    assert as_json(hit) == {
        "recording": "talk",
        "seconds": hit.seconds,
        "speaker": "Bob",
        "language": "en",
        "date": "2024-05",
        "text": "three Four five",
        "found": [[6, 10]],
    }


def test_filters(tmp_path):
    index = index_of(
        tmp_path / "run",
        document("old", ["a word"], date="1999", language="fr"),
        document("new", ["a word", "a word"], date="2024-05-31", speakers=["Ann Miller", "Bob"]),
        document("undated", ["a word"]),
    )
    names = lambda **only: [name for name, _ in found(index, "word", **only)]  # noqa: E731
    assert names() == ["old", "new", "new", "undated"]
    assert names(recording="NEW.wav") == ["new", "new"]
    assert names(language="fr") == ["old"]
    assert names(speaker="miller") == ["new"]
    assert names(since="2000") == ["new", "new"]
    assert names(until="2024-05") == ["old", "new", "new"]
    assert names(since="1999-06", until="2024") == ["new", "new"]


def test_a_name_is_found_with_and_without_the_dot_in_its_middle(tmp_path):
    index = index_of(tmp_path / "run", document("talk", ["ジョン・スミス です"]))
    for query in ("ジョン・スミス", "ジョンスミス", '"ン ス"'):
        assert len(found(index, query)) == 1, query


WORDS = st.sampled_from("the of winter Winter gardens garden don't 东京 京 é e का ン・ス ـ".split())
LINES = st.lists(st.lists(WORDS, min_size=1, max_size=8).map(" ".join), max_size=5)


@settings(max_examples=60, deadline=None)
@given(st.lists(LINES, max_size=5), st.lists(WORDS, min_size=1, max_size=3), st.booleans(), st.booleans())
def test_an_index_finds_what_reading_every_line_finds(tmp_path_factory, texts, words, is_phrase, is_prefix):
    documents = [document(f"r{number}", lines) for number, lines in enumerate(texts)]
    index = index_of(tmp_path_factory.mktemp("search") / "run", *documents)
    joined = " ".join(words) + ("*" if is_prefix else "")
    query = f'"{joined}"' if is_phrase else joined
    wanted = []
    for number, lines in enumerate(texts):
        for line in lines:
            terms = [term_of(one) for one in term_pattern().findall(line)]
            phrases = parse_query(query)
            if phrases and all(stands_in(phrase, terms) for phrase in phrases):
                wanted.append((f"r{number}", line))
    assert [(hit.recording.recording, hit.text) for hit in index.search(query)] == wanted


def stands_in(phrase, terms):
    def fits(wanted, term):
        return term.startswith(wanted.text) if wanted.is_prefix else term == wanted.text

    spans = (terms[at : at + len(phrase)] for at in range(len(terms) - len(phrase) + 1))
    return any(all(map(fits, phrase, span)) for span in spans)


def test_an_index_is_the_same_however_little_memory_it_has(tmp_path):
    documents = [document(f"r{n}", ["the winter of the garden", "garden of 东京"] * 5) for n in range(6)]
    write_search(tmp_path / "small", documents, in_memory=10)
    write_search(tmp_path / "large", documents, in_memory=10_000)

    def positions(root):
        index = SearchIndex(root / "search" / "made")
        return [index.positions(Term(term)).tolist() for term in ("", "the", "garden", "东", "nothere")]

    assert positions(tmp_path / "small") == positions(tmp_path / "large")


def test_a_damaged_index_says_what_to_do(tmp_path):
    index = index_of(tmp_path / "run", document("talk", ["some words"]))
    folder = tmp_path / "run" / "search" / "made"
    part_file(folder, "p0").write_text("oops")
    with pytest.raises(InputError, match=r"p/0\.js cannot be read .*: delete .*search and .*search\.html and run"):
        list(index.search("words"))
    path = part_file(folder, "index")
    path.write_text(path.read_text().replace('"version":1', '"version":99'))
    with pytest.raises(InputError, match="another version"):
        read_contents(folder)
