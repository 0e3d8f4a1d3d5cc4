"""Put a verified model into ``models/<name>/``; does nothing when it is there.

stage_model.py --model base [--registry config/models.yaml] [--models-dir models] [--verify]
"""

from __future__ import annotations

import argparse
from pathlib import Path

from audiogrid.cli.models import fetch
from audiogrid.core.command import run
from audiogrid.models.registry import load_registry


def main(arguments: list[str]) -> None:
    """Stage one model; print where it lies, and its hash."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", required=True, help="name in the registry, a folder with a model, or speakers")
    parser.add_argument("--registry", type=Path, default=Path("config/models.yaml"))
    parser.add_argument("--models-dir", type=Path, default=Path("models"))
    parser.add_argument("--verify", action="store_true", help="hash every file again, also of a model that is there")
    options = parser.parse_args(arguments)
    fetch(options.model, load_registry(options.registry), options.models_dir, check=options.verify)


if __name__ == "__main__":
    run(main)
