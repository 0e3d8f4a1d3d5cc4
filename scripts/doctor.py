"""Examine this machine: libraries, device, model, a known clip, file system. One plain verdict per line.

doctor.py [--model-dir models/base] [--folder results] [--device auto] [--short] [--json FILE]

The same as ``audiogrid doctor``. Exit code 0: all is well, or nearly; 2: something is wrong. On a cluster run it as a
job on each kind of node too: srun -p gpu --gpus=1 .venv/bin/python scripts/doctor.py
"""

from __future__ import annotations

import argparse

from audiogrid.cli.doctor import COMMAND
from audiogrid.core.command import run


def main(arguments: list[str]) -> int | None:
    """Print the verdicts; the exit code says whether one of them is ``wrong``."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    COMMAND.add_arguments(parser)
    return COMMAND.run(parser.parse_args(arguments), [])


if __name__ == "__main__":
    run(main)
