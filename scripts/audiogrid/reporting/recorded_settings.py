"""Settings that a run was started with, from its ``run_config.yaml``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from audiogrid.records.run_folder import RunFolder


def recorded_setting(folder: RunFolder, key: str) -> Any:
    """Returns the value of a key of the run's configuration; ``None`` where that cannot be read."""
    try:
        return yaml.safe_load(folder.config.read_text())["config"][key]
    except (OSError, yaml.YAMLError, KeyError, TypeError):
        return None


def run_store(folder: RunFolder) -> Path:
    """Returns the store that the run was started with; ``store`` beside the run if its configuration says none."""
    return Path(recorded_setting(folder, "store") or folder.root.parent / "store")


def run_corrections(folder: RunFolder) -> Path:
    """Returns the folder of corrections that the run was started with; ``corrections`` if it says none."""
    return Path(recorded_setting(folder, "corrections") or "corrections")
