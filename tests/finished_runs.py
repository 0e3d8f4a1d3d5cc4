"""Folders of finished runs without any decoding: what the stages leave behind, made with their own functions."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from audiogrid.core.tsv import write_table
from audiogrid.export.formats import file_name, render_all
from audiogrid.export.media_links import media_url
from audiogrid.merging.merge_bundle import MergedBundle
from audiogrid.probing.recording_ids import Named, assign_ids
from audiogrid.records.chunks import ShardFacts
from audiogrid.records.finished_shard import FinishedShard
from audiogrid.records.journal import Journal
from audiogrid.records.outcome import Outcome
from audiogrid.records.plan import Bundle, Plan, Recording, Settings, Shard
from audiogrid.records.plan_files.writer import write_plan
from audiogrid.records.run_folder import RunFolder
from audiogrid.records.written_files import WrittenFiles
from run_tables import write_summary

FORMATS = ("json", "txt", "vtt")


def _document(recording: Recording) -> dict[str, Any]:
    words = [{"start": 0.5 + n, "end": 1.0 + n, "word": f" word{n}", "probability": 0.9} for n in range(3)]
    text = " word0 word1 word2"
    return {
        "recording": recording.recording,
        "path": recording.path,
        "language": "en",
        "channels_mode": "mix",
        "duration": recording.duration / 16_000,
        "segments": [{"start": 0.5, "end": 3.0, "text": text, "language": "en", "words": words}],
        "gaps": [],
        "seams": [],
        "provenance": {"audiogrid": "0.1.0", "model": {"name": "base", "hash": "ab" * 32}, "options": {"beam_size": 5}},
    }


def finished_run(
    root: Path,
    names: list[str],
    *,
    failed: int = 0,
    publish: Any = "",
    media: Path | None = None,
    formats: Sequence[str] = FORMATS,
    packed: bool = False,
) -> RunFolder:
    """The folder of a run over recordings of these file names, the last ``failed`` of which have no transcript.

    ``media``: where files with these names are to lie; without it there are none. ``packed``: transcripts lie in a zip.
    """
    folder = RunFolder(root)
    paths = [str((media or Path("in")) / name) if "://" not in name else name for name in names]
    recordings = []
    for name, path in zip(assign_ids([Named(path, Path(path).stem, False) for path in paths], {}), paths, strict=True):
        size, mtime_ns = 1000, 1
        if media is not None:
            media.mkdir(parents=True, exist_ok=True)
            Path(path).write_bytes(name.encode() * 100)
            status = Path(path).stat()
            size, mtime_ns = status.st_size, status.st_mtime_ns
        recordings.append(Recording(name, path, size, mtime_ns, 64_000, 1, "mix", 1))
    ids = [one.recording for one in recordings]
    chunks = [chunk for one in recordings for chunk in one.chunk_ids]
    plan = Plan(
        Settings("base", {"base": "ab" * 32}, {"beam_size": 5, "prompt": "ÄÖ <x>"}, 5, 60, 600, 1, 0, 2),
        recordings,
        [Bundle("b0001", "spec", ids)],
        [Shard("s0001", "spec", chunks, ["b0001"], 64_000 * len(ids), "base", "int8")],
    )
    write_plan(plan, folder.plan)
    _write_transcripts(folder, recordings[: len(recordings) - failed], formats, packed)
    audio = {name: hashlib.sha256(name.encode()).hexdigest() for name in ids}
    FinishedShard("s0001", "spec", facts=ShardFacts(audio=audio)).write(folder.shards / "s0001.json")
    journal = Journal(folder.journal, "s0001", "spec")
    journal.begin(ShardFacts(audio=audio), 1)
    for chunk in chunks:
        journal.outcome(Outcome(chunk, "key", "decoded", 64_000))
    lost = [(name, "x", f"{name}.0000", "killed") for name in ids[len(ids) - failed :]]
    write_table(folder.failed, ("recording", "path", "chunk", "cause"), lost)
    write_table(folder.rejected, ("recording", "path", "reason"), [])
    folder.report.write_text("<p>report</p>")
    config = {"run": root.name, "publish": publish, "format_options": {}}
    versions = {"audiogrid": "0.1.0", "snakemake": "9.27.1", "faster-whisper": "1.2.1"}
    folder.config.write_text(yaml.safe_dump({"config": config, "versions": versions}))
    return folder


def _write_transcripts(folder: RunFolder, recordings: list[Recording], formats: Sequence[str], packed: bool) -> None:
    merged = MergedBundle("b0001")
    hashes: dict[str, tuple[str, str]] = {}
    for one in recordings:
        merged.files[one.recording] = {}
        for kind, text in render_all(_document(one), formats, media=media_url(one.path, folder.transcripts)).items():
            path = folder.transcripts / file_name(one.recording, kind)
            path.parent.mkdir(parents=True, exist_ok=True)
            data = text if isinstance(text, bytes) else text.encode()
            path.write_bytes(data)
            sha256 = hashlib.sha256(data).hexdigest()
            merged.files[one.recording][kind] = {"path": f"transcripts/{path.name}", "sha256": sha256}
            hashes[path.name] = (one.recording, sha256)
        row = {"recording": one.recording, "path": one.path, "status": "complete", "duration_s": 4.0, "words": 3}
        merged.rows.append({**row, "language": "en", "model": "base"})
    if packed:
        hashes = {"b0001.zip": ("", _pack(folder, merged))}
    merged.write(folder.merged / "b0001.json", 1)
    WrittenFiles("b0001").merged(hashes).write(folder)
    write_summary(folder.summary, merged.rows)


def _pack(folder: RunFolder, merged: MergedBundle) -> str:
    """Put all transcripts into the zip of the bundle, as ``pack: true`` does. Returns its hash."""
    pack = folder.transcripts / "b0001.zip"
    with zipfile.ZipFile(pack, "w") as target:
        for files in merged.files.values():
            for kind, file in files.items():
                path = folder.root / file["path"]
                target.write(path, path.name)
                path.unlink()
                files[kind] = {**file, "path": "transcripts/b0001.zip", "member": path.name}
    return hashlib.sha256(pack.read_bytes()).hexdigest()
