"""What a run has left on disk, as far as it decides what has to be done again."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from audiogrid.core.atomic_files import read_json, write_text
from audiogrid.records.run_folder import RunFolder


def _generation(path: Path) -> tuple[int, dict[str, Any]]:
    try:
        report = read_json(path)
        return int(report["generation"]), report
    except (OSError, ValueError, KeyError):
        return 0, {}


def shard_generation(folder: RunFolder, shard: str) -> int:
    """Number of the transcription of ``shard`` that is wanted.

    It moves on, which makes Snakemake run the job again, when the last one left out recordings or
    chunks that may go well this time.
    """
    number, report = _generation(folder.shards / f"{shard}.json")
    return number + 1 if not report or report.get("failed") or report["facts"]["problems"] else number


def is_intact(folder: RunFolder, path: Path) -> bool:
    """Whether every transcript that ``merged/<bundle>.json`` lists still exists."""
    try:
        listed = read_json(path)["files"]
    except (OSError, ValueError, KeyError):
        return False
    return all((folder.root / file["path"]).is_file() for files in listed.values() for file in files.values())


def merge_generation(folder: RunFolder, bundle: str) -> int:
    """Number of the merge of ``bundle`` that is wanted; moves on when a transcript was deleted by hand."""
    path = folder.merged / f"{bundle}.json"
    number, report = _generation(path)
    return number if report and is_intact(folder, path) else number + 1


def run_config(folder: RunFolder, settings: Mapping[str, Any], model_dirs: Sequence[Path], argv: Sequence[str]) -> None:
    """Write ``run_config.yaml``: the whole configuration, versions, hashes of the models (the run's first), command."""
    from importlib.metadata import version

    from audiogrid import __version__
    from audiogrid.core.errors import AudiogridError
    from audiogrid.models.registry import model_hash

    def facts(model_dir: Path) -> dict[str, str]:
        try:
            return {"folder": str(model_dir), "hash": model_hash(model_dir)}
        except (AudiogridError, OSError):
            return {"folder": str(model_dir), "hash": "not staged yet"}

    packages = ("snakemake", "faster-whisper", "ctranslate2", "av", "numpy")
    document = {
        # Started as `python -m snakemake`, the first word is a file in the environment: not what a person types.
        "command": shlex.join(["snakemake", *argv[1:]]),
        "config": dict(settings),
        "model": facts(model_dirs[0]),
        **({"other_models": [facts(model_dir) for model_dir in model_dirs[1:]]} if model_dirs[1:] else {}),
        "versions": {"audiogrid": __version__, **{name: version(name) for name in packages}},
    }
    write_text(folder.config, yaml.safe_dump(document, sort_keys=False, allow_unicode=True))
