"""From audio file to written subtitles: ours, through Snakemake, against its peers, on the same files, model and cores.

    .venv/bin/python benchmarks/peers.py                              1 h of synthesised speech, MP3, three rounds
    .venv/bin/python benchmarks/peers.py --sets prompts-en,prompts-es --minutes 20 --format wav
    .venv/bin/python benchmarks/peers.py --contestants ours,batched --rounds 5

Contestants: `sequential` (faster-whisper with its defaults), `batched` (its BatchedInferencePipeline, 8 windows),
`command` and `command-batched` (whisper-ctranslate2, without and with --batched), `ours`. All with Whisper base, int8,
told the language, on all cores of this machine; each run is a process of its own and writes SRT. In every round each
contestant runs once, in turn; medians are printed. Ours starts from an empty store.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil
from decoding_sets import SETS, Clip, load
from overhead import workspace

from decoding import errors

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "bench-data"
MODEL = ROOT / "models" / "base"
CORES = len(os.sched_getaffinity(0))

# What a user of faster-whisper would write by hand.
BY_HAND = """
import sys
from faster_whisper import BatchedInferencePipeline, WhisperModel

audio, language, model, cores, batched, target = sys.argv[1:]
whisper = WhisperModel(model, device="cpu", compute_type="int8", cpu_threads=int(cores), local_files_only=True)
if batched == "yes":
    segments, _ = BatchedInferencePipeline(whisper).transcribe(audio, language=language, batch_size=8)
else:
    segments, _ = whisper.transcribe(audio, language=language)

def clock(seconds):
    ms = round(seconds * 1000)
    return f"{ms // 3600000:02d}:{ms // 60000 % 60:02d}:{ms // 1000 % 60:02d},{ms % 1000:03d}"

with open(target, "w", encoding="utf-8") as file:
    for number, segment in enumerate(segments, 1):
        file.write(f"{number}\\n{clock(segment.start)} --> {clock(segment.end)}\\n{segment.text.strip()}\\n\\n")
"""


def audio_file(clip: Clip, minutes: float, kind: str) -> Path:
    """The clip as MP3 (44.1 kHz stereo, 128 kbit/s) or WAV (16 kHz mono)."""
    sys.path.insert(0, str(ROOT / "tests"))
    import numpy as np

    from media import write_media, write_wav

    path = DATA / f"peers-{clip.name}-{minutes:g}.{kind}"
    if not path.is_file():
        if kind == "wav":
            write_wav(path, clip.pcm)
        else:
            write_media(path, np.stack([clip.pcm, clip.pcm], axis=1), rate=44_100, bit_rate=128_000)
    return path


def command(name: str, audio: Path, language: str, folder: Path) -> tuple[list[str], Path, Path]:
    """Returns the command line, its working folder, and the path of the subtitles that it writes."""
    python = sys.executable
    target = folder / "out" / f"{audio.stem}.srt"
    target.parent.mkdir()
    if name in ("sequential", "batched"):
        script = folder / "by_hand.py"
        script.write_text(BY_HAND)
        batched = "yes" if name == "batched" else "no"
        line = [python, str(script), str(audio), language, str(MODEL), str(CORES), batched, str(target)]
        return line, folder, target
    if name.startswith("command"):
        line = [str(Path(python).parent / "whisper-ctranslate2"), str(audio), "--language", language]
        line += ["--model_directory", str(MODEL), "--compute_type", "int8", "--threads", str(CORES), "--device", "cpu"]
        line += ["--output_format", "srt", "--output_dir", str(target.parent), "--verbose", "False"]
        if name.endswith("batched"):
            line += ["--batched", "True", "--batch_size", "8"]
        return line, folder, target
    place = workspace(f"peers-{folder.name}")
    line = [python, "-m", "snakemake", "--profile", "profiles/local", "--config", "run=x", f"language={language}"]
    line += ["formats=srt", f"recordings={json.dumps(str(audio))}"]
    return line, place, place / "results" / "x" / "transcripts" / f"{audio.stem}.srt"


class Memory(threading.Thread):
    """Samples the memory of a process and its children once a second; ``peak``: the largest sum of their PSS, in MB."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._root = psutil.Process(pid)
        self.peak = 0.0
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.wait(1.0):
            total = 0
            try:
                for process in [self._root, *self._root.children(recursive=True)]:
                    total += process.memory_full_info().pss
            except psutil.Error:
                continue
            self.peak = max(self.peak, total / 1e6)


def text_of(subtitles: Path) -> str:
    """Returns the words of an SRT file."""
    import pysubs2

    return " ".join(event.plaintext.replace("\n", " ") for event in pysubs2.load(str(subtitles)))


def measure(name: str, audio: Path, language: str) -> tuple[float, float, str]:
    """Returns wall seconds, peak MB and text of one run."""
    with tempfile.TemporaryDirectory(prefix="peers-") as scratch:
        line, place, target = command(name, audio, language, Path(scratch))
        began = time.perf_counter()
        with (Path(scratch) / "log").open("w+") as log:
            process = subprocess.Popen(line, cwd=place, stdout=log, stderr=subprocess.STDOUT)
            memory = Memory(process.pid)
            memory.start()
            code = process.wait()
            wall = time.perf_counter() - began
            memory.over.set()
            if code or not target.is_file():
                log.seek(0)
                raise SystemExit(f"{name} failed:\n{log.read()[-3000:]}")
        text = text_of(target)
        if place != Path(scratch):
            shutil.rmtree(place)
        return wall, memory.peak, text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    everyone = ["sequential", "batched", "command", "command-batched", "ours"]
    parser.add_argument("--sets", default="reading", help=f"of {', '.join(SETS)}")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--format", choices=["mp3", "wav"], default="mp3")
    parser.add_argument("--contestants", default=",".join(everyone))
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    names = options.contestants.split(",")
    print(
        f"{'set':16} {'contestant':16} {'wall s':>8} {'x real':>7} {'peak MB':>8} {'WER %':>6} {'of best batched':>16}"
    )
    for chosen in options.sets.split(","):
        clip = load(chosen, options.minutes, DATA / "decoding")
        audio = audio_file(clip, options.minutes, options.format)
        seconds = len(clip.pcm) / 16_000
        results: dict[str, list[tuple[float, float, str]]] = {name: [] for name in names}
        for _ in range(options.rounds):
            for name in names:
                results[name].append(measure(name, audio, clip.language))
        rivals = [statistics.median(w for w, _, _ in results[n]) for n in names if n.endswith("batched")]
        for name in names:
            wall = statistics.median(wall for wall, _, _ in results[name])
            peak = max(peak for _, peak, _ in results[name])
            wrong = errors(clip.text, results[name][-1][2], clip.language)
            rate = 100 * wrong.all / wrong.words if wrong.words else wrong.all
            ratio = f"{min(rivals) / wall:.2f}" if rivals else ""
            row = f"{chosen:16} {name:16} {wall:8.1f} {seconds / wall:7.1f} {peak:8.0f} {rate:6.2f} {ratio:>10}"
            print(row, flush=True)


if __name__ == "__main__":
    main()
