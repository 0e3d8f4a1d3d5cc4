"""Commands that tests start, in a folder of their own, and what they leave running."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil


@dataclass
class Processes:
    """Commands that work inside ``path``, each in a process group of its own; none outlives ``close``."""

    path: Path
    started: list[subprocess.Popen[str]] = field(default_factory=list, kw_only=True)

    def launch(self, argv: Sequence[str], env: dict[str, str]) -> subprocess.Popen[str]:
        """Start a command; both its outputs come from ``stdout``."""
        process = subprocess.Popen(
            argv,
            cwd=self.path,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def kill(self, process: subprocess.Popen[str], number: signal.Signals = signal.SIGKILL) -> None:
        """Signal a started command and its whole group."""
        if process.poll() is None:
            os.killpg(process.pid, number)

    def survivors(self) -> list[psutil.Process]:
        """Processes that work inside the folder; the dead that nobody buried do not count."""
        found = []
        for process in psutil.process_iter():
            try:
                inside = Path(process.cwd()).is_relative_to(self.path)
                if inside and process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except (psutil.Error, OSError):
                continue
        return found

    def nobody_is_left(self, seconds: float = 60) -> bool:
        """Whether all that works inside the folder ends within ``seconds``."""
        deadline = time.monotonic() + seconds
        while self.survivors() and time.monotonic() < deadline:
            time.sleep(0.1)
        return not self.survivors()

    def close(self) -> None:
        """End everything that was started here and wait until it is gone."""
        for process in self.started:
            self.kill(process)
        deadline = time.monotonic() + 60
        while (left := self.survivors()) and time.monotonic() < deadline:
            for survivor in left:
                try:
                    survivor.kill()
                except psutil.NoSuchProcess:
                    continue
            time.sleep(0.1)
        for process in self.started:
            if process.stdout:
                process.stdout.close()
            process.wait()
