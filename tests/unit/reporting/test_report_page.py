"""The account of a run from what its jobs left, and the page made of it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from audiogrid.core.atomic_files import write_json
from audiogrid.merging.doubtful_passages import worst_passages
from audiogrid.merging.merge_bundle import Failure, MergedBundle
from audiogrid.records.chunks import ShardFacts
from audiogrid.records.journal import Journal
from audiogrid.records.outcome import Outcome
from audiogrid.records.plan import Plan, Recording, Settings, Shard
from audiogrid.records.prices import Prices
from audiogrid.records.run_folder import RunFolder
from audiogrid.reporting.attempts import Attempt, Task, clock_at_work, read_attempts, spans_at_work
from audiogrid.reporting.bundle_sum import LISTED, PASSAGES
from audiogrid.reporting.gathered_run import ROWS, WORST_SHOWN, gather
from audiogrid.reporting.report_data import ReportData, compute_usage, read_report_data
from audiogrid.reporting.report_page import render_report

HOSTILE = "</script><b>\"x'&"


def row(name: str, **more: Any) -> dict[str, Any]:
    figures = {"duration_s": 60.0, "speech_s": 45.0, "words": 100, "low_confidence_share": 0.02, "windows": 4}
    counts = {"flagged": 1, "redecoded": 1, "kept_careful": 1, "seams": 0, "hard_seams": 0}
    about = {"path": f"in/{name}.mp3", "status": "complete", "language": "en", "note": "", "variant": "", "model": "m"}
    return {"recording": name, **about, **figures, **counts, **more}


def plan(*names: str) -> Plan:
    second = 16_000
    recordings = [Recording(name, f"in/{name}.mp3", 1, 1, 60 * second, 1, "mix", 1) for name in names]
    settings = Settings("m", {"m": "f" * 64}, {"beam_size": 1}, 5, 60, 600, 1, 0)
    shard = Shard("s0001", "spec", [f"{name}.0000" for name in names], ["b0001"], 60 * second, "m", "auto")
    return Plan(settings, recordings, [], [shard])


def attempt(began: float, ended: float, **more: Any) -> Attempt:
    made = Attempt("s0001", "node1", began, ended, workers=2, threads=3, reason="done")
    for name, value in more.items():
        setattr(made, name, value)
    return made


def account_of(folder: Path, *bundles: MergedBundle, **more: Any) -> ReportData:
    """What a run with these bundles has, in a folder of its own."""
    for one in bundles:
        one.write(folder / "merged" / f"{one.bundle}.json", 1)
    run = gather(RunFolder(folder), {one.bundle: len(one.rows) for one in bundles})
    return ReportData(sums=run.total, rows=run.rows, **more)


def page(account: ReportData, config: Path = Path("none"), prices: Prices | None = None) -> str:
    return render_report(account, "run<1>", config, prices or Prices())


def test_attempts_are_read_from_journals(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    old = Journal(folder.journal, "s0001", "another spec")
    old.begin(ShardFacts(), 1)
    old.outcome(Outcome("a.0000", "k", "decoded", 16_000, 5.0))
    journal = Journal(folder.journal, "s0001", "spec")
    journal.begin(ShardFacts(), 2, threads=4)
    journal.outcome(Outcome("a.0000", "k", "stored", 16_000))
    for name in ("b.0000", "c.0000"):
        journal.outcome(
            Outcome(name, "k", "decoded", 160_000, 2.0, began=100.0, worker="node1/7", device="cuda", memory_mb=700)
        )
    journal.outcome(Outcome("d.0000", "k", "failed", 16_000, error="died"))
    journal.warning("a decoding process died")
    with journal.path.open("a") as file:
        file.write('{"event": "chunk", "at": 1}\n{"cut sho')
    (found,) = read_attempts(folder, {"s0001": "spec"})
    assert (found.decoded, found.stored, found.failed, found.gpu) == (2, 1, 1, True)
    assert (found.audio, found.busy, found.workers, found.threads) == (20.0, 4.0, 2, 4)
    assert found.reason is None
    assert compute_usage([found]).memory_mb == 700
    assert [text for _, text in found.warnings] == ["a decoding process died"]
    assert list(found.tasks.values()) == [Task("node1/7", "s0001", 100.0, 4.0, ["b.0000", "c.0000"])]


def test_workers_that_share_a_gpu_occupy_one(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    journal = Journal(folder.journal, "s0001", "spec")
    journal.begin(ShardFacts(), 4, {"device": "cuda", "gpus": ["a", "b"], "per_gpu": 2}, threads=4)
    journal.outcome(Outcome("a.0000", "k", "decoded", 160_000, 6.0, device="cuda"))
    (found,) = read_attempts(folder, {"s0001": "spec"})
    found.ended = found.began + 10
    spent = compute_usage([found])
    assert (spent.reserved_gpus, spent.busy_gpus) == (20, 3)


def test_time_between_two_starts_counts_for_nothing() -> None:
    spans = spans_at_work([attempt(100, 110), attempt(105, 120), attempt(1000, 1010)])
    assert spans == [(100, 120), (1000, 1010)]
    at = clock_at_work(spans)
    assert [at(moment) for moment in (90, 110, 500, 1005, 2000)] == [0, 10, 20, 25, 30]


def test_what_it_took_and_what_that_costs() -> None:
    spent = compute_usage(
        [attempt(0, 3600, audio=7200.0, busy=1800.0), attempt(0, 1800, gpu=True, busy=1000.0, audio=10_000.0)]
    )
    assert spent.speed == pytest.approx(17_200 / 3600)
    assert (spent.reserved_cores / 3600, spent.reserved_gpus / 3600) == (6.0, 1.0)
    assert (spent.busy_cores, spent.busy_gpus) == (5400, 1000)
    assert spent.cost(Prices(0.5, 2.0)) == 5.0
    assert spent.cost(Prices()) is None


def test_what_was_taken_from_the_store_was_not_decoded_by_an_earlier_attempt() -> None:
    first = attempt(0, 10, tasks={("w", 0.0): Task("w", "s0001", 0.0, 5.0, ["a.0000"])}, decoded=1)
    again = attempt(20, 30, stored=2)
    assert compute_usage([first, again]).stored == 1


def test_the_account_compares_with_what_was_expected(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    write_json(folder.estimate, {"speeds": {"m": {"per_core": 20.0, "source": "a guess"}}, "cores": 2})
    journal = Journal(folder.journal, "s0001", "spec")
    journal.begin(ShardFacts(), 1)
    journal.outcome(Outcome("a.0000", "k", "decoded", 60 * 16_000, 6.0, began=1.0, worker="n/1"))
    journal.end("done")
    merged = MergedBundle("b0001", rows=[row("a")], files={"a": {"html": {"path": "transcripts/a.html"}}})
    merged.write(folder.merged / "b0001.json", 1)
    account = read_report_data(folder, plan("a", "b"), gather(folder, {"b0001": 2}))
    assert account.estimate is not None
    assert account.estimate.core_seconds == pytest.approx(3.0)
    assert account.total == 2
    made = page(account)
    assert "2.00×" in made
    assert 'href="transcripts/a.html"' in made
    assert "run&lt;1&gt;" in made


def test_a_run_that_failed_before_its_plan_has_a_page(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.rejected.write_text("recording\tpath\treason\nx\tin/x.mp3\tIt is empty.\n")
    made = page(read_report_data(folder, None))
    assert "before anything could be planned" in made
    assert "It is empty." in made


def test_nothing_hostile_becomes_markup(tmp_path: Path) -> None:
    passage = {"start": 1.5, "end": 2.0, "probability": 0.3, "text": HOSTILE, "flags": [HOSTILE]}
    merged = MergedBundle(
        "b0001",
        rows=[row("a", path=HOSTILE, note=HOSTILE, language=HOSTILE, left_out=HOSTILE), row("b")],
        files={"a": {"html": {"path": f"transcripts/{HOSTILE} #1? 50%.html"}}},
        failures=[Failure("c", HOSTILE, "c.0001", HOSTILE)],
        worst={"a": [passage]},
    )
    account = account_of(
        tmp_path,
        merged,
        rejected=[{"path": HOSTILE, "reason": HOSTILE}],
        rejections=1,
        stopped=HOSTILE,
        attempts=[attempt(0, 10, reason=HOSTILE, warnings=[(1.0, HOSTILE)])],
        models={HOSTILE: "0" * 64},
        total=4,
    )
    config = tmp_path / "run_config.yaml"
    write_json(config, {"command": HOSTILE, "config": {"prompt": HOSTILE}, "versions": {"audiogrid": HOSTILE}})
    made = page(account, config)
    assert '<b>"' not in made
    assert made.count("</script>") == 1
    assert "50%25.html#t=1.5" in made
    assert "1 recording(s) have no transcript" in made


def test_fifty_thousand_recordings_are_a_page_that_opens(tmp_path: Path) -> None:
    passage = {"start": 1.0, "end": 2.0, "probability": 0.3, "text": "x", "flags": []}

    def one(n: int) -> dict[str, Any]:
        return row(f"r{n}", low_confidence_share=n / 1e6, status="gaps" if n == 49_000 else "complete")

    bundles = [
        MergedBundle(
            f"b{first:05d}",
            rows=[one(n) for n in range(first, first + 500)],
            worst={f"r{first}": [passage] * 90},
        )
        for first in range(0, 50_000, 500)
    ]
    tasks = {
        (f"node{n % 99}/{n % 700}", float(n)): Task(f"node{n % 99}/{n % 700}", "s1", n, 0.9, ["c"])
        for n in range(50_000)
    }
    account = account_of(
        tmp_path,
        *bundles,
        rejected=[{"path": f"in/{n}", "reason": "empty"} for n in range(LISTED)],
        rejections=9000,
        attempts=[attempt(0, 50_000, tasks=tasks, warnings=[(1.0, "w")] * 9000)],
        total=59_000,
    )
    made = page(account)
    assert len(made) < 3_000_000
    shown = made.count('<tr data-kind="')
    assert WORST_SHOWN < shown == len(account.rows) <= ROWS
    assert ">r49000</td>" in made
    assert f"{shown:,} of 50,000 rows are shown" in made
    assert f"{LISTED} of 9,000 rows are shown" in made
    assert made.count("#t=") == PASSAGES
    # The worst are exact, although no sum holds all rows of its bundle.
    worst = [one["recording"] for one in account.rows if "worst" in one["shown"]]
    assert worst == ["r49000", *(f"r{n}" for n in range(49_999, 48_499, -1) if n != 49_000)]
    # The bundle whose record was written last.
    newest = [one["recording"] for one in account.rows if "newest" in one["shown"]]
    assert sorted(newest) == [f"r{n}" for n in range(49_700, 50_000)]
    assert sum("sample" in one["shown"] for one in account.rows) == 200


def test_the_worst_passages_are_the_least_certain_ones() -> None:
    def segment(start: float, *probabilities: float) -> dict[str, Any]:
        words = [{"start": start, "end": start + 1, "word": " w", "probability": p} for p in probabilities]
        return {"start": start, "end": start + 1, "text": "w w w", "words": words, "chunk": "talk.0000"}

    windows = [{"start": 9.0, "end": 20.0, "flags": ["low_logprob"], "chunk": "talk.0000"}]
    segments = [segment(0, 0.9, 0.9, 0.9), segment(10, 0.2, 0.3, 0.4), segment(30, 0.1), segment(40, 0.6, 0.6, 0.6)]
    found = worst_passages({"recording": "talk", "segments": segments, "windows": windows})
    assert [(passage["start"], passage["flags"]) for passage in found] == [(10, ["low_logprob"]), (40, [])]
    assert json.dumps(found)


def test_speakers_have_a_section_of_their_own_and_doubtful_numbers_are_named(tmp_path: Path) -> None:
    columns = {"speakers": "", "doubtful_speakers": "", "brief_speakers": "", "overlap_share": ""}
    without = page(account_of(tmp_path / "1", MergedBundle("b1", rows=[row("a", **columns)]), total=1))
    assert 'id="speakers"' not in without
    asked = [
        row("a", speakers=2, doubtful_speakers=0, brief_speakers=0, overlap_share=0.1),
        row(HOSTILE, speakers=3, doubtful_speakers=2, brief_speakers=1, overlap_share=0.3),
        row("quiet", speakers=0, doubtful_speakers=0, brief_speakers=0, overlap_share=0.0),
        row("c", **columns),
    ]
    done = attempt(100, 110, audio=600.0, busy=10.0, threads=1)
    made = page(account_of(tmp_path / "2", MergedBundle("b1", rows=asked), embedding=[done], total=4))
    section = made.split('id="speakers"')[1].split("<h2")[0]
    assert "5 speakers in 3 recordings; several talk at once 20.0% of the time" in section
    assert "Embedding the voices of 10 min 00 s took 10 s of core time" in section
    assert "2 of 3 are so like another that they may be one person; 1 has less than 10 s" in section
    assert HOSTILE not in made
    assert '<th class="n">speakers</th>' in made
    alone = account_of(tmp_path / "3", MergedBundle("b1", rows=asked[:1]), total=1)
    assert "No number of speakers is doubtful" in page(alone)


def test_given_texts_have_a_section_of_their_own_and_those_that_fit_least_come_first(tmp_path: Path) -> None:
    plain = row("plain", text_fit="", differences="")
    assert 'id="texts"' not in page(account_of(tmp_path / "1", MergedBundle("b1", rows=[plain]), total=1))
    rows = [
        row("good", text_fit=1.0, differences=0),
        row(HOSTILE, text_fit=0.8, differences=2),
        row("other", text_fit=0.04, differences=""),
        plain,
    ]
    merged = MergedBundle("b1", rows=rows, files={"good": {"txt": {"path": "good.txt", "sha256": ""}}})
    made = page(account_of(tmp_path / "2", merged, total=4))
    section = made.split('id="texts"')[1].split("<h2")[0]
    assert "3 recordings have a text. 1 of them is not used" in section
    assert "90% of what is heard is in the text on average; 2 places differ" in section
    names = [line.split("<td>")[1] for line in section.splitlines() if line.startswith("<tr><td>")]
    assert ["other" in names[0], "&lt;b&gt;" in names[1], "good.txt" in names[2]] == [True] * 3
    assert HOSTILE not in made
    alone = page(account_of(tmp_path / "3", MergedBundle("b1", rows=rows[:1]), total=1))
    assert "1 recording has a text. 100% of what is heard is in the text; 0 places differ" in alone


def test_packed_transcripts_are_led_to_where_they_can_be_read_and_heard(tmp_path: Path) -> None:
    spoken = f'He said "nine {HOSTILE} in the morning", or ten, or so.'
    passage = {"start": 1.5, "end": 9.0, "probability": 0.3, "text": spoken, "flags": []}
    packed = {"path": "transcripts/b0001.zip", "member": "a.html", "sha256": "x"}
    merged = MergedBundle("b0001", rows=[row("a")], files={"a": {"html": packed}}, worst={"a": [passage]})
    made = page(account_of(tmp_path, merged, searchable=True, total=1))
    # The search finds the passage by its words, and plays it.
    (query,) = re.findall(r'<a href="search\.html#q=([^"]+)">', made)
    assert unquote(query) == '"He said nine </script><b> x\'& in the morning"'
    assert '<a href="transcripts/b0001.zip">a</a>' in made and "Transcripts are in zips" in made
    without = page(account_of(tmp_path / "2", merged, total=1))
    assert "search.html" not in without and without.count('href="transcripts/b0001.zip"') >= 2


def test_jobs_that_embed_voices_count_as_core_hours(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    journal = Journal(folder.voices_journal, "s0001", "spec")
    journal.begin(ShardFacts(), 2)
    journal.outcome(Outcome("a.0000", "k", "decoded", 160_000, 0.5, worker="node1/7", device="cpu"))
    journal.end("its time limit is near")
    account = read_report_data(folder, plan("a"))
    assert [one.decoded for one in account.embedding] == [1]
    assert account.unfinished == account.embedding
    assert account.effort.reserved_cores == pytest.approx(account.embedding[0].reserved)
    assert account.effort.audio == 0
