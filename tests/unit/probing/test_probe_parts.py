"""Parts of a large listing: what is in them, when they are made, and what becomes of what their jobs found."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import bad_media
from audiogrid.probing.earlier_facts import RememberedFacts, known_ids
from audiogrid.probing.fingerprint import current_listing
from audiogrid.probing.list_recordings import list_sources
from audiogrid.probing.probe import ProbeReport, probe
from audiogrid.probing.probe_parts import PartSettings, ProbeParts, look_at_part
from bad_media import tone, write_wav

SETTINGS = PartSettings(files_per_job=2)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(5):
        write_wav(folder / f"r{number}.wav", tone(0.5))
    return folder


def started(folder: Path, *, is_read_only: bool = False, settings: PartSettings = SETTINGS) -> tuple[ProbeParts, str]:
    """What the start of a run does; the workflow then writes the listing."""
    state = folder.parent / ".state"
    state.mkdir(exist_ok=True)
    listing = current_listing(str(folder), "mix", state, is_read_only=is_read_only, parts=settings)
    if not is_read_only:
        (state / "listing").write_text(listing)
    return ProbeParts(state), listing


def look(output: str) -> tuple[int, int]:
    return look_at_part(Path(output).with_suffix(".list"), Path(output), 1)


def collect(folder: Path, opened: list[str]) -> ProbeReport:
    """What `probe` does, with a note of the files that it opens itself."""
    state = folder.parent / ".state"
    parts = ProbeParts(state)
    remembered = RememberedFacts(state / "probe.jsonl", parts.found())

    def inspect(paths: list[str], **others: object) -> object:
        from audiogrid.probing.isolation import run_isolated

        opened.extend(Path(path).name for path in paths)
        return run_isolated(paths, processes=1)

    sources = list_sources(str(folder), known_ids=remembered.ids()).sources
    report = probe(sources, processes=1, cache=state / "probe.jsonl", run=inspect, remembered=remembered)
    parts.clear()
    return report


def test_parts_give_the_facts_that_one_probe_would_have_found(folder: Path) -> None:
    bad_media.make_empty(folder)
    alone = probe(list_sources(str(folder)).sources, processes=1)
    parts, listing = started(folder)
    outputs = parts.outputs(listing)
    assert [Path(name).name for name in outputs] == ["0001.jsonl", "0002.jsonl", "0003.jsonl"]
    assert [look(name) for name in outputs] == [(2, 1), (2, 0), (2, 0)]
    opened: list[str] = []
    assert collect(folder, opened) == alone
    assert not opened
    assert len(known_ids(folder.parent / ".state" / "probe.jsonl")) == 5
    # Snakemake still finds what it asks for, and it takes no space.
    assert parts.outputs(listing) == outputs
    assert [Path(name).with_suffix(".list").stat().st_size for name in outputs] == [0, 0, 0]


def test_what_the_jobs_of_a_killed_run_found_counts_although_files_were_added(folder: Path) -> None:
    parts, listing = started(folder)
    first, *_ = parts.outputs(listing)
    look(first)
    for number in range(5, 9):
        write_wav(folder / f"r{number}.wav", tone(0.5))
    parts, later = started(folder)
    assert later != listing and parts.outputs(listing) == []
    outputs = parts.outputs(later)
    wanted = [line for name in outputs for line in Path(name).with_suffix(".list").read_text().splitlines()]
    assert len(wanted) == 7
    for name in outputs:
        look(name)
    opened: list[str] = []
    assert len(collect(folder, opened).recordings) == 9
    assert not opened
    assert not Path(first).parent.exists()


def test_the_same_start_again_makes_nothing_anew(folder: Path) -> None:
    parts, listing = started(folder)
    outputs = parts.outputs(listing)
    times = [Path(name).with_suffix(".list").stat().st_mtime_ns for name in outputs]
    assert started(folder)[0].outputs(listing) == outputs
    assert [Path(name).with_suffix(".list").stat().st_mtime_ns for name in outputs] == times


def test_few_new_files_and_runs_that_only_look_have_no_parts(folder: Path) -> None:
    parts, listing = started(folder, is_read_only=True)
    assert parts.outputs(listing) == [] and not (folder.parent / ".state" / "probing").exists()
    parts, listing = started(folder, settings=PartSettings(files_per_job=3))
    assert parts.outputs(listing) == []
    collect(folder, [])
    write_wav(folder / "late.wav", tone(0.5))
    parts, listing = started(folder)
    assert parts.outputs(listing) == []


def test_a_part_that_is_out_of_date_costs_time_only(folder: Path) -> None:
    parts, listing = started(folder)
    for name in parts.outputs(listing):
        look(name)
    path = folder / "r1.wav"
    write_wav(path, tone(2))
    os.utime(path, ns=(1, 1))
    opened: list[str] = []
    report = collect(folder, opened)
    assert opened == ["r1.wav"]
    assert {one.recording: one.duration for one in report.recordings}["r1"] == 32_000


def test_a_rejected_file_is_opened_again_when_it_changes_or_another_version_looks(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "noise.wav").write_bytes(os.urandom(5000))
    first = collect(folder, opened := [])
    assert "noise.wav" in opened and len(first.rejected) == 1
    again = collect(folder, opened := [])
    assert not opened and again == first
    monkeypatch.setattr("audiogrid.probing.earlier_facts.judge", lambda: "a later version")
    collect(folder, opened := [])
    assert opened == ["noise.wav"]
    write_wav(folder / "noise.wav", tone(0.5))
    repaired = collect(folder, opened := [])
    assert opened == ["noise.wav"] and not repaired.rejected


def test_a_pipe_is_rejected_at_once_and_looked_at_again_each_time(folder: Path) -> None:
    os.mkfifo(folder / "r9.wav")
    (rejection,) = collect(folder, []).rejected
    # Opened, it would wait for a writer until the time for a file is over.
    assert "regular file" in rejection.reason
    collect(folder, opened := [])
    assert opened == ["r9.wav"]
