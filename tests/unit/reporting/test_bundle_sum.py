"""Sums of bundles: what they hold, and when they are made again."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from audiogrid.core.errors import InputError
from audiogrid.merging.ledger_table import part_path, write_part
from audiogrid.merging.merge_bundle import Failure, MergedBundle
from audiogrid.records.ledger import LedgerSpan
from audiogrid.records.run_folder import RunFolder
from audiogrid.records.written_files import WrittenFile, WrittenFiles
from audiogrid.reporting.bundle_sum import WORST, BundleSum, sum_bundle
from audiogrid.reporting.bundle_sum_files import read_bundle_sum, rows_path, sum_path, write_bundle_sum


def row(name: str, **more: Any) -> dict[str, Any]:
    figures = {"duration_s": 60.0, "words": 100, "low_confidence_share": 0.02, "windows": 4, "flagged": 1}
    about = {"path": f"in/{name}.mp3", "status": "complete", "language": "en", "note": "", "variant": "", "model": "m"}
    return {"recording": name, **about, **figures, "redecoded": 1, "kept_careful": 0, **more}


def bundle(folder: RunFolder, name: str = "b0001", count: int = 3) -> MergedBundle:
    rows = [row(f"{name}r{n}", language="fr" if n else "en") for n in range(count)]
    merged = MergedBundle(name, {f"{name}r0": {"txt": {"path": "transcripts/x.txt", "sha256": ""}}}, rows)
    merged.failures = [Failure("lost", "lost.mp3", "lost.0000", "died"), Failure("lost", "lost.mp3", "lost.0001", "x")]
    merged.write(folder.merged / f"{name}.json", 1)
    write_part(folder, name, {f"{name}r0": [LedgerSpan(0, 10, "speech_with_words"), LedgerSpan(10, 12, "no_speech")]})
    return merged


def test_a_sum_counts_and_keeps_the_worst(tmp_path: Path) -> None:
    merged = MergedBundle("b1", rows=[row(f"r{n:03d}", low_confidence_share=n / 1000) for n in range(100)])
    merged.rows.append(row("gaps", status="gaps", left_out="1 s"))
    merged.rows.append(row("quiet", words=0, low_confidence_share=""))
    found = sum_bundle(merged)
    assert (found.recordings, found.incomplete, found.words, found.windows) == (102, 1, 10_100, 408)
    assert found.hours == {"language": {"en": 6120.0}, "model": {"m": 6120.0}, "variant": {"": 6120.0}}
    assert sum(found.doubt.values()) == 101
    assert [one["recording"] for one in found.worst][:3] == ["gaps", "r099", "r098"]
    assert len(found.worst) == WORST
    assert (found.lacking, found.lacking_rows) == (1, [{"recording": "gaps", "left_out": "1 s"}])


def test_sums_add_up(tmp_path: Path) -> None:
    folder, total = RunFolder(tmp_path), BundleSum()
    for name in ("b0001", "b0002"):
        total.add(write_bundle_sum(folder, bundle(folder, name)))
    assert (total.recordings, total.lost, total.failures, total.accounted) == (6, 2, 4, 2)
    assert total.totals == {("speech_with_words", ""): 20, ("no_speech", ""): 4}
    assert total.hours["language"] == {"en": 120.0, "fr": 240.0}
    assert total.totals_of("b0002r0")["no_speech", ""] == 2


def test_a_sum_is_made_again_where_it_is_not_that_of_its_bundle(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    written = write_bundle_sum(folder, bundle(folder))
    before = sum_path(folder, "b0001").stat().st_ino
    assert read_bundle_sum(folder, "b0001") == written
    assert sum_path(folder, "b0001").stat().st_ino == before
    # A kill between record and sum, and a clock that was set back; no rows, as in a run of an earlier version.
    merged = bundle(folder, count=5)
    os.utime(folder.merged / "b0001.json", (0, 0))
    assert read_bundle_sum(folder, "b0001").recordings == 5
    rows_path(folder, "b0001").unlink()
    assert read_bundle_sum(folder, "b0001").recordings == 5
    assert rows_path(folder, "b0001").read_bytes().count(b"\n") == 5
    sum_path(folder, "b0001").write_bytes(b'{"schema": 1')
    assert read_bundle_sum(folder, "b0001").recordings == len(merged.rows)
    # A ledger that was damaged after the merge is noticed, and not copied.
    part_path(folder, "b0001").write_bytes(b"a\t0\t\xff")
    with pytest.raises(InputError, match="is damaged"):
        read_bundle_sum(folder, "b0001")


def test_a_sum_tells_of_files_that_do_not_belong(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    merged = bundle(folder)
    WrittenFiles("b0001", True, {"x.txt": WrittenFile("b0001r0", ["a"])}).write(folder)
    assert not write_bundle_sum(folder, merged).other_files
    for other in (WrittenFile("gone", ["a"]), WrittenFile("b0001r0", ["a"], current=False)):
        WrittenFiles("b0001", True, {"x.txt": other}).write(folder)
        assert write_bundle_sum(folder, merged).other_files
