"""A recording's files: what is written, what is refused, what stays untouched."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from audiogrid.core.errors import EXIT_RETRY
from audiogrid.export.cues import CueOptions
from audiogrid.export.formats import FORMATS, file_name
from audiogrid.merging.merge_recording import (
    MergedRecording,
    MissingChunkError,
    merge_recording,
)
from audiogrid.merging.stitch import StitchError
from audiogrid.merging.summary_table import SUMMARY_COLUMNS
from audiogrid.records.chunks import Chunk, Seam, chunk_id
from audiogrid.records.results import ChunkResult, Segment, Word
from run_tables import write_summary

SECOND = 16_000


def make_chunk(index: int, start: int, end: int, channel: int | None = None) -> Chunk:
    return Chunk(
        chunk=chunk_id("talk", channel, index),
        recording="talk",
        channel=channel,
        index=index,
        start=start * SECOND,
        end=end * SECOND,
        context_start=start * SECOND,
        context_end=end * SECOND,
        left=Seam("pause", start * SECOND, 0),
        right=Seam("pause", end * SECOND, 0),
        pcm_sha256="0" * 64,
    )


def says(text: str, seconds: int = 10) -> ChunkResult:
    words = [Word(n * 8_000, n * 8_000 + 6_000, f" {word}", 0.9) for n, word in enumerate(text.split(), 1)]
    segment = Segment(words[0].start, words[-1].end, text, words, -0.2, 1.2, 0.0, 0.0, "en", 0)
    return ChunkResult(seconds * SECOND, "en", 0.99, [(words[0].start, words[-1].end)], [], [segment])


CHUNKS = [make_chunk(0, 0, 10), make_chunk(1, 10, 20), make_chunk(2, 20, 20)]
RESULTS = {"talk.0000": says("Good morning."), "talk.0001": says("And good night.")}


def merge(folder: Path, results: dict[str, ChunkResult] | None = None, **more: Any) -> MergedRecording:
    found = RESULTS if results is None else results

    def lookup(chunk: str) -> tuple[str, ChunkResult] | None:
        return (f"key-{chunk}", found[chunk]) if chunk in found else None

    settings: dict[str, Any] = {"allow_gaps": False, "formats": list(FORMATS), "subtitles": CueOptions()}
    facts = {"recording": "talk", "path": "in/talk.mp3", "channels_mode": "mix", **more.pop("facts", {})}
    return merge_recording(
        facts,
        more.pop("chunks", CHUNKS),
        lookup,
        more.pop("reasons", {}),
        folder=folder,
        provenance={"audiogrid": "0"},
        **{**settings, **more},
    )


def test_every_format_is_written_and_listed_with_its_hash(tmp_path: Path) -> None:
    merged = merge(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(file_name("talk", name) for name in FORMATS)
    for entry in merged.files.values():
        assert hashlib.sha256(Path(entry["path"]).read_bytes()).hexdigest() == entry["sha256"]
    assert (tmp_path / "talk.txt").read_text() == "Good morning.\n\nAnd good night.\n"
    assert tuple(merged.row) == tuple(SUMMARY_COLUMNS)
    assert (merged.row["status"], merged.row["words"], merged.row["seams"]) == ("complete", 5, 1)
    assert merged.gaps == []


def test_a_second_merge_gives_the_same_bytes_and_rewrites_nothing(tmp_path: Path) -> None:
    first = merge(tmp_path)
    before = {path.name: path.stat().st_ino for path in tmp_path.iterdir()}
    assert merge(tmp_path).files == first.files
    assert {path.name: path.stat().st_ino for path in tmp_path.iterdir()} == before
    assert merge(tmp_path / "elsewhere").files["json"]["sha256"] == first.files["json"]["sha256"]


def test_a_damaged_file_is_written_again(tmp_path: Path) -> None:
    merged = merge(tmp_path)
    for damage in (lambda path: path.write_text("x"), lambda path: path.unlink()):
        damage(tmp_path / "talk.srt")
        assert merge(tmp_path).files == merged.files
        assert (tmp_path / "talk.srt").read_text().startswith("1\n00:00:00,500 --> ")


def test_files_of_formats_no_longer_wanted_stay(tmp_path: Path) -> None:
    merge(tmp_path)
    merged = merge(tmp_path, formats=["txt"])
    assert list(merged.files) == ["txt"]
    assert (tmp_path / "talk.vtt").exists()


def test_a_missing_chunk_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(MissingChunkError, match=r"talk\.0001.*ran out of memory") as caught:
        merge(tmp_path, {"talk.0000": RESULTS["talk.0000"]}, reasons={"talk.0001": "ran out of memory"})
    assert (caught.value.chunk, caught.value.cause) == ("talk.0001", "ran out of memory")
    assert caught.value.exit_code == EXIT_RETRY
    assert list(tmp_path.iterdir()) == []


def test_with_gaps_allowed_a_missing_chunk_is_marked(tmp_path: Path) -> None:
    merged = merge(
        tmp_path, {"talk.0001": RESULTS["talk.0001"]}, allow_gaps=True, reasons={"talk.0000": "ran out of memory"}
    )
    assert merged.row["status"] == "gaps"
    assert merged.gaps == ["talk.0000"]
    for name in ("txt", "srt", "vtt", "tsv"):
        assert "[not transcribed 0:00:00-0:00:10:" in (tmp_path / f"talk.{name}").read_text()
    assert json.loads((tmp_path / "talk.json").read_text())["complete"] is False


def test_an_empty_chunk_is_not_looked_up(tmp_path: Path) -> None:
    assert "talk.0002" not in RESULTS
    assert merge(tmp_path).row["status"] == "complete"


def test_a_recording_that_ends_early_is_partial(tmp_path: Path) -> None:
    row = merge(tmp_path, facts={"note": "ends after 20 s,\tnot 60 s"}).row
    assert (row["status"], row["note"]) == ("partial", "ends after 20 s, not 60 s")


def test_chunks_that_do_not_cover_the_recording_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StitchError, match="talk: audio at 0:00:00"):
        merge(tmp_path, chunks=CHUNKS[1:])
    with pytest.raises(StitchError, match="talk: chunks end at 0:00:20"):
        merge(tmp_path, lengths={None: 21 * SECOND})


def test_the_text_of_every_chunk_on_request(tmp_path: Path) -> None:
    merge(tmp_path, chunk_texts=True)
    folder = tmp_path / "talk.chunks"
    assert {path.name: path.read_text() for path in folder.iterdir()} == {
        "0000.txt": "Good morning.\n",
        "0001.txt": "And good night.\n",
    }
    merge(tmp_path, {"talk.0000": says("All in one.")}, chunks=[make_chunk(0, 0, 20)], chunk_texts=True)
    assert [path.name for path in folder.iterdir()] == ["0000.txt"]


def test_split_channels_are_labelled(tmp_path: Path) -> None:
    results = {"talk.c0.0000": says("Hello there."), "talk.c1.0000": says("Oh hello.")}
    merge(
        tmp_path,
        results,
        chunks=[make_chunk(0, 0, 10, 1), make_chunk(0, 0, 10, 0)],
        facts={"channels_mode": "split"},
        chunk_texts=True,
        speaker_label="Line {}",
    )
    assert (tmp_path / "talk.txt").read_text() == "Line 1: Hello there.\n\nLine 2: Oh hello.\n"
    assert sorted(path.name for path in (tmp_path / "talk.chunks").iterdir()) == ["c0.0000.txt", "c1.0000.txt"]


def test_the_summary_survives_hostile_values(tmp_path: Path) -> None:
    row = {**merge(tmp_path).row, "path": "in/a\tb\nc  d.mp3"}
    write_summary(tmp_path / "summary.tsv", [row, {"recording": "other"}])
    header, first, second = (line.split("\t") for line in (tmp_path / "summary.tsv").read_text().splitlines())
    assert tuple(header) == tuple(SUMMARY_COLUMNS)
    assert dict(zip(header, first, strict=True))["path"] == "in/a\\tb\\nc  d.mp3"
    assert len(second) == len(header)


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    merge(tmp_path, formats=["txt"])

    def full(*_: object) -> Callable[..., None]:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("audiogrid.merging.transcript_writer.write_many", full)
    with pytest.raises(OSError, match="No space left"):
        merge(tmp_path, {"talk.0000": says("Other."), "talk.0001": says("Words.")}, formats=["txt"])
    assert (tmp_path / "talk.txt").read_text() == "Good morning.\n\nAnd good night.\n"
