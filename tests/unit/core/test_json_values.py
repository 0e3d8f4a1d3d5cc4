"""Documents are written as ever, and readers ignore fields that they do not know."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from audiogrid.core.atomic_files import read_json, write_json
from audiogrid.core.json_values import DocumentError, from_json, read_document, to_json
from audiogrid.records.chunks import BundleManifest, Chunk, Seam, ShardFacts
from audiogrid.records.finished_shard import FinishedShard
from audiogrid.records.plan import Bundle, Plan, Recording, Settings, Shard, TrackSettings
from audiogrid.records.plan_files.reader import read_plan
from audiogrid.records.plan_files.writer import write_plan
from audiogrid.records.results import ChunkResult, HypothesisRecord, Segment, Window, Word
from audiogrid.records.store import Store
from audiogrid.records.voices import ChunkVoices, Tracklet
from audiogrid.records.written_files import WrittenFile
from places import ROOT

STORE = ROOT / "tests" / "workflow" / "store_revision_0"

RESULT = ChunkResult(
    10,
    "en",
    0.9,
    [(0, 10)],
    [Window(0, 10, [(0, 10)], ["low"], "fast", [HypothesisRecord("fast", 0.9, 1, -0.2, 1.0, 0.0, [], "hello")])],
    [Segment(0, 10, "hello", [Word(0, 10, " hello", 0.9)], -0.2, 1.0, 0.1, 0.0, "en", 0)],
)
PLAN = Plan(
    Settings("base", {"base": "d0"}, {"beam_size": 1, "temperatures": []}, 5, 60, 600.0, 1, 0, 1),
    [
        Recording(
            *("a", "in/a.wav", 10, 20, 16000, 2, "split", 1),
            by_channel={"1": TrackSettings("tiny", {"language": "en"})},
            audio_tracks=[2],
            left_out=["hotwords"],
        ),
        Recording(
            *("b", "in/b.wav", 10, 20, 16000, 1, "mix", 1),
            columns={"speakers": "2"},
            note="ends early",
            identified={"language": "en"},
        ),
    ],
    [Bundle("b0001", "x", ["a", "b"])],
    [Shard("s0001", "y", ["a.c0.0000"], ["b0001"], 16000, "base", "auto")],
    1,
    ["odd"],
)
# Written by the version that spelt each document by hand.
PLAN_TEXT = (
    '{"schema": 2, "settings": {"model": "base", "models": {"base": "d0"}, "options": {"beam_size": 1, '
    '"temperatures": []}, "chunk_minutes": 5, "bundle_minutes": 60, "shard_minutes": 600.0, "shards_at_least": 1, '
    '"chunks_per_shard": 0, "revision": 1}, "recordings": [{"recording": "a", "path": "in/a.wav", "size": 10, '
    '"mtime_ns": 20, "duration": 16000, "channels": 2, "channels_mode": "split", "chunks": 1, "model": "", '
    '"options": {}, "columns": {}, "reference": null, "note": null, "variant": "", "address_table": null, '
    '"remarks": [], "left_out": ["hotwords"], "identified": null, "by_channel": {"1": {"model": "tiny", "options": '
    '{"language": "en"}}}, "audio_tracks": [2]}, {"recording": "b", "path": "in/b.wav", "size": 10, "mtime_ns": 20, '
    '"duration": 16000, "channels": 1, "channels_mode": "mix", "chunks": 1, "model": "", "options": {}, "columns": '
    '{"speakers": "2"}, "reference": null, "note": "ends early", "variant": "", "address_table": null, "remarks": '
    '[], "identified": {"language": "en"}}], "bundles": [{"bundle": "b0001", "spec": "x", "recordings": ["a", "b"]}], '
    '"shards": [{"shard": "s0001", "spec": "y", "chunks": ["a.c0.0000"], "bundles": ["b0001"], "audio": 16000, '
    '"model": "base", "compute_type": "auto"}], "rejected": 1, "warnings": ["odd"]}\n'
)
VOICES_TEXT = '{"samples": 1000, "tracklets": [[0, 100, 90, -3.142, "ADz/"], [100, 200, 90, -3.0, ""]]}'


def test_a_plan_is_written_and_read_as_before(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text(PLAN_TEXT)
    assert read_plan(tmp_path / "plan.json") == PLAN
    write_plan(PLAN, tmp_path / "plan.json")
    assert read_plan(tmp_path / "plan.json") == PLAN


def test_voices_are_written_and_read_as_before() -> None:
    voices = ChunkVoices(1000, [Tracklet(0, 100, 90, -3.142, b"\x00<\xff"), Tracklet(100, 200, 90, -3.0, b"")])
    assert json.dumps(to_json(voices)) == VOICES_TEXT
    assert from_json(ChunkVoices, json.loads(VOICES_TEXT)) == voices


def test_reports_of_shards_are_written_and_read_as_before(tmp_path: Path) -> None:
    seam = Seam("edge", 0, 0)
    facts = ShardFacts([Chunk("a.0000", "a", None, 0, 0, 10, 0, 10, seam, seam, "ab")], {"a.0000": "k"}, {"b": "gone"})
    made = {"device": "cpu", "threads": 1}
    report = FinishedShard("s0001", "x", 2, "m", facts, {"c.0000": "crash"}, 1, 0, 0.5, 0.25, 1.0, made)
    report.write(tmp_path / "s0001.json")
    # The fields in their order, as each version has written them.
    document = {
        "schema": 1,
        **{"shard": "s0001", "spec": "x", "generation": 2, "model_hash": "m", "facts": asdict(facts)},
        **{"failed": {"c.0000": "crash"}, "decoded": 1, "stored": 0, "audio_seconds": 0.5, "worker_seconds": 0.25},
        **{"seconds": 1.0, "made": made},
    }
    assert (tmp_path / "s0001.json").read_text() == json.dumps(document, indent=1) + "\n"
    assert FinishedShard.read(tmp_path / "s0001.json") == report


@pytest.mark.parametrize("path", sorted(STORE.glob("*.json")), ids=lambda path: path.stem[:8])
def test_results_of_the_first_version_are_written_again_byte_for_byte(path: Path, tmp_path: Path) -> None:
    """A store that a version before used is used as it is."""
    old = tmp_path / "old" / path.name[:2] / path.name
    old.parent.mkdir(parents=True)
    old.write_bytes(path.read_bytes())
    stored = Store(tmp_path / "old").get(path.stem)
    assert stored is not None
    assert Store(tmp_path / "new").put(path.stem, stored.result, stored.made)
    assert Store(tmp_path / "new").path(path.stem).read_bytes() == path.read_bytes()


def test_what_is_written_is_what_dataclasses_say_of_themselves() -> None:
    assert json.dumps(to_json(RESULT)) == json.dumps(asdict(RESULT))
    # Properties that were asked for once are no part of a document.
    assert PLAN.recording and PLAN.shards_of_bundle
    assert to_json(PLAN) == asdict(PLAN)


def test_numbers_of_numpy_are_written_as_numbers_where_json_takes_them() -> None:
    assert json.dumps(to_json([np.float64(0.5), True, 3])) == "[0.5, true, 3]"
    with pytest.raises(TypeError, match="float32 is not a JSON value"):
        to_json(Word(0, 1, "x", np.float32(0.5)))  # type: ignore[arg-type]


def test_unknown_fields_are_ignored_and_missing_or_wrong_ones_are_errors() -> None:
    assert from_json(Seam, {"kind": "pause", "at": 1, "margin": 2, "colour": "red"}) == Seam("pause", 1, 2)
    with pytest.raises(ValueError, match="margin"):
        from_json(Seam, {"kind": "pause", "at": 1, "colour": "red"})
    with pytest.raises(ValueError, match=r"got `null` - at `\$\.hashes`"):
        from_json(WrittenFile, {"recording": "a", "hashes": None})


def with_more(value: object) -> object:
    """A document as a later version may write it: a field more in every object with fields."""
    if isinstance(value, list):
        return [with_more(one) for one in value]
    if isinstance(value, dict) and value:
        return {**{key: with_more(one) for key, one in value.items()}, "confidence": 0.5}
    return value


def test_a_result_of_a_later_version_is_read() -> None:
    assert from_json(ChunkResult, with_more(json.loads(json.dumps(to_json(RESULT))))) == RESULT


def test_a_plan_of_a_later_version_is_read(tmp_path: Path) -> None:
    write_plan(PLAN, tmp_path / "plan.json")
    raw = read_json(tmp_path / "plan.json")
    (lines,) = (tmp_path / ".state" / "plan").iterdir()
    first = raw["bundles"][0]["span"]
    text = lines.read_bytes()
    end = first["first"] + first["bytes"]
    changed = text[first["first"] : end].replace(b'{"recording"', b'{"later":1,"recording"')
    lines.write_bytes(text[:end] + text[end:] + changed)
    raw["bundles"][0]["span"] = {"first": len(text), "bytes": len(changed)}
    raw["settings"]["later"] = raw["later"] = raw["bundles"][0]["later"] = raw["shards"][0]["later"] = 1
    write_json(tmp_path / "plan.json", raw)
    assert read_plan(tmp_path / "plan.json") == PLAN


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"bundle": "b"}', '{"bundle": 1, "tracks": [], "chunks": []}']
)
def test_a_damaged_document_is_named_with_what_to_do(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(DocumentError, match=r"manifest\.json cannot be read .*delete it and run again"):
        BundleManifest.read(tmp_path)
    with pytest.raises(FileNotFoundError):
        read_document(BundleManifest, tmp_path / "none.json")


@pytest.mark.parametrize(
    "text", ["{}", "[]", '{"schema": 4}', '{"schema": 3}', '{"schema": 1}', '{"schema": 2, "settings": {}}']
)
def test_a_damaged_plan_and_one_of_a_later_version_are_named_with_what_to_do(tmp_path: Path, text: str) -> None:
    (tmp_path / "plan.json").write_text(text)
    with pytest.raises(DocumentError, match=r"plan\.json cannot be read .*another version of audiogrid; delete it"):
        read_plan(tmp_path / "plan.json")
