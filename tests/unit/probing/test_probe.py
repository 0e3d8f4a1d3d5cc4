"""Probing many files: order, cache, and processes that die or hang."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import bad_media
from audiogrid.core.errors import InputError
from audiogrid.probing import isolation
from audiogrid.probing.earlier_facts import known_ids
from audiogrid.probing.isolation import FileOutcome, run_isolated
from audiogrid.probing.list_recordings import list_sources
from audiogrid.probing.probe import ProbeReport, probe, write_rejected
from audiogrid.probing.recording_source import Rejection
from bad_media import HOSTILE_NAMES, RATE, encode_tracks, tone, write_wav
from places import SCRIPTS

SCRIPT = SCRIPTS / "probe.py"


def _look(path: str) -> FileOutcome:
    """Stand-in for looking at a file: its name says what happens."""
    name = Path(path).name
    if name.startswith("crash"):
        os.abort()
    if name.startswith("hang"):
        time.sleep(600)
    return FileOutcome({"name": name}, None) if name.startswith("good") else FileOutcome(None, "bad")


def test_a_file_that_crashes_or_hangs_its_process_costs_only_itself() -> None:
    paths = [f"good{index}" for index in range(40)]
    paths[5], paths[6], paths[20], paths[39] = "crash1", "crash2", "hang1", "crash3"

    found = run_isolated(paths, processes=1, inspect=_look, timeout=1.5)

    assert sorted(found) == sorted(paths)
    for path in paths:
        facts, reason = found[path].facts, found[path].reason
        if path.startswith("good"):
            assert facts == {"name": path}
        else:
            assert facts is None and reason is not None
            assert ("crashes" if path.startswith("crash") else "hangs") in reason


def _ends_afterwards(path: str) -> FileOutcome:
    """Stand-in that answers and ends its process a moment later, when it waits for more."""
    import threading

    threading.Timer(0.02, os._exit, [0]).start()
    return FileOutcome({"name": path}, None)


def test_a_process_that_ends_while_it_waits_costs_no_file() -> None:
    paths = [f"file{index}" for index in range(3)]

    def pause(path: str, outcome: FileOutcome) -> None:
        # The process is gone before it is given its next file.
        time.sleep(0.1)

    found = run_isolated(paths, processes=1, inspect=_ends_afterwards, on_outcome=pause)

    assert [found[path].facts for path in paths] == [{"name": path} for path in paths]


def test_many_files_are_shared_by_several_processes() -> None:
    paths = [f"{'good' if index % 7 else 'broken'}{index}" for index in range(450)]

    found = run_isolated(paths, processes=2, inspect=_look)

    assert len(found) == 450
    assert sum(looked.facts is None for looked in found.values()) == len(range(0, 450, 7))
    assert run_isolated([], processes=2) == {}


def test_whatever_goes_wrong_with_a_file_is_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(write_wav(tmp_path / "a.wav", tone(1)))

    for error, words in [
        (RuntimeError("odd\nthing"), "odd thing"),
        (OSError(5, "Input/output error"), "Input/output error"),
        (FileNotFoundError(), "vanished"),
    ]:

        def fail(*_: object, error: Exception = error) -> None:
            raise error

        monkeypatch.setattr("audiogrid.probing.media_facts.probe_media", fail)
        reason = isolation.probe_file(path).reason or ""
        assert words in reason and "\n" not in reason


def test_a_damaged_report_is_a_sentence_and_new_fields_are_ignored(tmp_path: Path) -> None:
    path = tmp_path / "probe.json"
    ProbeReport([], [Rejection("a", "a.wav", "empty")]).write(path)
    whole = json.loads(path.read_text())
    path.write_text(json.dumps({**whole, "later": 1, "rejected": [{**whole["rejected"][0], "later": 1}]}))
    assert ProbeReport.read(path).rejected == [Rejection("a", "a.wav", "empty")]
    path.write_text(json.dumps({**whole, "recordings": [{"recording": "a"}]}))
    with pytest.raises(InputError, match=r"probe.json cannot be read"):
        ProbeReport.read(path)


def test_report_keeps_the_order_and_the_settings(tmp_path: Path) -> None:
    write_wav(tmp_path / "b.wav", tone(1))
    write_wav(tmp_path / "a.wav", tone(2))
    bad_media.make_empty(tmp_path)
    (tmp_path / "t.tsv").write_text(
        "recording\tpath\tlanguage\tchannels\tsite\nx\tb.wav\tes\tsplit\tMadrid\n\tempty.mp3\n\ta.wav\n"
    )
    listing = list_sources(str(tmp_path / "t.tsv"))

    report = probe(listing.sources, processes=2)

    assert [(item.recording, item.duration) for item in report.recordings] == [("x", RATE), ("a", 2 * RATE)]
    first = report.recordings[0]
    assert (first.language, first.channels_mode, first.columns) == ("es", "split", {"site": "Madrid"})
    assert [(item.recording, Path(item.path).name) for item in report.rejected] == [("empty", "empty.mp3")]
    assert "0 bytes" in report.rejected[0].reason


def test_unchanged_files_are_not_looked_at_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a.wav", "b.wav"):
        write_wav(folder / name, tone(1))
    bad_media.make_empty(folder)
    cache = tmp_path / "state" / "cache.jsonl"
    sources = list_sources(str(folder)).sources
    before = probe(sources, processes=1, cache=cache)
    asked: list[str] = []

    def record(paths: list[str], **settings: object) -> dict[str, FileOutcome]:
        asked.extend(Path(path).name for path in paths)
        return run_isolated(paths, processes=1)

    monkeypatch.setattr("audiogrid.probing.probe.run_isolated", record)
    again = probe(sources, processes=1, cache=cache)
    assert asked == []
    assert again == before

    write_wav(folder / "b.wav", tone(3))
    changed = probe(sources, processes=1, cache=cache)
    assert asked == ["b.wav"]
    assert [item.duration for item in changed.recordings] == [RATE, 3 * RATE]


def test_facts_of_an_earlier_version_are_looked_up_again_and_ids_stay(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", tone(1))
    cache = tmp_path / "cache.jsonl"
    facts = {"size": path.stat().st_size, "mtime_ns": path.stat().st_mtime_ns, "duration": 5}
    cache.write_text(json.dumps({"schema": 1, "path": str(path), "recording": "old_name", "facts": facts}) + "\n")

    listing = list_sources(str(path), known_ids=known_ids(cache))

    [found] = probe(listing.sources, processes=1, cache=cache).recordings
    assert (found.recording, found.duration) == ("old_name", RATE)


def test_what_is_asked_of_audio_tracks_is_part_of_what_is_remembered(tmp_path: Path) -> None:
    path = encode_tracks(tmp_path / "two.mkv", [tone(1), tone(2)], languages=["eng", "spa"], default=0)
    table = tmp_path / "t.tsv"
    rows = [
        ("recording", "path", "tracks"),
        ("one", path, 1),
        ("two", path, 2),
        ("both", path, "all"),
        ("es", path, "es"),
    ]
    table.write_text("".join("\t".join(map(str, row)) + "\n" for row in [*rows, ("no", path, 3)]))
    cache = tmp_path / "cache.jsonl"
    sources = list_sources(str(table)).sources

    first = probe(sources, processes=1, cache=cache)
    again = probe(sources, processes=1, cache=cache)

    assert first == again
    assert {one.recording: (one.tracks, one.duration) for one in first.recordings} == {
        "one": ([], RATE),
        "two": ([2], 2 * RATE),
        "both": ([1, 2], 2 * RATE),
        "es": ([2], 2 * RATE),
    }
    [rejection] = first.rejected
    assert "There is no audio track 3, only 1 (en), 2 (es)" in rejection.reason
    # The run's language decides where nothing else does.
    assert probe(list_sources(str(path)).sources, processes=1, language="es").recordings[0].tracks == [2]


def test_a_damaged_cache_is_only_a_slower_start(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", tone(1))
    cache = tmp_path / "cache.jsonl"
    sources = list_sources(str(path)).sources
    report = probe(sources, processes=1, cache=cache)
    cache.write_bytes(
        b'\xff{"half": \n[]\n"x"\n' + b'{"schema": 1, "path": 3, "facts": []}\n' + cache.read_bytes()[:40]
    )

    assert probe(sources, processes=1, cache=cache) == report
    assert known_ids(cache) == {str(path): "a"}
    assert known_ids(tmp_path / "none") == {}


def test_rejected_table_stays_one_line_per_file(tmp_path: Path) -> None:
    write_rejected(
        tmp_path / "r.tsv", [Rejection("a", "x\ty\nz\\.wav", "why\r\n"), Rejection("b", "b\u2028.wav", "so")]
    )

    lines = (tmp_path / "r.tsv").read_text().splitlines()

    assert lines == [
        "recording\tpath\treason",
        "a\tx\\ty\\nz\\\\.wav\twhy\\r\\n",
        "b\tb\\u2028.wav\tso",
    ]


def _command(folder: Path, recordings: object, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, SCRIPT, "--recordings-json", json.dumps(recordings), "--processes", "2",
         "--cache", "out/c.jsonl", "--output", "out/probe.json", "--rejected", "out/rejected.tsv", *more],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_command_with_hostile_names_and_bad_files(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    visible = [name for name in HOSTILE_NAMES if not name.startswith(".")]
    for name in visible:
        write_wav(folder / name, tone(0.2))
    for make in bad_media.REJECTED:
        make(folder)
    bad_media.make_dangling_link(folder)

    done = _command(tmp_path, ["in"], "--channels", "split")

    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "out/probe.json").read_text())
    assert report["schema"] == 1
    assert sorted(Path(item["path"]).name for item in report["recordings"]) == sorted(visible)
    assert {item["channels_mode"] for item in report["recordings"]} == {"split"}
    assert len({item["recording"] for item in report["recordings"]}) == len(visible)
    assert len(report["rejected"]) == len(bad_media.REJECTED) + 1
    assert len((tmp_path / "out/rejected.tsv").read_text().splitlines()) == len(report["rejected"]) + 1
    lines = done.stderr.splitlines()
    assert len(lines) == len(report["rejected"]) + 1
    assert lines[-1] == f"probed {len(visible)} recording(s), 0:00:02 of audio, {len(report['rejected'])} rejected"
    assert not (tmp_path / "pwned").exists()


def test_command_keeps_ids_when_files_are_added(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    write_wav(folder / "talk.wav", tone(0.5))
    assert _command(tmp_path, "in").returncode == 0
    write_wav(folder / "Talk.WAV", tone(0.5))

    assert _command(tmp_path, "in").returncode == 0

    report = json.loads((tmp_path / "out/probe.json").read_text())
    ids = {Path(item["path"]).name: item["recording"] for item in report["recordings"]}
    assert ids["talk.wav"] == "talk"
    assert ids["Talk.WAV"].startswith("Talk-")


@pytest.mark.parametrize(("recordings", "words"), [("nowhere", "nowhere does not exist"), (3, "give a path")])
def test_command_refuses_a_listing_that_makes_no_sense(tmp_path: Path, recordings: object, words: str) -> None:
    done = _command(tmp_path, recordings)

    assert done.returncode == 2
    assert words in done.stderr and len(done.stderr.splitlines()) == 1


def test_command_without_any_usable_recording_still_reports(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    bad_media.make_text(folder)

    done = _command(tmp_path, "in")

    assert done.returncode == 0
    assert json.loads((tmp_path / "out/probe.json").read_text())["recordings"] == []
