"""What status and report of a large archive cost, and what its figures would be on a large cluster.

    .venv/bin/python benchmarks/archive.py 10000 100000          a run of so many recordings, of which all is done
    .venv/bin/python benchmarks/archive.py --whole 10000         commands that read the whole plan of such a run
    .venv/bin/python benchmarks/archive.py --paper               the table of docs/scale.md

Of the run only what its jobs leave behind is made, with the functions of the library; nothing is decoded.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

from audiogrid.core.atomic_files import write_json
from audiogrid.core.tsv import write_table
from audiogrid.merging.ledger_table import write_part
from audiogrid.merging.merge_bundle import MergedBundle
from audiogrid.records.chunks import BundleManifest, Chunk, Seam, ShardFacts
from audiogrid.records.finished_shard import FinishedShard
from audiogrid.records.journal import Journal
from audiogrid.records.ledger import LedgerSpan
from audiogrid.records.outcome import Outcome
from audiogrid.records.plan import Bundle, Plan, Recording, Settings, Shard
from audiogrid.records.plan_files.writer import write_plan
from audiogrid.records.run_folder import RunFolder
from audiogrid.reporting.attempts import sum_journals
from audiogrid.reporting.bundle_sum_files import write_bundle_sum
from audiogrid.splitting.cut_cache import write_cuts

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = ROOT / "scripts"
# Chunks of a recording, where these count.
CHUNKS = 6
PER_BUNDLE = 500
PER_SHARD = 2000
HALF_HOUR = 1800 * 16_000


def _row(name: str, number: int) -> dict[str, Any]:
    doubt = (number * 37 % 1000) / 5000
    return {
        **{"recording": name, "path": f"archive/{number // 1000:04d}/{name}.wav", "status": "complete"},
        **{"duration_s": 1800.0, "speech_s": 1500.0, "language": ("en", "fr", "de")[number % 3], "words": 4000},
        **{"mean_probability": 0.93, "low_confidence_share": doubt, "expected_errors": round(doubt * 2, 4)},
        **{"expected_errors_low": round(doubt, 4), "expected_errors_high": round(3 * doubt, 4), "windows": 70},
        **{"flagged": number % 7, "redecoded": number % 5, "kept_careful": number % 3, "temperature_above_zero": 0},
        **{"seams": 5, "hard_seams": number % 2, "model": "base", "variant": "", "note": "", "left_out": ""},
    }


def make_run(folder: RunFolder, count: int, whole: bool = False) -> None:
    """Write what the jobs of a finished run with ``count`` recordings of half an hour leave behind.

    ``whole``: also where the recordings are cut, and a page each, which status and report do not look at.
    """
    names = [f"r{number:07d}" for number in range(count)]
    chunks = CHUNKS if whole else 1
    recordings = [Recording(name, f"archive/{name}.wav", 1, 1, HALF_HOUR, 1, "mix", chunks) for name in names]
    bundles, shards = [], []
    for first in range(0, count, PER_BUNDLE):
        bundle = f"b{first // PER_BUNDLE + 1:04d}"
        own = range(first, min(count, first + PER_BUNDLE))
        bundles.append(Bundle(bundle, "spec", [names[number] for number in own]))
        files = {names[n]: {"html": {"path": f"transcripts/{names[n]}.html", "sha256": "ab" * 32}} for n in own}
        passage = {"start": 1.0, "end": 9.0, "probability": 0.3, "text": "what is said there", "flags": ["loop"]}
        merged = MergedBundle(bundle, files, [_row(names[n], n) for n in own])
        merged.worst = {names[n]: [passage] * 3 for n in own}
        spans = [LedgerSpan(0, 16_000 * 1500, "speech_with_words"), LedgerSpan(16_000 * 1500, HALF_HOUR, "no_speech")]
        write_part(folder, bundle, {names[n]: spans for n in own})
        merged.write(folder.merged / f"{bundle}.json", 1)
        write_bundle_sum(folder, merged)
        if whole:
            _write_details(folder, [recordings[n] for n in own], bundle)
    for first in range(0, count, PER_SHARD):
        shard = f"s{first // PER_SHARD + 1:04d}"
        chunks = [chunk for one in recordings[first : first + PER_SHARD] for chunk in one.chunk_ids]
        used = [one.bundle for one in bundles[first // PER_BUNDLE : (first + PER_SHARD) // PER_BUNDLE]]
        shards.append(Shard(shard, "spec", chunks, used, HALF_HOUR * len(chunks), "base", "int8"))
        FinishedShard(shard, "spec", generation=1).write(folder.shards / f"{shard}.json")
        journal = Journal(folder.journal, shard, "spec")
        journal.begin(ShardFacts(), 2)
        for chunk in chunks[:200]:
            journal.outcome(Outcome(chunk, "key", "decoded", HALF_HOUR, 90.0, began=1.0, worker="n/1", device="cpu"))
        journal.end("done")
        sum_journals(folder.journal, shard)
    settings = Settings("base", {"base": "ab" * 32}, {}, 5, 60, 600, 1, 0)
    write_plan(Plan(settings, recordings, bundles, shards), folder.plan)
    write_json(folder.estimate, {"speeds": {"base": {"per_core": 20.0, "source": "a guess"}}, "cores": 2})


def _write_details(folder: RunFolder, recordings: list[Recording], bundle: str) -> None:
    """Write the cuts of a bundle, and an empty page for each of its recordings."""
    step = HALF_HOUR // CHUNKS
    edge = Seam("pause", 0, 4000)
    manifest = BundleManifest(bundle, [], [])
    folder.transcripts.mkdir(exist_ok=True)
    for one in recordings:
        for index in range(CHUNKS):
            span = (index * step, (index + 1) * step)
            hashed = hashlib.sha256(f"{one.recording} {index}".encode()).hexdigest()
            chunk = Chunk(f"{one.recording}.{index:04d}", one.recording, None, index, *span, *span, edge, edge, hashed)
            manifest.chunks.append(chunk)
        (folder.transcripts / f"{one.recording}.html").touch()
    write_cuts(folder.root, recordings, manifest)


def measured(name: str, *argv: str) -> None:
    """Run a command and print what it took. Raises ``SystemExit`` with its output if it fails."""
    environment = {**os.environ, "PYTHONPATH": str(SCRIPTS)}
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen([sys.executable, *argv], stdout=output, stderr=output, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        if os.waitstatus_to_exitcode(status):
            output.seek(0)
            raise SystemExit(f"{name} failed:\n{output.read()[-3000:]}")
    print(f"  {name:18s} cpu {usage.ru_utime + usage.ru_stime:7.2f} s  {usage.ru_maxrss / 1024:7.0f} MB", flush=True)


def measure(count: int, whole: bool) -> None:
    """Print what status and report cost with so many recordings, or commands that read the whole plan."""
    root = Path(tempfile.mkdtemp(prefix="archive-"))
    try:
        folder = RunFolder(root / "results" / "x")
        print(f"{count} recordings", flush=True)
        # In a process of its own: the peak memory of a command is at least that of the process which starts it.
        maker = multiprocessing.get_context("spawn").Process(target=make_run, args=(folder, count, whole))
        maker.start()
        maker.join()
        if maker.exitcode:
            raise SystemExit("the run could not be made")
        options = ["--run-dir", str(folder.root), "--store", str(root / "store")]
        if whole:
            model = str(ROOT / "models" / "base")
            cli = ("-m", "audiogrid.cli")
            measured("snakemake plan", str(SCRIPTS / "plan.py"), "--show", *options, "--model-dir", model)
            measured("clips", *cli, "clips", str(folder.root), "--out", str(root / "clips"), "--count", "0")
            write_table(folder.summary, ("recording",), [])
            write_table(folder.failed, ("recording", "path", "chunk", "cause"), [])
            measured("bag", *cli, "bag", str(folder.root))
            return
        settings = '{"formats": ["html"], "subtitles": {}, "search": false}'
        report = (str(SCRIPTS / "report.py"), *options, "--settings", settings)
        measured("report", *report)
        measured("report again", *report)
        measured("status", str(SCRIPTS / "status.py"), str(folder.root))
        sizes = {name: (folder.root / name).stat().st_size / 1e6 for name in ("report.html", "summary.tsv")}
        print("  " + ", ".join(f"{name} {size:.2f} MB" for name, size in sizes.items()), flush=True)
    finally:
        shutil.rmtree(root)


@dataclass(frozen=True)
class Assumptions:
    """What the figures on paper are made from. Speeds: hours of audio an hour. Prices: in the same money."""

    recordings: int = 1_000_000
    hours: float = 500_000
    gpus: int = 1000
    gpu_speed: float = 100.0
    shard_hours: float = 100.0
    bundle_recordings: int = 500
    chunk_minutes: float = 5.0
    chunk_bytes: float = 91_000
    audio_bytes_an_hour: float = 60e6
    formats: int = 6
    transcript_bytes_an_hour: float = 15_000_000
    gpu_hour_price: float = 1.0
    egress_price_a_tb: float = 90.0
    store_price_a_tb_month: float = 23.0


def paper(given: Assumptions) -> list[tuple[str, str]]:
    """Returns figures and what they are for."""
    chunks = given.hours * 60 / given.chunk_minutes
    shards = given.hours / given.shard_hours
    bundles = given.recordings / given.bundle_recordings
    gpu_hours = given.hours / given.gpu_speed
    store = chunks * given.chunk_bytes
    audio = given.hours * given.audio_bytes_an_hour
    transcripts = given.hours * given.transcript_bytes_an_hour
    inodes = chunks + given.recordings * given.formats + 5 * bundles + 4 * shards
    return [
        ("chunks, a file each in the store", f"{chunks:,.0f}"),
        ("shards (`transcribe` jobs)", f"{shards:,.0f}"),
        ("bundles (a `split` and a `merge` job each)", f"{bundles:,.0f}"),
        ("jobs in all", f"{shards + 2 * bundles:,.0f}"),
        ("GPU-hours", f"{gpu_hours:,.0f}"),
        (f"hours on {given.gpus:,} GPUs, all of them always busy", f"{gpu_hours / given.gpus:,.1f}"),
        ("audio to read, once", f"{audio / 1e12:,.1f} TB"),
        ("to read it in that time", f"{audio / (gpu_hours / given.gpus * 3600) / 1e9:,.2f} GB/s"),
        ("store", f"{store / 1e9:,.0f} GB"),
        ("transcripts", f"{transcripts / 1e9:,.0f} GB"),
        ("files in all (inodes)", f"{inodes:,.0f}"),
        ("files written a second in that time", f"{inodes / (gpu_hours / given.gpus * 3600):,.0f}"),
        ("cost of the GPUs", f"{gpu_hours * given.gpu_hour_price:,.0f}"),
        ("cost of egress, if the audio leaves a cloud", f"{audio / 1e12 * given.egress_price_a_tb:,.0f}"),
        ("cost of the store, a month", f"{(store + transcripts) / 1e12 * given.store_price_a_tb_month:,.0f}"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("counts", nargs="*", type=int, default=[10_000])
    parser.add_argument("--whole", action="store_true", help="commands that read the whole plan")
    parser.add_argument("--paper", action="store_true", help="only print the figures of docs/scale.md")
    for name, value in vars(Assumptions()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    options = parser.parse_args()
    if options.paper:
        given = Assumptions(**{name: getattr(options, name) for name in vars(Assumptions())})
        print("\n".join(["| figure | |", "|---|---:|", *(f"| {what} | {figure} |" for what, figure in paper(given))]))
        return
    for count in options.counts:
        measure(count, options.whole)


if __name__ == "__main__":
    main()
