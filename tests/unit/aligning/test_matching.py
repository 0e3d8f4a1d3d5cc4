"""Words of a text against words that were heard."""

from __future__ import annotations

import random

from audiogrid.aligning.matching import Run, match_words

TEXT = "the old man went home . the old man sat down and then the dog came in".replace(" .", "").split()


def different(runs: list[Run]) -> list[tuple[int, int, int, int]]:
    return [(run.first, run.last, run.heard_first, run.heard_last) for run in runs if not run.is_same]


def test_runs_cover_both_sides_in_order() -> None:
    rng = random.Random(1)
    for _ in range(200):
        text = [rng.choice("abcdef") for _ in range(rng.randrange(30))]
        heard = [rng.choice("abcdef") for _ in range(rng.randrange(30))]
        runs = match_words(text, heard)
        assert [index for run in runs for index in range(run.first, run.last)] == list(range(len(text)))
        assert [index for run in runs for index in range(run.heard_first, run.heard_last)] == list(range(len(heard)))
        for run in runs:
            if run.is_same:
                assert text[run.first : run.last] == heard[run.heard_first : run.heard_last]


def test_a_left_out_sentence_is_found_as_a_whole_although_the_next_begins_alike() -> None:
    starts = {0, 5, 10}
    heard = TEXT[5:]
    assert different(match_words(TEXT, heard, lambda index: index in starts)) == [(0, 5, 0, 0)]
    added = [*TEXT[:5], *"the old man sang".split(), *TEXT[5:]]
    found = different(match_words(TEXT, added, lambda index: index in starts, lambda index: index in {0, 5, 9}))
    assert found == [(5, 5, 5, 9)]


def test_a_misheard_word_beside_a_sentence_that_only_the_text_has_is_parted_from_it() -> None:
    text = "we met in hamburg nobody else was there that day and left".split()
    heard = "we met in humbug and left".split()
    assert different(match_words(text, heard)) == [(3, 4, 3, 4), (4, 10, 4, 4)]


def test_words_that_agree_by_chance_do_not_split_a_passage() -> None:
    text = [
        *"one two three four".split(),
        *"red green the blue black pink grey gold".split(),
        *"five six seven".split(),
    ]
    heard = [*"one two three four".split(), *"sun moon the star sky rain wind snow".split(), *"five six seven".split()]
    assert len(different(match_words(text, heard))) == 1


def test_a_long_text_takes_no_memory_of_its_square() -> None:
    rng = random.Random(2)
    words = [f"w{rng.randrange(5000)}" for _ in range(60_000)]
    heard = [word for word in words if rng.random() > 0.05]
    runs = match_words(words, heard)
    assert sum(run.words for run in runs if run.is_same) > 0.95 * len(heard)
