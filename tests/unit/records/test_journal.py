import json

import pytest

from audiogrid.records.chunks import Chunk, Seam, ShardFacts
from audiogrid.records.journal import Journal, read_entries, read_history
from audiogrid.records.outcome import Outcome

EDGE = Seam("edge", 0, 0)
FACTS = ShardFacts(
    [Chunk("a.0000", "a", None, 0, 0, 16000, 0, 16000, EDGE, EDGE, "00")], {"a.0000": "k"}, {"b": "gone"}
)


def test_a_journal_is_read_back(tmp_path):
    journal = Journal(tmp_path, "s0001", "spec")
    journal.begin(FACTS, 2)
    journal.outcome(Outcome("a.0000", "k", "decoded", 16000, 0.5))
    journal.end("done")
    history = read_history(tmp_path, "s0001", "spec")
    assert history.facts == FACTS
    assert history.outcomes["a.0000"].status == "decoded"
    assert (history.attempts, history.workers, history.ended) == (1, 2, "done")


def test_a_line_cut_short_by_a_kill_is_left_out(tmp_path):
    journal = Journal(tmp_path, "s0001", "spec")
    journal.begin(FACTS, 1)
    with journal.path.open("a") as file:
        file.write('{"event": "chunk", "chu')
    history = read_history(tmp_path, "s0001", "spec")
    assert history.attempts == 1
    assert history.outcomes == {}
    assert history.ended is None


@pytest.mark.parametrize(
    "left", ["", "\n", '{"event": "begin", "sp', '{"event": "begin", "sp{"event": "end"}\n', "[]\n"]
)
def test_a_journal_that_a_full_disk_left_without_a_beginning_says_nothing(tmp_path, left):
    """It may be the only one of its shard, or one of several: the next attempt must not stumble over it."""
    (tmp_path / "s0001.node.17.jsonl").write_text(left)
    assert read_history(tmp_path, "s0001", "spec").attempts == 0
    Journal(tmp_path, "s0001", "spec").begin(FACTS, 2)
    assert read_history(tmp_path, "s0001", "spec").attempts == 1


def test_a_later_attempt_overrides_and_another_spec_is_ignored(tmp_path):
    for spec, status in (("old", "decoded"), ("spec", "failed"), ("spec", "decoded")):
        journal = Journal(tmp_path, "s0001", spec)
        journal.begin(FACTS, 1)
        journal.outcome(Outcome("a.0000", "k", status, 16000))
    history = read_history(tmp_path, "s0001", "spec")
    assert history.attempts == 2
    assert history.outcomes["a.0000"].status == "decoded"
    assert read_history(tmp_path, "s0002", "spec").attempts == 0


SIGNED = 'got "https://host/x.wav?sig=abc" no'


def test_secrets_in_sentences_are_masked_and_the_line_stays_readable(tmp_path):
    journal = Journal(tmp_path, "s0001", "spec")
    facts = ShardFacts(problems={"b": SIGNED}, notes={"b": SIGNED}, remarks={"b": [SIGNED]})
    journal.begin(facts, 1, {"device": "cpu", "gpus": [], "why": SIGNED})
    journal.outcome(Outcome("a.0000", "k", "failed", 1, error=SIGNED, notes=(SIGNED,)))
    journal.warning(SIGNED)
    journal.end(SIGNED)
    begin, chunk, warning, end = read_entries(journal.path)
    hidden = 'got "https://host/x.wav?sig=***" no'
    assert begin["device"]["why"] == begin["facts"]["problems"]["b"] == begin["facts"]["notes"]["b"] == hidden
    assert begin["facts"]["remarks"] == {"b": [hidden]}
    assert (chunk["error"], chunk["notes"]) == (hidden, [hidden])
    assert (warning["text"], end["reason"]) == (hidden, hidden)


def test_names_that_look_like_tokens_stay_names(tmp_path):
    name = "hf_Interview2024Session01"
    journal = Journal(tmp_path, "s0001", "spec")
    chunk = Chunk(f"{name}.0000", name, None, 0, 0, 16000, 0, 16000, EDGE, EDGE, "00")
    facts = ShardFacts([chunk], {chunk.chunk: "k"}, {}, {name: "ends early"}, {name: ["two channels are the same"]})
    journal.begin(facts, 1)
    journal.outcome(Outcome(chunk.chunk, "k", "decoded", 16000))
    history = read_history(tmp_path, "s0001", "spec")
    assert history.facts == facts
    assert list(history.outcomes) == [chunk.chunk]


@pytest.mark.parametrize("mark", ["\u2028", "\u2029", "\x85", "\x0c", "\r"])
def test_only_a_line_feed_ends_an_entry(tmp_path, mark):
    journal = Journal(tmp_path, "s0001", "spec")
    journal.warning(f"one{mark}two\nthree")
    journal.end("done")
    assert [entry.get("text", entry.get("reason")) for entry in read_entries(journal.path)] == [
        f"one{mark}two\nthree",
        "done",
    ]
    assert json.loads(journal.path.read_text(encoding="utf-8").split("\n")[1])["event"] == "end"
