"""What merging costs: ten hours, 90,000 words, in the six formats that are written by default and in all.

The words are made up, so no model is needed. `benchmarks/merging.py --hours 10 --runs 3` prints core-seconds (of the
whole merge: stitching, checks, ledger, rendering, writing), the median of the runs, which alternate; `--each` also
prints the rendering of every format; `--chunks 10 100 1000` the cost of a chunk in recordings of so many.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

from audiogrid.core.timebase import SAMPLE_RATE
from audiogrid.export.cues import CueOptions
from audiogrid.export.formats import DEFAULT_FORMATS, FORMATS, render_all
from audiogrid.merging.document import build_document
from audiogrid.merging.ledger import make_ledger
from audiogrid.merging.merge_recording import merge_recording
from audiogrid.merging.stitch import stitch
from audiogrid.merging.track_text import TrackText
from audiogrid.records.chunks import Chunk, Seam, chunk_id
from audiogrid.records.ledger import Sound
from audiogrid.records.results import ChunkResult, HypothesisRecord, Segment, Window, Word

CHUNK = 300 * SAMPLE_RATE
MODEL = {"name": "base", "hash": 64 * "0"}
PROVENANCE = {"audiogrid": "0", "model": MODEL, "options": {}}


def made_up_words(count: int, seed: int = 1) -> list[str]:
    """Returns words of two to ten letters; every twelfth ends a sentence."""
    source = random.Random(seed)
    letters = "eeeeaaaiiooutttnnsshhrrddllcmfwygpbvk"
    words = []
    for number in range(count):
        word = "".join(source.choice(letters) for _ in range(source.randint(2, 10)))
        words.append(" " + word + ("." if number % 12 == 11 else "," if number % 12 == 5 else ""))
    return words


def make_result(words: list[str], source: random.Random) -> ChunkResult:
    """Returns what a chunk of five minutes says: windows of 30 s, segments of 12 words, pauses between them."""
    step = CHUNK // len(words)
    timed = [Word(n * step, n * step + step * 4 // 5, word, source.random()) for n, word in enumerate(words)]
    segments = []
    for first in range(0, len(timed), 12):
        part = timed[first : first + 12]
        text = "".join(word.text for word in part).strip()
        segments.append(Segment(part[0].start, part[-1].end, text, part, -0.2, 1.4, 0.01, 0.0, "en", 0))
    readings = [HypothesisRecord("fast", 1.0, 70, -0.2, 1.4, 0.0, [], "text " * 20) for _ in range(2)]
    windows = [
        Window(start, start + 480_000, [(start, start + 470_000)], ["unsure"] if n % 5 == 0 else [], "fast", readings)
        for n, start in enumerate(range(0, CHUNK, 480_000))
    ]
    speech = [(start, start + 95_000) for start in range(0, CHUNK - 100_000, 100_000)]
    return ChunkResult(CHUNK, "en", 0.99, speech, windows, segments)


def make_recording(hours: float) -> tuple[list[Chunk], dict[str, ChunkResult]]:
    """Returns the chunks of a recording with 2.5 words a second, and their results."""
    source = random.Random(2)
    count = round(hours * 3600 * SAMPLE_RATE / CHUNK)
    words = made_up_words(750 * count)
    chunks, results = [], {}
    for index in range(count):
        start, end = index * CHUNK, (index + 1) * CHUNK
        seams = Seam("pause", start, 0), Seam("pause", end, 0)
        sounds = tuple(Sound(at, at + 50_000, "silence" if at % 3 else "sound") for at in range(start, end, 50_000))
        name = chunk_id("talk", None, index)
        chunks.append(Chunk(name, "talk", None, index, start, end, start, end, *seams, 64 * "0", sounds))
        results[name] = make_result(words[750 * index : 750 * (index + 1)], source)
    return chunks, results


def merge(chunks: list[Chunk], results: dict[str, ChunkResult], formats: list[str]) -> tuple[float, float]:
    """Merges into a folder of its own. Returns core-seconds and seconds."""
    with tempfile.TemporaryDirectory() as folder:
        cpu, wall = time.process_time(), time.perf_counter()
        merge_recording(
            {"recording": "talk", "path": "in/talk.wav"},
            chunks,
            lambda chunk: (64 * "0", results[chunk]),
            {},
            allow_gaps=False,
            formats=formats,
            subtitles=CueOptions(),
            folder=Path(folder),
            provenance=PROVENANCE,
        )
        return time.process_time() - cpu, time.perf_counter() - wall


def print_each(chunks: list[Chunk], results: dict[str, ChunkResult]) -> None:
    """Print the core-seconds of every format by itself, shared views included."""
    pieces = [(chunk, "key", results[chunk.chunk]) for chunk in chunks]
    track = TrackText(None, stitch([(chunk, result) for chunk, _, result in pieces]), pieces)
    began = time.process_time()
    ledger = make_ledger([track])
    print(f"  ledger       {time.process_time() - began:6.2f} core-seconds, {len(ledger):,} spans")
    document = build_document({"recording": "talk", "path": "in/talk.wav"}, [track], PROVENANCE, ledger=ledger)
    for name in FORMATS:
        began = time.process_time()
        size = len(render_all(document, [name])[name])
        print(f"  {name:12} {time.process_time() - began:6.2f} core-seconds, {size / 1e6:5.1f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--hours", type=float, default=10)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--each", action="store_true")
    parser.add_argument("--chunks", type=int, nargs="*", help="instead: the cost of a chunk in recordings of so many")
    arguments = parser.parse_args()
    for count in arguments.chunks or ():
        chunks, results = make_recording(count * CHUNK / SAMPLE_RATE / 3600)
        cpu = statistics.median(merge(chunks, results, list(DEFAULT_FORMATS))[0] for _ in range(arguments.runs))
        print(f"{len(chunks):6,} chunks  {1000 * cpu / len(chunks):7.2f} core-milliseconds a chunk", flush=True)
    if arguments.chunks:
        return
    chunks, results = make_recording(arguments.hours)
    kinds = {"six formats": list(DEFAULT_FORMATS), f"all {len(FORMATS)} formats": list(FORMATS)}
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in kinds}
    for _ in range(arguments.runs):
        for name, formats in kinds.items():
            spent[name].append(merge(chunks, results, formats))
    print(f"{arguments.hours:g} h, {sum(len(r.segments) for r in results.values()):,} segments")
    for name, found in spent.items():
        cpu, wall = (statistics.median(column) for column in zip(*found, strict=True))
        print(f"  {name:15} {cpu:6.2f} core-seconds, {wall:6.2f} s")
    six, everything = (statistics.median(cpu for cpu, _ in found) for found in spent.values())
    print(f"  ratio           {everything / six:6.2f}")
    if arguments.each:
        print_each(chunks, results)


if __name__ == "__main__":
    main()
