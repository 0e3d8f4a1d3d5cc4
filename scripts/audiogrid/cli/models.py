"""``audiogrid models``: fetch and verify a model, or list those that can be named."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from audiogrid.cli.command import Command
from audiogrid.embedding.embedders import SPEAKERS_MODEL
from audiogrid.models.registry import RECORD_NAME, Registry, load_registry, verify
from audiogrid.models.staging import stage
from audiogrid.orchestration.installation import project_file, workflow_home


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which model, and where it goes."""
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="a model, a folder, org/name@revision (default: list all)"
    )
    parser.add_argument("--models-dir", type=Path, default=Path("models"), help="where models lie (default: models)")
    parser.add_argument("--verify", action="store_true", help="hash every file again, also of a model that is there")


def fetch(name: str, registry: Registry, models_dir: Path, *, check: bool = False) -> None:
    """Stage a model, or the networks of speakers, and print where it lies. ``check``: hash every file again.

    Raises ``AudiogridError`` if it cannot be had or is not what it must be.
    """
    # Bars that redraw themselves make a mess of a log.
    if not sys.stderr.isatty():
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    if name == SPEAKERS_MODEL:
        from audiogrid.embedding.networks.staging import stage_speakers

        folder = stage_speakers(models_dir, None)
        print(f"{folder}: the speaker networks are ready", flush=True)
    else:
        said: list[str] = []

        def say(sentence: str) -> None:
            said.append(sentence)
            print(sentence, flush=True)

        staged = stage(name, registry, models_dir, say=say)
        folder = staged.path
        if not said:
            print(f"{folder}, hash {staged.hash[:12]}", flush=True)
    if check:
        verify(folder)


def run(options: argparse.Namespace, rest: list[str]) -> None:
    """Stage the models, or list the registry."""
    registry = load_registry(project_file("config/models.yaml", workflow_home()))
    for name in options.names:
        fetch(name, registry, options.models_dir, check=options.verify)
    if options.names:
        return
    aliases = {target: alias for alias, target in registry.aliases.items()}
    for name, spec in registry.models.items():
        here = "here" if (options.models_dir / name / RECORD_NAME).is_file() else ""
        languages = "English" if spec.languages == 1 else f"{spec.languages or '?'} languages"
        also = f"also {aliases[name]}" if name in aliases else ""
        print(f"{name:<20} {spec.parameters or '?':>5} M  {languages:<13} {here:<5} {also}".rstrip())
    here = "here" if (options.models_dir / SPEAKERS_MODEL / RECORD_NAME).is_file() else ""
    print(f"{SPEAKERS_MODEL:<20} {'8':>5} M  {'who speaks':<13} {here}".rstrip())


COMMAND = Command(
    summary="fetch and verify a model, or list all",
    explanation="Fetch a model into models/ and verify it, for a machine or nodes without a network; runs do it "
    "themselves where they can. Without NAME: list the models of config/models.yaml.",
    example="audiogrid models small tiny.en",
    add_arguments=add_arguments,
    run=run,
)
