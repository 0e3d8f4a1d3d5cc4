"""Speed, utilisation and memory of a GPU by batch size, beside faster-whisper's batched mode.

    python benchmarks/gpu.py --models base,large-v3 --minutes 60
    python benchmarks/gpu.py --device cpu --minutes 2 --batches 1,8     a trial run without a GPU

Needs a GPU, pip install '.[cuda,bench]' and staged models. ``end to end`` is a whole `make run` from an MP3 to
subtitles with an empty store. The other rows are one warm process, which has read a minute already: ``ours`` decodes
chunks of five minutes as a worker does, ``faster-whisper`` reads the whole file in its batched mode. Utilisation and
memory are what nvidia-smi reports once a second. ``WER``: errors among the words of the text that was read out.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from decoding_sets import RATE, Clip, load

from decoding import ROOT, chunks, errors

# As many as a worker of a GPU has.
THREADS = 4


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
def watched() -> Iterator[Usage]:
    """Watches the GPUs while the block runs; records nothing without nvidia-smi."""
    usage, over = Usage(), threading.Event()
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
        yield usage
    finally:
        over.set()
        if program:
            watcher.join()


def ours(model: Path, device: str, batch: int) -> tuple[Callable[[Clip], str], Callable[[], str]]:
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


def theirs(model: Path, device: str, batch: int) -> tuple[Callable[[Clip], str], Callable[[], str]]:
    from faster_whisper import BatchedInferencePipeline, WhisperModel

    kind = "float16" if device == "cuda" else "int8"
    whisper = WhisperModel(str(model), device=device, compute_type=kind, cpu_threads=THREADS, local_files_only=True)
    pipeline = BatchedInferencePipeline(whisper)

    def read(clip: Clip) -> str:
        audio = clip.pcm.astype(np.float32) / 32768
        segments, _ = pipeline.transcribe(audio, language=clip.language, batch_size=batch or 8, word_timestamps=True)
        return " ".join(segment.text for segment in segments)

    return read, lambda: f"{kind}, batch {batch or 8}"


def end_to_end(model: str, device: str, clip: Clip) -> None:
    """Measures a whole run over an MP3, Snakemake included."""
    from audiogrid.core.atomic_files import write_bytes

    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        write_bytes(place / "in" / "reading.mp3", mp3(clip))
        argv = [str(Path(sys.executable).with_name("snakemake")), "--profile", "profiles/local", "--config"]
        argv += ["run=gpu-benchmark", f"recordings={place / 'in'}", f"store={place / 'store'}", f"model={model}"]
        argv += [f"device={device}", "language=en"]
        began = time.perf_counter()
        with watched() as usage:
            done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"the run failed:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")
        row(model, "end to end", device, clip, time.perf_counter() - began, usage)
    shutil.rmtree(ROOT / "results" / "gpu-benchmark", ignore_errors=True)


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


def row(model: str, who: str, how: str, clip: Clip, seconds: float, usage: Usage, text: str = "") -> None:
    audio = len(clip.pcm) / RATE
    wrong = errors(clip.text, text, clip.language) if text else None
    rate = f"{wrong.all / wrong.words:.2%}" if wrong else "-"
    print(f"| {model} | {who} | {how} | {seconds:.1f} s | {audio / seconds:.0f} {usage}| {rate} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", default="base", help="names of staged models, with commas between")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--batches", default="0,1,4,8,16,32,64", help="windows per batch; 0: what `ours` chooses")
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
    clip = load("reading", options.minutes, ROOT / "bench-data")
    print("| model | who | how | wall | times real time | GPU busy | GPU memory | WER |")
    print("|---|---|---|---|---|---|---|---|")
    for model in options.models.split(","):
        end_to_end(model, options.device, clip)
        for batch in (int(text) for text in options.batches.split(",")):
            for who, make in (("ours", ours), ("faster-whisper", theirs)):
                read, how = make(ROOT / "models" / model, options.device, batch)
                read(Clip(clip.name, clip.language, clip.pcm[: 60 * RATE], ""))
                began = time.perf_counter()
                with watched() as usage:
                    text = read(clip)
                row(model, who, how(), clip, time.perf_counter() - began, usage, text)


if __name__ == "__main__":
    main()
