"""Speed, utilisation and memory of a GPU by batch size, beside faster-whisper's batched mode.

    python benchmarks/gpu.py --models base,large-v3 --minutes 60
    python benchmarks/gpu.py --sets prompts-es,prompts-fr,prompts-it,prompts-ru --minutes 15 --runs 3     human speech
    python benchmarks/gpu.py --minutes 60 --batches '' --processes 1,2,4        whole runs, processes that share the GPU
    python benchmarks/gpu.py --device cpu --minutes 2 --batches 1,8     a trial run without a GPU

Needs a GPU, pip install '.[cuda,bench]' and staged models. ``end to end`` is a whole `make run` from MP3 files, one for
each set, to subtitles with an empty store; ``of which`` is the time of its jobs that decode. The other rows are one
warm process, which has read a minute already: ``ours`` decodes chunks of five minutes as a worker does,
``faster-whisper`` reads the whole file in its batched mode. They take turns; medians over ``--runs``. Utilisation and
memory are what nvidia-smi reports once a second. ``WER``: errors among the words of the text that was read out.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import numpy as np
from decoding_sets import RATE, Clip, load

from decoding import ROOT, chunks, errors

# As many as a worker of a GPU has.
THREADS = 4
Read = Callable[[Clip], str]


@dataclass
class Usage:
    """What nvidia-smi reported once a second: percent busy and MiB in use."""

    busy: list[int] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)

    def __str__(self) -> str:
        if not self.busy:
            return "| - | - "
        return f"| {sum(self.busy) / len(self.busy):.0f} % | {max(self.memory) / 1024:.1f} GB "


@contextmanager
def watched(usage: Usage) -> Iterator[None]:
    """Watches the GPUs while the block runs; records nothing without nvidia-smi."""
    over = threading.Event()
    program = shutil.which("nvidia-smi")

    def watch() -> None:
        query = [str(program), "--query-gpu=utilization.gpu,memory.used", "--format=csv,noheader,nounits"]
        while not over.wait(1.0):
            answer = subprocess.run(query, capture_output=True, text=True, check=False)
            rows = [row.split(",") for row in answer.stdout.splitlines()]
            if answer.returncode == 0 and rows:
                usage.busy.append(max(int(busy) for busy, _ in rows))
                usage.memory.append(max(int(memory) for _, memory in rows))

    watcher = threading.Thread(target=watch)
    if program:
        watcher.start()
    try:
        yield
    finally:
        over.set()
        if program:
            watcher.join()


def ours(model: Path, device: str, batch: int) -> tuple[Read, Callable[[], str]]:
    from audiogrid.decoding.engine import ChunkAudio
    from audiogrid.decoding.memory_fallback import AdaptiveEngine, EngineSettings
    from audiogrid.decoding.options import DecodeOptions

    engine = AdaptiveEngine(model, EngineSettings(device, "auto", THREADS, batch))

    def read(clip: Clip) -> str:
        options = DecodeOptions(language=clip.language)
        pieces = [ChunkAudio(pcm, (0, len(pcm)), options) for pcm in chunks(clip)]
        results = dict(engine.decode(pieces))
        return " ".join(segment.text for index in sorted(results) for segment in results[index].segments)

    return read, lambda: f"{engine.compute_type}, batch {engine.batch_size}"


def theirs(model: Path, device: str, batch: int) -> tuple[Read, Callable[[], str]]:
    from faster_whisper import BatchedInferencePipeline, WhisperModel

    kind = "float16" if device == "cuda" else "int8"
    whisper = WhisperModel(str(model), device=device, compute_type=kind, cpu_threads=THREADS, local_files_only=True)
    pipeline = BatchedInferencePipeline(whisper)

    def read(clip: Clip) -> str:
        audio = clip.pcm.astype(np.float32) / 32768
        segments, _ = pipeline.transcribe(audio, language=clip.language, batch_size=batch or 8, word_timestamps=True)
        return " ".join(segment.text for segment in segments)

    return read, lambda: f"{kind}, batch {batch or 8}"


def in_turns(model: Path, device: str, batch: int, clips: Sequence[Clip], runs: int) -> None:
    """Measures both contestants, which take turns over the clips, at one batch size."""
    contestants = [("ours", *ours(model, device, batch)), ("faster-whisper", *theirs(model, device, batch))]
    for _, read, _ in contestants:
        read(Clip("warm", clips[0].language, clips[0].pcm[: 60 * RATE], ""))
    for clip in clips:
        seconds: dict[str, list[float]] = {}
        usages: dict[str, Usage] = {}
        for _ in range(runs):
            for who, read, how in contestants:
                with watched(usages.setdefault(who, Usage())):
                    began = time.perf_counter()
                    text = read(clip)
                    seconds.setdefault(who, []).append(time.perf_counter() - began)
                if len(seconds[who]) == runs:
                    row(model.name, clip.name, who, how(), [clip], median(seconds[who]), usages[who], [text])


def end_to_end(model: str, device: str, clips: Sequence[Clip], place: Path, processes: int) -> None:
    """Measures a whole run over the MP3 files in ``place``, Snakemake included."""
    results, store = ROOT / "results" / "gpu-benchmark", place / f"store-{model}-{processes}"
    argv = [str(Path(sys.executable).with_name("snakemake")), "--profile", "profiles/local", "--config"]
    argv += ["run=gpu-benchmark", f"recordings={place / 'recordings.tsv'}", f"store={store}", f"model={model}"]
    argv += [f"device={device}", f"workers={{processes_per_gpu: {processes}}}"]
    usage = Usage()
    with watched(usage):
        began = time.perf_counter()
        done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - began
    if done.returncode:
        sys.exit(f"the run failed:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")
    shards = [json.loads(path.read_text()) for path in (results / "shards").glob("*.json")]
    texts = [next((results / "transcripts").rglob(f"{clip.name}*.txt")).read_text() for clip in clips]
    how = f"{processes} process{'es' * (processes > 1)}, of which {sum(one['seconds'] for one in shards):.1f} s"
    row(model, "+".join(clip.name for clip in clips), "end to end", how, clips, seconds, usage, texts)
    shutil.rmtree(results, ignore_errors=True)


def write_recordings(clips: Sequence[Clip], place: Path) -> None:
    """Writes the clips as MP3 files, and a table with their languages."""
    with ThreadPoolExecutor() as pool:
        for clip, data in zip(clips, pool.map(mp3, clips), strict=True):
            (place / f"{clip.name}.mp3").write_bytes(data)
    rows = ["path\tlanguage", *(f"{place / clip.name}.mp3\t{clip.language}" for clip in clips)]
    (place / "recordings.tsv").write_text("\n".join(rows) + "\n")


def mp3(clip: Clip) -> bytes:
    """Returns the clip as MP3 at 128 kbit/s."""
    import io

    import av

    data = io.BytesIO()
    with av.open(data, "w", format="mp3") as out:
        stream = out.add_stream("libmp3lame", rate=RATE)
        for start in range(0, len(clip.pcm), RATE):
            frame = av.AudioFrame.from_ndarray(clip.pcm[None, start : start + RATE], format="s16", layout="mono")
            frame.rate, frame.pts = RATE, start
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return data.getvalue()


def row(
    model: str,
    name: str,
    who: str,
    how: str,
    clips: Sequence[Clip],
    seconds: float,
    usage: Usage,
    texts: Sequence[str],
) -> None:
    audio = sum(len(clip.pcm) for clip in clips) / RATE
    wrong = [errors(clip.text, text, clip.language) for clip, text in zip(clips, texts, strict=True) if clip.text]
    rate = f"{sum(one.all for one in wrong) / sum(one.words for one in wrong):.2%}" if wrong else "-"
    cells = f"{model} | {name} | {who} | {how} | {seconds:.1f} s | {audio / seconds:.0f} {usage}"
    print(f"| {cells}| {rate} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", default="base", help="names of staged models, with commas between")
    parser.add_argument("--sets", default="reading", help="sets of decoding_sets.py, with commas between")
    parser.add_argument("--minutes", type=float, default=60.0, help="length of each set")
    parser.add_argument("--batches", default="0,1,4,8,16,32,64", help="windows per batch; 0: what `ours` chooses")
    parser.add_argument("--processes", default="1", help="of the whole runs, on each GPU; empty: no whole runs")
    parser.add_argument("--runs", type=int, default=1, help="of each contestant; medians are printed")
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    options = parser.parse_args()
    if options.device == "cuda":
        from audiogrid.hardware.device_choice import find_gpus

        found = find_gpus()
        if found.cause:
            # Not an error: `make bench` runs on machines without a GPU, too.
            print(f"not run: {found.cause}. This benchmark needs a GPU; --device cpu tries it out without one")
            return
        print(f"on {', '.join(found.gpus)}")
    clips = [load(name, options.minutes, ROOT / "bench-data" / "decoding") for name in options.sets.split(",")]
    print("| model | set | who | how | wall | times real time | GPU busy | GPU memory | WER |")
    print("|---|---|---|---|---|---|---|---|---|", flush=True)
    for model in options.models.split(","):
        if options.processes:
            with tempfile.TemporaryDirectory() as folder:
                write_recordings(clips, Path(folder))
                for processes in options.processes.split(","):
                    end_to_end(model, options.device, clips, Path(folder), int(processes))
        for batch in filter(None, options.batches.split(",")):
            in_turns(ROOT / "models" / model, options.device, int(batch), clips, options.runs)


if __name__ == "__main__":
    main()
