"""Batches: found by name or path, run one after another, each accounted for."""

from __future__ import annotations

import itertools

import pytest

from audiogrid.core.errors import InputError
from audiogrid.orchestration.batches import batch_arguments, find_batches, parse_names, result_lines, run_all


@pytest.fixture
def folder(tmp_path):
    for name in ("hearings.yaml", "b talks.yml", "notes.txt", ".hidden.yaml"):
        (tmp_path / name).write_text("run: x\n")
    return tmp_path


def test_all_there_are_or_those_that_are_named(folder, tmp_path):
    assert [path.name for path in find_batches([], folder)] == ["b talks.yml", "hearings.yaml"]
    assert find_batches(["hearings"], folder) == find_batches(parse_names("hearings.yaml,hearings"), folder)
    assert find_batches(["b talks"], folder)[0].name == "b talks.yml"
    assert find_batches([str(tmp_path / "notes.txt")], folder) == [tmp_path / "notes.txt"]


@pytest.mark.parametrize("text, words", [("hearing", ["'hearing'", "'hearings'"]), ("'x", ["BATCH"])])
def test_a_batch_that_is_not_there(folder, text, words):
    with pytest.raises(InputError) as caught:
        find_batches(parse_names(text), folder)
    for word in words:
        assert word in str(caught.value)


def test_an_empty_folder_says_what_to_put_there(tmp_path):
    with pytest.raises(InputError, match=r"\.yaml"):
        find_batches([], tmp_path)


def test_targets_and_values_keep_their_places(folder):
    got = batch_arguments(folder / "hearings.yaml", ["plan", "--config", "model=small"])
    assert got == [
        *("--profile", "profiles/local", "plan"),
        *("--configfile", str(folder / "hearings.yaml"), "--config", "model=small"),
    ]


def test_a_failed_batch_does_not_stop_the_next(folder):
    batches = find_batches([], folder)
    codes, clock = iter([1, 0]), itertools.count(0, 65)
    ended = run_all(batches, lambda batch: next(codes), lambda: next(clock))
    assert [(one.batch, one.code, one.seconds) for one in ended] == [(batches[0], 1, 65), (batches[1], 0, 65)]
    lines = result_lines(ended, batches)
    assert lines[1].split()[-2:] == ["1", "0:01:05"] and lines[2].split()[-2:] == ["0", "0:01:05"]
    assert lines[3].startswith("1 of 2") and "make batch BATCH='" in lines[4]


def test_an_interruption_ends_it(folder):
    batches = find_batches([], folder)

    def interrupted(batch):
        raise KeyboardInterrupt

    ended = run_all(batches, interrupted, lambda: 0.0)
    assert [one.code for one in ended] == [130]
    assert "not begun" in result_lines(ended, batches)[2]
