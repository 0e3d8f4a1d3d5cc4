"""What a run costs besides decoding, everything included: Snakemake, probe, plan, split, model load, merge.

    .venv/bin/python benchmarks/overhead.py hour     1 h of speech in one MP3; a second identical run
    .venv/bin/python benchmarks/overhead.py ten      10 h in one MP3
    .venv/bin/python benchmarks/overhead.py notes    1,000 recordings of 30 s (--notes N: another number)
    .venv/bin/python benchmarks/overhead.py clips    1,000 recorded clips of 5 to 15 s in five languages (--notes N)
    .venv/bin/python benchmarks/overhead.py tiny     50,000 recordings of 0.5 s: probe, plan, dry run

``--root CLONE`` runs the workflow of another clone, to compare with an earlier version.

Decoding is what the worker processes report from their first to their last sample, divided by their number. Each run
happens in a fresh copy of the workflow under ``bench-data/`` with an empty store.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from decoding_sets import RATE, VOICES, prompt_files, read_audio

from split import make_recording, spoken_sentences

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "bench-data"
NEEDED = ("workflow", "scripts", "config", "profiles", "samples")
FILES = ("environment.yml",)


def workspace(name: str, root: Path = ROOT) -> Path:
    """A fresh copy of the workflow of the clone ``root``, with the staged models of this one."""
    folder = DATA / f"run-{name}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for part in NEEDED:
        shutil.copytree(root / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy2(root / name, folder / name)
    (folder / "models").symlink_to(ROOT / "models")
    return folder


def measured(folder: Path, *arguments: str) -> tuple[float, float, float, str]:
    """Runs Snakemake. Returns wall seconds, CPU seconds, peak MB of its largest process, and its output."""
    command = [sys.executable, "-m", "snakemake", "--profile", "profiles/local", *arguments]
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    output = folder / "output.txt"
    began = time.perf_counter()
    with output.open("w") as file:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=file, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    text = output.read_text()
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"{command} failed:\n{text[-4000:]}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, text


def decoding_seconds(run: Path) -> tuple[float, float, int]:
    """Returns wall seconds of decoding (as if all workers were busy), audio seconds, and worker processes."""
    seconds = audio = 0.0
    workers = 1
    for path in (run / "journal").glob("*.jsonl"):
        for entry in map(json.loads, path.read_text().splitlines()):
            if entry["event"] == "begin":
                workers = entry["workers"]
            elif entry["event"] == "chunk" and entry["status"] == "decoded":
                seconds += entry["seconds"]
                audio += entry["audio"] / 16_000
    return seconds / workers, audio, workers


def whole_run(name: str, recordings: Path, root: Path = ROOT, language: str = "en") -> None:
    """Measures a run of the clone ``root`` from an empty store, then the same command once more."""
    folder = workspace(name, root)
    options = ("--config", "run=x", f"recordings={json.dumps(str(recordings))}", f"language={language}")
    wall, cpu, memory, _ = measured(folder, *options)
    decoding, audio, workers = decoding_seconds(folder / "results" / "x")
    print(f"{name}: {audio / 3600:.2f} h in {wall:.1f} s = {audio / wall:.1f}x real time, {workers} workers")
    rest = wall - decoding
    print(f"  decoding {decoding:.1f} s, everything else {rest:.1f} s = {rest / wall:.1%} of the wall time")
    print(f"  cpu {cpu:.1f} s, largest process {memory:.0f} MB")
    wall, cpu, memory, output = measured(folder, *options)
    assert "Nothing to be done" in output, output
    print(f"  again: {wall:.2f} s, {memory:.0f} MB, nothing done")
    shutil.rmtree(folder)


def make_notes(count: int) -> Path:
    """Returns a folder of ``count`` voice notes of 30 s, each with its own order of sentences."""
    from soundfile import write

    folder = DATA / f"notes-{count}"
    if folder.is_dir():
        return folder
    partial = folder.with_suffix(".partial")
    partial.mkdir(parents=True, exist_ok=True)
    spoken = spoken_sentences()
    pause = np.zeros(22_050, np.int16)
    random = np.random.default_rng(1)
    for number in range(count):
        parts: list[np.ndarray] = []
        while sum(map(len, parts)) < 30 * 44_100:
            parts += [spoken[random.integers(len(spoken))], pause]
        write(partial / f"note{number:04d}.flac", np.concatenate(parts)[: 30 * 44_100], 44_100)
    partial.rename(folder)
    return folder


def make_clips(count: int) -> Path:
    """Returns a table of ``count`` clips of 5 to 15 s, put together from recorded prompts of five languages."""
    from soundfile import write

    folder = DATA / f"clips-{count}"
    table = folder / "clips.tsv"
    if table.is_file():
        return table
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    random = np.random.default_rng(1)
    pause = np.zeros(RATE // 2, np.int16)
    rows = ["path\tlanguage"]
    for number in range(count):
        language = list(VOICES)[number % len(VOICES)]
        files = prompt_files(language)
        length = random.uniform(5, 14) * RATE
        parts: list[np.ndarray] = []
        while sum(map(len, parts)) < length:
            parts += [read_audio(files[random.integers(len(files))][0]), pause]
        write(folder / f"clip{number:04d}.wav", np.concatenate(parts)[: 15 * RATE], RATE)
        rows.append(f"clip{number:04d}.wav\t{language}")
    table.write_text("\n".join(rows) + "\n")
    return table


def make_tiny(count: int) -> Path:
    """Returns a folder of ``count`` WAV files of half a second at 8 kHz."""
    folder = DATA / f"tiny-{count}"
    if folder.is_dir():
        return folder
    from soundfile import write

    partial = folder.with_suffix(".partial")
    partial.mkdir(parents=True, exist_ok=True)
    sound = spoken_sentences()[0][: 44_100 // 2 : 5][:4000]
    write(partial / "0.wav", sound, 8000)
    data = (partial / "0.wav").read_bytes()
    for number in range(1, count):
        sub = partial / f"{number // 1000:03d}"
        sub.mkdir(exist_ok=True)
        (sub / f"t{number:05d}.wav").write_bytes(data)
    partial.rename(folder)
    return folder


def tiny(count: int) -> None:
    """Measures probe and plan, and the dry run after them, for very many recordings."""
    folder = workspace("tiny")
    options = ("--config", "run=x", f"recordings={json.dumps(str(make_tiny(count)))}", "language=en")
    wall, cpu, memory, _ = measured(folder, "plan", *options)
    print(f"tiny: {count} recordings, probe and plan: {wall:.1f} s, cpu {cpu:.1f} s, largest process {memory:.0f} MB")
    again, cpu, memory, _ = measured(folder, "-n", *options)
    print(f"  dry run: {again:.1f} s, cpu {cpu:.1f} s, largest process {memory:.0f} MB; together {wall + again:.1f} s")
    shutil.rmtree(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", default=["hour", "tiny"])
    parser.add_argument("--notes", type=int, default=1000, help="how many notes or clips")
    parser.add_argument("--root", type=Path, default=ROOT, help="a clone with another version of the workflow")
    options = parser.parse_args()
    for what in options.what:
        match what:
            case "hour":
                whole_run("hour", make_recording(1), options.root)
            case "ten":
                whole_run("ten", make_recording(10), options.root)
            case "notes":
                whole_run("notes", make_notes(options.notes), options.root)
            case "clips":
                whole_run("clips", make_clips(options.notes), options.root, "auto")
            case "tiny":
                tiny(50_000)
            case other:
                parser.error(f"unknown: {other}")


if __name__ == "__main__":
    main()
