"""How long a window takes inside the model, and how settings of CTranslate2 and the C library change that.

    .venv/bin/python benchmarks/model.py               measure every setting three times, in turn
    .venv/bin/python benchmarks/model.py --only mkl    compare one setting with the shipped ones

As in a run, one process of one thread decodes on each core at the same time. Per window of synthesised speech: encoder,
greedy generation in batches, word times; medians, and the most memory that a process held.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CORES = len(os.sched_getaffinity(0))
MODEL = ROOT / "models" / "base"
# Name -> (variables of the environment, options of the child below); None takes a variable away.
SETTINGS: dict[str, tuple[dict[str, str | None], dict[str, object]]] = {
    "as shipped": ({}, {}),
    "all frames": ({}, {"merged_pairs": 0}),
    "small pages": ({"GLIBC_TUNABLES": None}, {}),
    "avx2": ({"CT2_FORCE_CPU_ISA": "AVX2"}, {}),
    "batch 4": ({}, {"batch": 4}),
    "batch 16": ({}, {"batch": 16}),
    "float32": ({}, {"compute_type": "float32"}),
    "ctranslate2 encoder": ({}, {"encoder": "ctranslate2"}),
    "openvino float32 encoder": ({}, {"encoder": "openvino", "compute_type": "float32"}),
    "mkl": ({"CT2_USE_MKL": "1"}, {}),
}


def child(options: dict[str, object]) -> None:
    """Measures one process and prints the figures as JSON."""
    sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "benchmarks")]
    from decoding_sets import load

    from audiogrid.decoding.options import DecodeOptions
    from audiogrid.decoding.passes.prepare import prepare
    from audiogrid.decoding.whisper.model import Model

    decoding = DecodeOptions(language="en", merged_pairs=int(str(options.get("merged_pairs", -1))))
    model = Model(MODEL, "cpu", str(options.get("compute_type", "int8")), 1, int(str(options.get("batch", 8))))
    prepared = prepare(load("reading", 10, ROOT / "bench-data" / "decoding").pcm, decoding, model.features)
    features, layouts = prepared.features[:16], prepared.layouts[:16]
    encoder = str(options.get("encoder", "auto"))
    model.encode_features(features[:1], encoder)
    times = [time.perf_counter()]
    encoded = model.encode_features(features, encoder)
    times.append(time.perf_counter())
    heard = model.generate(encoded, ["en"] * len(encoded), decoding, beam_size=1, merged=True)
    times.append(time.perf_counter())
    for one, found, layout in zip(encoded, heard, layouts, strict=True):
        model.align(one, found.tokens, "en", "transcribe", layout.samples)
    times.append(time.perf_counter())
    steps = [(after - before) / len(features) for before, after in pairwise(times)]
    print(json.dumps([*steps, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))


def measure(name: str) -> list[float]:
    """Returns the means of the figures over one process per core, all running at the same time."""
    sys.path.insert(0, str(ROOT / "scripts"))
    from audiogrid.transcribing.worker import worker_environment

    variables, options = SETTINGS[name]
    environment = {**os.environ, **worker_environment(1)}
    for variable, value in variables.items():
        environment.pop(variable, None)
        if value is not None:
            environment[variable] = value
    argv = [sys.executable, __file__, "--child", json.dumps(options)]
    started = [subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(CORES)]
    found = [json.loads(process.communicate()[0]) for process in started]
    return [statistics.mean(column) for column in zip(*found, strict=True)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(name for name in SETTINGS if name != "mkl"), help="settings")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(json.loads(arguments.child))
        return
    names = ["as shipped", *[name for name in arguments.only.split(",") if name != "as shipped"]]
    found: dict[str, list[list[float]]] = {name: [] for name in names}
    for _ in range(arguments.rounds):
        for name in names:
            found[name].append(measure(name))
    print("setting         encoder s   generation s   word times s   all s   to shipped   peak MB")
    whole = 0.0
    for name in names:
        encoder, generation, words, peak = (statistics.median(column) for column in zip(*found[name], strict=True))
        total = encoder + generation + words
        whole = whole or total
        print(
            f"{name:14} {encoder:10.3f} {generation:14.3f} {words:14.3f} {total:7.3f} {total / whole:12.2f} {peak:9.0f}"
        )


if __name__ == "__main__":
    main()
