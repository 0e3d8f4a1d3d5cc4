"""A clone to run the workflow in."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from processes import Processes


class Workspace(Processes):
    """A clone of its own to run the workflow in; nothing of it outlives the test."""

    @property
    def environment(self) -> dict[str, str]:
        programs = Path(sys.executable).parent
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("AUDIOGRID_", "SNAKEMAKE"))}
        return {
            **kept,
            "PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "XDG_CACHE_HOME": str(self.path / ".cache"),
            "HF_HUB_OFFLINE": "1",
        }

    def start(self, *argv: str, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
        """Start a command in a process group of its own; both outputs come from ``stdout``."""
        return self.launch(argv, {**self.environment, **(env or {})})

    def run(
        self, *argv: str, env: dict[str, str] | None = None, code: int | None = 0, timeout: float = 900
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; its output is shown when its exit code is not ``code`` (None: any)."""
        process = self.start(*argv, env=env)
        try:
            output, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self.kill(process)
            output, _ = process.communicate()
            pytest.fail(f"{argv} ran longer than {timeout} s:\n{output[-8000:]}")
        if code is not None and process.returncode != code:
            pytest.fail(f"{argv} ended with {process.returncode} instead of {code}:\n{output[-8000:]}")
        return subprocess.CompletedProcess(argv, process.returncode, output, "")

    def snakemake(
        self, *options: str, env: dict[str, str] | None = None, code: int | None = 0, timeout: float = 900
    ) -> subprocess.CompletedProcess[str]:
        """``snakemake --profile profiles/local`` with these options."""
        argv = ("snakemake", "--profile", "profiles/local", *options)
        return self.run(*argv, env=env, code=code, timeout=timeout)
