"""What a recording costs when there are very many of them: every stage of a run, with nothing to decode.

    .venv/bin/python benchmarks/scale.py 1000 10000        one run per size, and a table
    .venv/bin/python benchmarks/scale.py 10000 --kill      as above, with the driver killed in the middle of merging
    .venv/bin/python benchmarks/scale.py 1000000 --plan    only probe and plan, again, and with more recordings
    .venv/bin/python benchmarks/scale.py 1000000 --known   as --plan, with facts of an earlier probe: no file is opened
    .venv/bin/python benchmarks/scale.py 1000000 --resume  goes on where a call that was killed has stopped
    .venv/bin/python benchmarks/scale.py --plot cost.svg   draws what all calls so far have measured

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
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from overhead import DATA, ROOT, workspace

from split import spoken_sentences

sys.path.insert(0, str(ROOT / "scripts"))

from audiogrid.probing.earlier_facts import CACHE_SCHEMA

# Recordings of different content; all others are links of these.
DISTINCT = 200
PER_FOLDER = 1000
ADDED = 100
MERGING = "split, merge, report"
# What earlier calls have measured.
MEASURED = DATA / "scale.json"


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
        with suppress(FileExistsError):
            os.link(sentences[number % len(sentences)], place / f"r{number:07d}.wav")


def remember(folder: Path, recordings: Path) -> None:
    """Write what a probe of all recordings would leave behind; a file of half a second takes it 4 ms."""
    state = folder / "results/x/.state"
    state.mkdir(parents=True, exist_ok=True)
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
    shutil.rmtree(folder / "results/store", ignore_errors=True)
    shutil.copytree(kept, folder / "results/store", copy_function=os.link)


class Steps:
    """The steps of one size, each noted when it is done, so that a call that was killed can go on (``--resume``)."""

    def __init__(self, name: str, resume: bool) -> None:
        self.folder = DATA / f"run-{name}"
        self._note = self.folder / "steps.json"
        if not (resume and self._note.exists()):
            self.folder = workspace(name)
        self._done: dict[str, list[float]] = json.loads(self._note.read_text()) if self._note.exists() else {}

    def run(self, name: str, command: Sequence[str]) -> None:
        """Run a command and note what it cost."""
        if name not in self._done:
            step = run(name, command, self.folder)
            self._save(name, [step.wall, step.cpu, step.memory])

    def prepare(self, name: str, work: Callable[[], None]) -> None:
        """Do something that does not count; what a killed call has left of it may be there."""
        if name not in self._done:
            work()
            self._save(name, [])

    def found(self) -> list[Step]:
        """Returns what was measured."""
        return [Step(name, *cost) for name, cost in self._done.items() if cost]

    def _save(self, name: str, cost: list[float]) -> None:
        self._done[name] = cost
        self._note.write_text(json.dumps(self._done))


def measure(count: int, options: argparse.Namespace) -> list[Step]:
    """Returns what each step costs for ``count`` recordings."""
    only_plan, added = options.plan or options.known, options.added
    steps = Steps(f"scale-{count}", options.resume)
    folder = steps.folder
    recordings = folder / "recordings"
    print(f"{count} recordings", flush=True)
    steps.prepare("link", lambda: link(recordings, 0, count))
    command, plan = snakemake(recordings), snakemake(recordings, "make_plan")
    if options.known:
        steps.prepare("remember", lambda: remember(folder, recordings))
    steps.run("probe and plan", plan)
    if only_plan:
        steps.run("the plan again", plan)
        steps.prepare("link more", lambda: link(recordings, count, count + added))
        steps.run(f"{added} added", plan)
        steps.run("dry run", [*command, "--dry-run", "--quiet", "all"])
    else:
        steps.prepare("store", lambda: fill_store(folder))
        if options.kill:
            steps.prepare("kill", lambda: killed_once(command, folder))
        steps.run(MERGING, command)
        steps.run("the same again", command)
        steps.run("status", [sys.executable, "-m", "audiogrid.cli", "status", "x"])
        steps.prepare("link more", lambda: link(recordings, count, count + added))
        steps.run(f"{added} added", command)
    made = [folder / "results/x" / name for name in ("plan.json", "report.html", "summary.tsv")]
    sizes = ", ".join(f"{path.name} {path.stat().st_size / 1e6:.2f} MB" for path in made if path.exists())
    files = sum(len(names) for _, _, names in os.walk(folder / "results/x"))
    print(f"  {files / count:.2f} files a recording, {sizes}")
    shutil.rmtree(folder)
    if not options.known:
        keep(count, only_plan, steps.found())
    return steps.found()


def keep(count: int, only_plan: bool, steps: Sequence[Step]) -> None:
    """Note what was measured, for the plot."""
    kept = json.loads(MEASURED.read_text()) if MEASURED.exists() else {}
    kept[f"{count}{' plan' if only_plan else ''}"] = {step.name: step.cpu / count for step in steps}
    MEASURED.write_text(json.dumps(kept, indent=1))


def plot(target: Path) -> None:
    """Draw core-milliseconds per recording over the number of recordings."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    kept: dict[str, dict[str, float]] = json.loads(MEASURED.read_text())
    whole = {int(name): steps for name, steps in kept.items() if name.isdigit()}
    planned = {int(name.split()[0]): steps["probe and plan"] for name, steps in kept.items()} | {
        count: steps["probe and plan"] for count, steps in whole.items()
    }
    lines = {
        "all of it": {count: steps["probe and plan"] + steps[MERGING] for count, steps in whole.items()},
        MERGING: {count: steps[MERGING] for count, steps in whole.items()},
        "probe and plan": planned,
    }
    figure, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
    for (name, points), marker in zip(lines.items(), "os^", strict=True):
        counts = sorted(points)
        axes.plot(counts, [1000 * points[count] for count in counts], marker=marker, label=name)
    axes.set(xscale="log", xlabel="recordings", ylabel="core-milliseconds a recording", ylim=(0, None))
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.grid(visible=True, alpha=0.3)
    axes.legend()
    figure.savefig(target)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("counts", nargs="*", type=int, default=[1000, 10_000])
    parser.add_argument("--kill", action="store_true", help="kill the driver in the middle, and go on")
    parser.add_argument("--plan", action="store_true", help="only probe and plan")
    parser.add_argument("--known", action="store_true", help="as --plan, with the facts of all files known")
    parser.add_argument("--added", type=int, default=ADDED, help="recordings that are added (default: %(default)s)")
    parser.add_argument("--resume", action="store_true", help="go on where a call that was killed has stopped")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="measure nothing, draw what was measured before")
    options = parser.parse_args()
    if options.plot:
        plot(options.plot)
        return
    table = {count: measure(count, options) for count in options.counts}
    print(f"\n{'CPU ms per recording':24s}" + "".join(f"{count:>12,}" for count in table))
    for rows in zip(*table.values(), strict=True):
        cells = "".join(f"{1000 * step.cpu / count:12.2f}" for count, step in zip(table, rows, strict=True))
        print(f"{rows[0].name:24s}{cells}")


if __name__ == "__main__":
    main()
