"""``run_config.yaml``: what a run was started with, written beside its results."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from audiogrid import __version__
from audiogrid.core.atomic_files import write_text
from audiogrid.core.errors import AudiogridError
from audiogrid.core.secrets import masked_words
from audiogrid.models.registry import model_hash
from audiogrid.records.run_folder import RunFolder

_PACKAGES = ("snakemake", "faster-whisper", "ctranslate2", "av", "numpy")


def write_run_config(
    folder: RunFolder, settings: Mapping[str, Any], model_dirs: Sequence[Path], argv: Sequence[str]
) -> None:
    """Write the whole configuration, versions, hashes of the models (the run's own first) and the command.

    ``argv``: the words that Snakemake was started with. The file is published, so secrets among them are masked.
    """
    document = {
        # Started as `python -m snakemake`, the first word is a file of the environment, not what a person types.
        "command": shlex.join(masked_words(["snakemake", *argv[1:]])),
        "config": dict(settings),
        "model": _model_facts(model_dirs[0]),
        **({"other_models": [_model_facts(model_dir) for model_dir in model_dirs[1:]]} if model_dirs[1:] else {}),
        "versions": {"audiogrid": __version__, **{name: version(name) for name in _PACKAGES}},
    }
    write_text(folder.config, yaml.safe_dump(document, sort_keys=False, allow_unicode=True))


def _model_facts(model_dir: Path) -> dict[str, str]:
    try:
        return {"folder": str(model_dir), "hash": model_hash(model_dir)}
    except (AudiogridError, OSError):
        return {"folder": str(model_dir), "hash": "not staged yet"}
