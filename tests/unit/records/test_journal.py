from audiogrid.records.chunks import Chunk, Seam, ShardFacts
from audiogrid.records.journal import Journal, read_history
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


def test_a_later_attempt_overrides_and_another_spec_is_ignored(tmp_path):
    for spec, status in (("old", "decoded"), ("spec", "failed"), ("spec", "decoded")):
        journal = Journal(tmp_path, "s0001", spec)
        journal.begin(FACTS, 1)
        journal.outcome(Outcome("a.0000", "k", status, 16000))
    history = read_history(tmp_path, "s0001", "spec")
    assert history.attempts == 2
    assert history.outcomes["a.0000"].status == "decoded"
    assert read_history(tmp_path, "s0002", "spec").attempts == 0
