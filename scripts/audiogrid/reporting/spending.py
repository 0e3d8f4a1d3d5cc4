"""What the jobs of a run reserve while it goes on: core-hours and GPU-hours, read from their journals as they grow."""

from __future__ import annotations

import time
from collections.abc import Callable

from audiogrid.records.journal import JournalFile, list_journals
from audiogrid.records.run_folder import RunFolder
from audiogrid.reporting.attempts import Attempt, read_journal

# A job that has written nothing for so long counts as dead: its chunks take minutes at most.
_SILENCE = 900.0


class Spending:
    """Adds up what jobs reserve from now on. Times come from differences between entries of one journal, and from a
    clock that does not jump, so neither clocks of nodes nor that of this machine matter.
    """

    def __init__(self, folder: RunFolder, now: Callable[[], float] = time.monotonic) -> None:
        self._folders = (folder.journal, folder.voices_journal, folder.aligned_journal)
        self._now = now
        self._known = {file.path: file.size for file in self._files()}
        self._seen: dict[str, tuple[JournalFile, list[Attempt], float, float]] = {}

    def _files(self) -> list[JournalFile]:
        return [file for folder in self._folders for files in list_journals(folder).values() for file in files]

    def used(self) -> tuple[float, float]:
        """Returns the core-hours and GPU-hours that were reserved since this object was made."""
        cores = gpus = 0.0
        for file in self._files():
            if self._known.get(file.path) == file.size:
                continue
            key = str(file.path)
            known = self._seen.get(key)
            now = self._now()
            if known is None or known[0] != file:
                attempts = read_journal(file.path)
                # A journal from before that grows holds a new attempt at its end.
                attempts = attempts[-1:] if file.path in self._known else attempts
                known = self._seen[key] = file, attempts, known[2] if known else now, now
            _, attempts, first, last = known
            for attempt in attempts:
                reserved = attempt.reserved
                if attempt.reason is None and attempt is attempts[-1]:
                    at_work = min(now, last + _SILENCE) - first
                    reserved = max(reserved, at_work * attempt.units)
                if attempt.gpu:
                    gpus += reserved
                else:
                    cores += reserved
        return cores / 3600, gpus / 3600
