"""Puts the workflow into the wheel: ``audiogrid/snakemake/`` of an installed package has the structure of a clone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

TARGET = "audiogrid/snakemake"
FOLDERS = ("workflow", "config", "profiles")
FILES = ("environment.yml",)
# Commands that only a clone needs.
LEFT_OUT = ("environment.py", "docs.py")


class WorkflowFiles(BuildHookInterface):
    """Adds what lies outside the package. An editable installation uses the files of the clone."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before it builds a wheel."""
        if version == "editable":
            return
        root = Path(self.root)
        scripts = [f"scripts/{path.name}" for path in root.glob("scripts/*.py") if path.name not in LEFT_OUT]
        for name in (*FOLDERS, *FILES, *sorted(scripts)):
            build_data["force_include"][str(root / name)] = f"{TARGET}/{name}"
