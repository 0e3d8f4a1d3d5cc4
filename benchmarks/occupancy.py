"""Share of the core time that is spent inside the model, from the first window to the last.

    .venv/bin/python benchmarks/occupancy.py                  1 h of synthesised speech, a process per core
    .venv/bin/python benchmarks/occupancy.py --hours 0.25

The worker processes are those of `transcribe`: they read chunk files and write results to the store. The rest of the
time goes to reading, voice activity detection, mel features, judging and writing, and, at the end, to waiting for the
last chunk of another process.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import sys
import time
from collections import Counter
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from typing import Any

from mpi import DATA, ROOT, prepare, spoken

# Behind this folder: both have a split.py.
sys.path.append(str(ROOT / "scripts"))

CORES = len(os.sched_getaffinity(0))


def follow(model: Path, store: Path, work: SimpleQueue[Any], told: SimpleQueue[Any]) -> None:
    """Runs as a worker process that notes when it is inside the model, and in which step."""
    from audiogrid.decoding.passes import prepare as preparing
    from audiogrid.decoding.whisper.model import Model
    from audiogrid.models.registry import model_hash
    from audiogrid.transcribing import worker

    spans: list[tuple[str, float, float]] = []

    def timed(name: str, call: Any) -> Any:
        def run(*given: Any, **named: Any) -> Any:
            began = time.monotonic()
            try:
                return call(*given, **named)
            finally:
                # The first argument of every call of the model says what it is for.
                spans.append((given[1] if name == "model" else name, began, time.monotonic()))

        return run

    Model._in_batches = timed("model", Model._in_batches)  # type: ignore[method-assign]
    Model.features = timed("mel features", Model.features)  # type: ignore[method-assign]
    preparing.speech_probabilities = timed("voice activity", preparing.speech_probabilities)
    worker.read_chunk = timed("reading", worker.read_chunk)
    worker.start(worker.WorkerSettings(str(model), model_hash(model), "cpu", "auto", 1, 0, str(store), str(store)))
    worker.ready()
    while (job := work.get()) is not None:
        worker.work([job])
    told.put(spans)


def measure(model: Path, hours: float) -> None:
    from audiogrid.records.plan_files.reader import read_plan
    from audiogrid.records.store import Store
    from audiogrid.transcribing.shard_job import collect

    folder = DATA / "occupancy"
    prepare(folder, spoken(hours), model)
    os.chdir(folder)
    plan = read_plan(Path("run/plan.json"))
    jobs = sorted(
        collect(plan, plan.shards[0], Path("run/chunks"), Store(Path("store"))).jobs, key=lambda job: -job.audio
    )
    context = multiprocessing.get_context("spawn")
    work, told = context.SimpleQueue(), context.SimpleQueue()
    for job in [*jobs, *[None] * CORES]:
        work.put(job)
    os.environ["OMP_NUM_THREADS"] = "1"
    processes = [context.Process(target=follow, args=(model, Path("store"), work, told)) for _ in range(CORES)]
    for process in processes:
        process.start()
    spans = [span for _ in processes for span in told.get()]
    for process in processes:
        process.join()
    inside = [span for span in spans if span[0] in ("encode", "generate", "align", "languages")]
    first, last = min(began for _, began, _ in inside), max(ended for _, _, ended in inside)
    total = CORES * (last - first)
    took: Counter[str] = Counter()
    for name, began, ended in spans:
        took[name] += max(0.0, min(ended, last) - max(began, first))  # type: ignore[assignment]
    print(f"{len(jobs)} chunks, {hours:g} h, {CORES} core(s): {last - first:.1f} s from the first to the last window")
    for name, seconds in took.most_common():
        print(f"  {name:15} {seconds / total:6.1%}")
    print(f"inside the model  {sum(ended - began for _, began, ended in inside) / total:6.1%} of the core-seconds")
    os.chdir(ROOT)
    shutil.rmtree(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--model-dir", type=Path, default=ROOT / "models" / "base")
    arguments = parser.parse_args()
    measure(arguments.model_dir.resolve(), arguments.hours)


if __name__ == "__main__":
    main()
