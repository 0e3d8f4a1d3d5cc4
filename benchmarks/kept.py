"""Steps of a long benchmark, kept in ``bench-data/``, so that one that was stopped goes on where it was."""

from __future__ import annotations

import hashlib
import pickle
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

Made = TypeVar("Made")
DATA = Path(__file__).resolve().parents[1] / "bench-data"


class Kept:
    """The steps of one benchmark with given options. ``fresh``: forget what is kept."""

    def __init__(self, benchmark: str, options: object, *, fresh: bool = False) -> None:
        self._folder = DATA / benchmark / hashlib.sha256(repr(options).encode()).hexdigest()[:12]
        self._folder.mkdir(parents=True, exist_ok=True)
        if fresh:
            for path in self._folder.iterdir():
                path.unlink()

    def step(self, name: str, make: Callable[[], Made]) -> tuple[Made, float]:
        """Returns what ``make`` returns and the CPU seconds that it took, from disk where it was made before."""
        path = self._folder / f"{name}.pickle"
        if path.is_file():
            found: tuple[Made, float] = pickle.loads(path.read_bytes())
            return found
        spent = -time.process_time()
        made = make()
        found = made, spent + time.process_time()
        new = path.with_suffix(".new")
        new.write_bytes(pickle.dumps(found))
        new.replace(path)
        return found
