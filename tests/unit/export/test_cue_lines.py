"""Where a cut reads well, how wide text is, and how it breaks into lines."""

from __future__ import annotations

import pytest

from audiogrid.export.cue_lines import (
    break_lines,
    cut_kind,
    fill_lines,
    join_tokens,
    lines_needed,
    make_tokens,
)
from audiogrid.export.line_breaking import width


def words(text: str) -> list[dict[str, object]]:
    return [{"start": float(n), "end": n + 0.9, "word": f" {word}"} for n, word in enumerate(text.split())]


@pytest.mark.parametrize(
    ("text", "following", "kind"),
    [
        ("end.", "Then", "sentence"),
        ("end.”", "Then", "sentence"),
        ("really?!", "", "sentence"),
        ("approx.", "five", "none"),
        ("Mr.", "Smith", "none"),
        ("J.", "Smith", "none"),
        ("well,", "then", "clause"),
        ("plain", "word", "none"),
        ("走吧。", "好", "sentence"),
        ("انتهى؟", "ثم", "sentence"),
    ],
)
def test_what_kind_of_place_a_words_end_is(text: str, following: str, kind: str) -> None:
    assert cut_kind(text, following) == kind


def test_wide_characters_take_two_columns() -> None:
    assert (width("plain"), width("é"), width("今天"), width("")) == (5, 1, 4, 0)


def test_a_word_longer_than_a_line_is_shared_out_in_time_and_text() -> None:
    tokens = make_tokens([{"start": 0.0, "end": 3.0, "word": " " + "ab" * 15}], 12)
    assert [token.text for token in tokens] == ["ab" * 6, "ab" * 6, "ab" * 3]
    assert [token.space for token in tokens] == [True, False, False]
    assert (tokens[0].start, tokens[0].end, tokens[1].start, tokens[2].end) == (0, 1200, 1200, 3000)


def test_spaces_inside_a_word_separate_tokens() -> None:
    assert join_tokens(make_tokens([{"start": 0.0, "end": 1.0, "word": "  one \u3000two "}], 20)) == "one two"


def test_lines_are_as_few_as_possible_and_a_clause_end_is_a_good_place() -> None:
    tokens = make_tokens(words("when it rained hard, they stayed inside all day"), 30)
    assert break_lines(tokens, 0, 30) == ["when it rained hard,", "they stayed inside all day"]
    assert break_lines(tokens, 0, 60) == ["when it rained hard, they stayed inside all day"]
    three = break_lines(tokens, 0, 20)
    assert len(three) == lines_needed(tokens, 0, 20) == 3
    assert max(map(len, three)) <= 20


def test_a_speakers_name_takes_room_on_the_first_line_only() -> None:
    tokens = make_tokens(words("aaaa bbbb cccc dddd"), 10)
    assert fill_lines(tokens, 0, 0, 10, 1) == 2
    assert fill_lines(tokens, 0, 5, 10, 1) == 1
    assert break_lines(tokens, 5, 10)[0] == "aaaa"
