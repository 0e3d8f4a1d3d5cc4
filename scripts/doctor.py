"""Examine this machine: libraries, device, model, a known clip, file system. One plain verdict per line.

doctor.py [--model-dir models/base] [--folder results] [--device auto] [--short] [--json FILE]

Exit code 0: all is well, or nearly; 2: something is wrong. On a cluster run it as a job on each
kind of node too: srun -p gpu --gpus=1 .venv/bin/python scripts/doctor.py
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from audiogrid.core.atomic_files import write_json
from audiogrid.core.command import run
from audiogrid.core.errors import EXIT_BAD_INPUT, EXIT_DONE
from audiogrid.hardware.doctor import run_checks


def main(arguments: list[str]) -> int:
    """Print the verdicts; the exit code says whether one of them is ``wrong``."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model-dir", type=Path, default=Path("models/base"))
    parser.add_argument("--folder", type=Path, default=Path("results"), help="where results and store will be")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--compute-type", default="auto")
    parser.add_argument("--short", action="store_true", help="leave out what takes time: full hashes, file system")
    parser.add_argument("--json", type=Path, help="also write the verdicts to this file")
    options = parser.parse_args(arguments)
    verdicts = []
    for verdict in run_checks(
        options.model_dir, options.folder, options.device, options.compute_type, full=not options.short
    ):
        print(verdict, flush=True)
        verdicts.append(verdict)
    if options.json:
        write_json(options.json, [asdict(verdict) for verdict in verdicts], indent=1)
    return EXIT_BAD_INPUT if any(verdict.state == "wrong" for verdict in verdicts) else EXIT_DONE


if __name__ == "__main__":
    run(main)
