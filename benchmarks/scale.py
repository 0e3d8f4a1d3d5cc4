"""What a recording costs when there are very many of them: every stage of a run, with nothing to decode.

    .venv/bin/python benchmarks/scale.py 1000 10000        one run per size, and a table
    .venv/bin/python benchmarks/scale.py 10000 --kill      as above, with the driver killed in the middle of merging
    .venv/bin/python benchmarks/scale.py 1000000 --plan    only probe and plan, again, and with more recordings
    .venv/bin/python benchmarks/scale.py 1000000 --known   as --plan, with facts of an earlier probe: no file is opened

The recordings are hard links of a few hundred sentences of half a second. These are decoded once, before the clock
starts, so that every chunk is in the store. What remains is what audiogrid and Snakemake do themselves.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from overhead import DATA, ROOT, workspace

from split import spoken_sentences

sys.path.insert(0, str(ROOT / "scripts"))

from audiogrid.probing.earlier_facts import CACHE_SCHEMA  # noqa: E402

# Recordings of different content; all others are links of these.
DISTINCT = 200
PER_FOLDER = 1000
ADDED = 100


@dataclass(frozen=True)
class Step:
    """One command. ``cpu`` in core-seconds of all processes; ``memory`` in MB of the largest process."""

    name: str
    wall: float
    cpu: float
    memory: float


def make_sentences() -> Path:
    """Returns a folder of ``DISTINCT`` WAV files of half a second at 8 kHz."""
    from soundfile import write

    folder = DATA / f"half-seconds-{DISTINCT}"
    if folder.is_dir():
        return folder
    partial = folder.with_suffix(".partial")
    partial.mkdir(parents=True, exist_ok=True)
    sounds = spoken_sentences()
    random = np.random.default_rng(3)
    for number in range(DISTINCT):
        sound = sounds[number % len(sounds)]
        start = int(random.integers(max(1, len(sound) - 22_050)))
        write(partial / f"{number:03d}.wav", sound[start : start + 22_050 : 5][:4000], 8000)
    partial.rename(folder)
    return folder


def link(folder: Path, first: int, last: int) -> None:
    """Make recordings number ``first`` to ``last`` - 1 in ``folder``."""
    sentences = sorted(make_sentences().glob("*.wav"))
    for number in range(first, last):
        place = folder / f"{number // PER_FOLDER:04d}"
        place.mkdir(parents=True, exist_ok=True)
        os.link(sentences[number % len(sentences)], place / f"r{number:07d}.wav")


def remember(folder: Path, recordings: Path) -> None:
    """Write what a probe of all recordings would leave behind; a file of half a second takes it 4 ms."""
    state = folder / "results/x/.state"
    state.mkdir(parents=True)
    facts = {"duration": 8000, "duration_source": "container", "channels": 1, "sample_rate": 8000}
    facts |= {"codec": "pcm_s16le", "container": "wav", "note": None, "tracks": [], "remarks": [], "audio_tracks": 1}
    with (state / "probe.jsonl").open("w") as file:
        for place in sorted(recordings.iterdir()):
            for path in sorted(place.iterdir()):
                seen = path.stat()
                own = {**facts, "size": seen.st_size, "mtime_ns": seen.st_mtime_ns, "inode": seen.st_ino}
                entry = {"schema": CACHE_SCHEMA, "path": str(path), "recording": path.stem, "facts": own}
                file.write(json.dumps({**entry, "wish": ["auto"], "language": "en"}) + "\n")


def run(name: str, command: Sequence[str], folder: Path) -> Step:
    """Returns what a command cost. Raises ``SystemExit`` with its output if it fails."""
    output = folder / "output.txt"
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    environment["PYTHONPATH"] = str(folder / "scripts")
    began = time.perf_counter()
    with output.open("w") as file:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=file, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
    step = Step(name, time.perf_counter() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"{name} failed:\n{output.read_text()[-4000:]}")
    print(f"  {name:24s} {step.wall:8.1f} s  cpu {step.cpu:8.1f} s  {step.memory:6.0f} MB", flush=True)
    return step


def snakemake(recordings: Path, *words: str) -> list[str]:
    """Returns a command of Snakemake for the run ``x``."""
    start = [sys.executable, "-m", "snakemake", "--profile", "profiles/local", *words]
    return [*start, "--config", "run=x", f"recordings={json.dumps(str(recordings))}", "language=en"]


def killed_once(command: Sequence[str], folder: Path) -> None:
    """Start a command and kill all of it once half of the transcripts are there."""
    with (folder / "killed.txt").open("w") as file:
        process = subprocess.Popen(command, cwd=folder, stdout=file, stderr=file, start_new_session=True)
        merged = folder / "results/x/merged"
        while process.poll() is None and not (merged.is_dir() and any(merged.iterdir())):
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def fill_store(folder: Path) -> None:
    """Give a workspace the results of all sentences, which are decoded once for all sizes."""
    kept = DATA / f"half-seconds-{DISTINCT}-store"
    if not kept.is_dir():
        other = workspace("scale-sentences")
        run("decode the sentences", snakemake(make_sentences()), other)
        (other / "results/store").rename(kept)
        shutil.rmtree(other)
    shutil.copytree(kept, folder / "results/store", copy_function=os.link)


def measure(count: int, kill: bool, only_plan: bool, known: bool, added: int) -> list[Step]:
    """Returns what each step costs for ``count`` recordings."""
    folder = workspace(f"scale-{count}")
    recordings = folder / "recordings"
    link(recordings, 0, count)
    print(f"{count} recordings", flush=True)
    command = snakemake(recordings)
    if known:
        remember(folder, recordings)
    steps = [run("probe and plan", snakemake(recordings, "make_plan"), folder)]
    if only_plan:
        steps.append(run("the plan again", snakemake(recordings, "make_plan"), folder))
        link(recordings, count, count + added)
        steps.append(run(f"{added} added", snakemake(recordings, "make_plan"), folder))
        steps.append(run("dry run", [*command, "--dry-run", "--quiet", "all"], folder))
        plan = folder / "results/x/plan.json"
        print(f"  plan.json {plan.stat().st_size / 1e6:.2f} MB")
        shutil.rmtree(folder)
        return steps
    fill_store(folder)
    if kill:
        killed_once(command, folder)
    steps.append(run("split, merge, report", command, folder))
    steps.append(run("the same again", command, folder))
    steps.append(run("status", [sys.executable, "-m", "audiogrid.cli", "status", "x"], folder))
    link(recordings, count, count + added)
    steps.append(run(f"{added} added", command, folder))
    sizes = {
        name: (folder / "results/x" / name).stat().st_size / 1e6 for name in ("plan.json", "report.html", "summary.tsv")
    }
    files = sum(len(names) for _, _, names in os.walk(folder / "results/x"))
    print(f"  {files / count:.2f} files a recording, {', '.join(f'{k} {v:.1f} MB' for k, v in sizes.items())}")
    shutil.rmtree(folder)
    return steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("counts", nargs="*", type=int, default=[1000, 10_000])
    parser.add_argument("--kill", action="store_true", help="kill the driver in the middle, and go on")
    parser.add_argument("--plan", action="store_true", help="only probe and plan")
    parser.add_argument("--known", action="store_true", help="as --plan, with the facts of all files known")
    parser.add_argument("--added", type=int, default=ADDED, help="recordings that are added (default: %(default)s)")
    options = parser.parse_args()
    only_plan = options.plan or options.known
    table = {count: measure(count, options.kill, only_plan, options.known, options.added) for count in options.counts}
    print(f"\n{'CPU ms per recording':24s}" + "".join(f"{count:>12,}" for count in table))
    for rows in zip(*table.values(), strict=True):
        cells = "".join(f"{1000 * step.cpu / count:12.2f}" for count, step in zip(table, rows, strict=True))
        print(f"{rows[0].name:24s}{cells}")


if __name__ == "__main__":
    main()
