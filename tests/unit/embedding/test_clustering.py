"""Clustering: exact average linkage, whatever the order; voices stay when the recording is repeated or made longer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiogrid.embedding.clustering import Count, average_linkage, find_voices, labels_of, unit

SECOND = 16_000


def plain_average_linkage(vectors: np.ndarray, threshold: float) -> list[set[int]]:
    """The definition: join the two clusters with the highest mean cosine until none reaches the threshold."""
    clusters = [{index} for index in range(len(vectors))]
    cosine = vectors @ vectors.T
    while len(clusters) > 1:
        means = {
            (a, b): float(np.mean([cosine[i, j] for i in clusters[a] for j in clusters[b]]))
            for a in range(len(clusters))
            for b in range(a + 1, len(clusters))
        }
        (a, b), best = max(means.items(), key=lambda item: item[1])
        if best < threshold:
            break
        clusters[a] |= clusters.pop(b)
    return sorted(clusters, key=min)


def grouped(labels: np.ndarray) -> list[set[int]]:
    return sorted(({int(i) for i in np.flatnonzero(labels == label)} for label in set(labels.tolist())), key=min)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("threshold", [0.05, 0.3, 0.6])
def test_chains_find_what_the_definition_finds(seed: int, threshold: float) -> None:
    random = np.random.default_rng(seed)
    centres = random.normal(size=(3, 6))
    vectors = unit(centres[random.integers(0, 3, 24)] + 0.8 * random.normal(size=(24, 6)))
    merges = average_linkage(vectors, np.ones(24), threshold)
    assert grouped(labels_of(24, merges, threshold)) == plain_average_linkage(vectors, threshold)


class Talk:
    """Voices at right angles, tracklets of 1.5 s scattered around them."""

    def __init__(self, voices: list[int], spread: float = 0.08, seed: int = 1, d: int = 48) -> None:
        random = np.random.default_rng(seed)
        self.who = voices
        centres = np.linalg.qr(np.random.default_rng(0).normal(size=(d, d)))[0]
        self.vectors = centres[voices] + spread * random.normal(size=(len(voices), d))
        self.starts = [2 * SECOND * index for index in range(len(voices))]
        self.lengths = [3 * SECOND // 2] * len(voices)

    def voices(self, count: Count | None = None) -> np.ndarray:
        return find_voices(self.vectors, self.starts, self.lengths, self.lengths, count)

    def labels(self, count: Count | None = None) -> list[int]:
        return (unit(self.vectors) @ self.voices(count).T).argmax(axis=1).tolist()


def is_same_grouping(left: list[int], right: list[int]) -> bool:
    return len(set(zip(left, right, strict=True))) == len(set(left)) == len(set(right))


@pytest.mark.parametrize("voices", [1, 2, 7, 30])
def test_the_number_of_voices_is_found(voices: int) -> None:
    talk = Talk([number % voices for number in range(max(40, 12 * voices))])
    assert is_same_grouping(talk.labels(), talk.who)


@given(st.randoms(use_true_random=False))
def test_the_order_of_tracklets_in_a_block_does_not_matter(random: object) -> None:
    talk = Talk([0, 1, 2, 0, 1, 0] * 6)
    order = list(range(len(talk.who)))
    random.shuffle(order)  # type: ignore[attr-defined]
    found = find_voices(talk.vectors[order], [0] * len(order), talk.lengths, talk.lengths)
    labels = (unit(talk.vectors[order]) @ found.T).argmax(axis=1).tolist()
    assert is_same_grouping(labels, [talk.who[index] for index in order])


def test_a_recording_repeated_has_the_same_voices() -> None:
    once = Talk([0, 1, 2, 1] * 20)
    assert len(once.voices()) == 3
    again = Talk([0, 1, 2, 1] * 20 * 12)
    assert is_same_grouping(again.labels(), again.who)


@given(st.floats(0.001, 1000))
def test_the_length_of_vectors_does_not_matter(scale: float) -> None:
    talk = Talk([0, 1] * 15)
    before = talk.labels()
    talk.vectors = talk.vectors * scale
    assert talk.labels() == before


def test_a_cough_is_no_voice() -> None:
    talk = Talk([0] * 30 + [5] + [1] * 30)
    assert len(talk.voices()) == 2


def test_a_voice_of_three_seconds_counts_in_a_short_recording_and_not_in_a_long_one() -> None:
    assert len(Talk([0] * 40 + [5] * 2).voices()) == 2
    assert len(Talk([0] * 4000 + [5] * 2).voices()) == 1


@pytest.mark.parametrize(("count", "found"), [(Count(2, 2), 2), (Count(4, 4), 4), (Count(2, 6), 4), (Count(5, 9), 5)])
def test_a_given_number_is_met_where_the_tree_has_it(count: Count, found: int) -> None:
    talk = Talk([0, 1, 2, 3] * 25, spread=0.13)
    if found > 4:
        # Two halves of a voice that differ a little: to be parted only on request.
        talk.vectors[::8, -1] += 0.6
    assert len(talk.voices(count)) == found


def test_one_voice_stays_near_one_when_three_are_asked_for() -> None:
    assert 1 <= len(Talk([0] * 60, spread=0.02).voices(Count(3, 3))) <= 3


def test_short_turns_alone_still_give_a_voice() -> None:
    talk = Talk([0, 1] * 10)
    short = [SECOND // 3] * 20
    assert len(find_voices(talk.vectors, talk.starts, short, short)) == 2
    assert len(find_voices(np.zeros((0, 4)), [], [], [])) == 0


@pytest.mark.parametrize("seconds", [0.5, 0.7, 1.2])
def test_voices_are_found_in_quick_turns_beside_a_few_long_ones(seconds: float) -> None:
    # One voice alone has a tracklet of a second and more: the others must not be counted to it.
    talk = Talk([0, 1, 2, 3] * 20)
    lengths = [round(seconds * SECOND)] * 80
    lengths[0] = 3 * SECOND
    assert len(find_voices(talk.vectors, talk.starts, lengths, lengths)) == 4


def test_short_tracklets_have_no_say_where_long_ones_hold_most_of_the_speech() -> None:
    talk = Talk([0, 1] * 20 + [2] * 8)
    lengths = [3 * SECOND // 2] * 40 + [SECOND // 2] * 8
    assert len(find_voices(talk.vectors, talk.starts, lengths, lengths)) == 2


@pytest.mark.parametrize("spread", [0.05, 0.1])
def test_nobody_is_cut_into_as_many_voices_as_were_asked_for(spread: float) -> None:
    assert len(Talk([0] * 60, spread).voices(Count(3, 3))) == 1
    assert len(Talk([0, 1] * 30, spread).voices(Count(4, 4))) == 2
