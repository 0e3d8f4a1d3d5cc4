"""Which files of corrections the recordings of a bundle have, and a hash of them: what makes it be merged again."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

from audiogrid.corrections.corrections_file import list_files
from audiogrid.records.plan import Plan
from audiogrid.records.plan_files.reader import PlanFile


class CorrectedFiles:
    """The files in a folder of corrections; it is listed once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @cached_property
    def _files(self) -> dict[str, list[Path]]:
        return list_files(self._folder)

    def of(self, recordings: Iterable[str]) -> list[str]:
        """Returns the paths of the files of these recordings."""
        return [str(path) for recording in recordings for path in self._files.get(recording, ())]

    def of_bundle(self, plan: Plan | PlanFile, bundle: str) -> list[str]:
        """Returns the paths of the files of a bundle's recordings. Without any file the plan is not read."""
        return self.of(plan.names_of(bundle)) if self._files else []

    def everything(self) -> list[str]:
        """Returns the paths of all files, by recording."""
        return self.of(sorted(self._files))

    def tracked(self, settings: str, paths: Sequence[str]) -> str:
        """Returns the parameter of ``merge`` with the state of the bundle's files; without any it stays as it is.

        ``settings``: fields of ``MergeSettings`` as JSON.
        """
        state = self.state(paths)
        return json.dumps({**json.loads(settings), "corrections": state}, sort_keys=True) if state else settings

    def state(self, paths: Sequence[str]) -> str:
        """Returns a hash of names and contents; empty where there is no file."""
        if not paths:
            return ""
        digest = hashlib.sha256()
        for path in paths:
            digest.update(os.fsencode(f"{Path(path).name}\n"))
            try:
                digest.update(hashlib.sha256(Path(path).read_bytes()).digest())
            except OSError as error:
                digest.update(type(error).__name__.encode())
        return digest.hexdigest()[:32]
