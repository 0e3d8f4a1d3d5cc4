"""Put a verified model into ``models/<name>/``; does nothing when it is there.

stage_model.py --model base [--registry config/models.yaml] [--models-dir models] [--verify]
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from audiogrid.core.command import run
from audiogrid.models.registry import load_registry, verify
from audiogrid.models.staging import stage


def main(arguments: list[str]) -> None:
    """Stage one model; print where it lies, and its hash."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", required=True, help="name in the registry, or a folder with a model")
    parser.add_argument("--registry", type=Path, default=Path("config/models.yaml"))
    parser.add_argument("--models-dir", type=Path, default=Path("models"))
    parser.add_argument("--verify", action="store_true", help="hash every file again, also of a model that is there")
    options = parser.parse_args(arguments)
    # Bars that redraw themselves make a mess of a log.
    if not sys.stderr.isatty():
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    said: list[str] = []

    def say(sentence: str) -> None:
        said.append(sentence)
        print(sentence, flush=True)

    staged = stage(options.model, load_registry(options.registry), options.models_dir, say=say)
    if options.verify:
        verify(staged.path)
    if not said:
        print(f"{staged.path}, hash {staged.hash[:12]}")


if __name__ == "__main__":
    run(main)
