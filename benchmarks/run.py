"""`make bench`: run benchmarks by name and show what they print. `make bench ARGS="split overhead"`.

Each benchmark is a command of its own with options; this only runs the ones behind README and BENCHMARKS.md in turn.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
# Name -> commands, without the interpreter. In the order of BENCHMARKS.md.
BENCHMARKS = {
    "split": [["split.py"], ["split.py", "--hours", "10", "--runs", "1"]],
    "overhead": [["overhead.py", "hour", "tiny"], ["overhead.py", "notes"], ["overhead.py", "ten"]],
    "merging": [["merging.py", "--each"]],
    "search": [["search.py"]],
    "model": [["model.py"]],
    "peers": [["peers.py"]],
    "decoding": [["decoding.py"]],
    "calibration": [["calibration.py", "decode"], ["calibration.py", "measure"]],
    "passes": [["passes.py"], ["passes.py", "--clips", "20"]],
    "occupancy": [["occupancy.py"]],
    "languages": [["languages.py"]],
    "quiet_speakers": [["quiet_speakers.py"]],
    "speakers": [["speakers.py"]],
    "serve": [["serve.py"]],
    "slurm": [["slurm.py", "hour", "plan"], ["slurm.py", "failures"]],
    "mpi": [["mpi.py", "handout"], ["mpi.py", "real"]],
    "gpu": [["gpu.py"]],
}


def main() -> None:
    names = sys.argv[1:] or list(BENCHMARKS)
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        print(f"error: unknown benchmark {unknown[0]!r}; known: {', '.join(BENCHMARKS)}", file=sys.stderr)
        raise SystemExit(2)
    failed = False
    for name in names:
        for command in BENCHMARKS[name]:
            if not (HERE / command[0]).is_file():
                continue
            print(f"== {' '.join(command)}", flush=True)
            began = time.monotonic()
            failed |= bool(
                subprocess.run([sys.executable, str(HERE / command[0]), *command[1:]], check=False).returncode
            )
            print(f"   ({time.monotonic() - began:.0f} s)\n", flush=True)
    raise SystemExit(int(failed))


if __name__ == "__main__":
    main()
