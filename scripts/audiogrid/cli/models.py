"""``audiogrid models``: fetch and verify a model, or list those that can be named."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from audiogrid.cli.command import Command
from audiogrid.models.registry import RECORD_NAME, load_registry, verify
from audiogrid.models.staging import stage
from audiogrid.orchestration.installation import project_file, workflow_home


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which model, and where it goes."""
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="a model, a folder, org/name@revision (default: list all)"
    )
    parser.add_argument("--models-dir", type=Path, default=Path("models"), help="where models lie (default: models)")
    parser.add_argument("--verify", action="store_true", help="hash every file again, also of a model that is there")


def run(options: argparse.Namespace, rest: list[str]) -> None:
    """Stage the models, or list the registry."""
    registry = load_registry(project_file("config/models.yaml", workflow_home()))
    # Bars that redraw themselves make a mess of a log.
    if not sys.stderr.isatty():
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    for name in options.names:
        staged = stage(name, registry, options.models_dir)
        if options.verify:
            verify(staged.path)
        print(f"{staged.path}, hash {staged.hash[:12]}")
    if options.names:
        return
    names = {target: alias for alias, target in registry.aliases.items()}
    for name, spec in registry.models.items():
        here = "here" if (options.models_dir / name / RECORD_NAME).is_file() else ""
        languages = "English" if spec.languages == 1 else f"{spec.languages or '?'} languages"
        also = f"also {names[name]}" if name in names else ""
        print(f"{name:<20} {spec.parameters or '?':>5} M  {languages:<13} {here:<5} {also}".rstrip())


COMMAND = Command(
    summary="fetch and verify a model, or list all",
    explanation="Fetch a model into models/ and verify it, for a machine or nodes without a network; runs do it "
    "themselves where they can. Without NAME: list the models of config/models.yaml.",
    example="audiogrid models small tiny.en",
    add_arguments=add_arguments,
    run=run,
)
