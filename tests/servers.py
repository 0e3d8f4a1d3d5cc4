"""A real server of the service in a folder of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import requests

from places import ROOT, SCRIPTS
from processes import Processes


class Server(Processes):
    """`audiogrid serve` on loopback, with Whisper base; started and killed as often as a test wants."""

    def __init__(self, path: Path, base_model: Path) -> None:
        super().__init__(path)
        path.mkdir(parents=True, exist_ok=True)
        (path / "models").mkdir()
        (path / "models" / "base").symlink_to(base_model, target_is_directory=True)
        self.state = path / "service"
        self.process: subprocess.Popen[str] | None = None
        self.output = ""
        self.http = requests.Session()
        self.http.trust_env = False

    def start(self, *options: str, ready: bool = True) -> Server:
        """Start it and wait until it listens, or until its model is loaded."""
        address = self.state / "address"
        address.unlink(missing_ok=True)
        environment = self._environment()
        argv = [sys.executable, *_measured(), "-m", "audiogrid.cli", "serve", "--port", "0", *options]
        log = (self.path / "server.log").open("a")
        self.process = subprocess.Popen(
            argv, cwd=self.path, env=environment, stdout=log, stderr=log, text=True, start_new_session=True
        )
        log.close()
        self.started.append(self.process)
        self._until(lambda: address.exists() and address.read_text().split()[2:] == [str(self.process.pid)])
        host, port, _ = address.read_text().split()
        self.url = f"http://{host}:{port}"
        if ready:
            self._until(lambda: self._get_status("/readyz") == 200)
        return self

    def _environment(self) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("AUDIOGRID_", "SNAKEMAKE"))}
        return {**kept, "PYTHONPATH": str(SCRIPTS), "XDG_CACHE_HOME": str(self.path / ".cache")}

    def audiogrid(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run another command in the same folder, to its end."""
        process = self.launch([sys.executable, "-m", "audiogrid.cli", *words], self._environment())
        output, _ = process.communicate(timeout=300)
        return subprocess.CompletedProcess(words, process.returncode, output)

    @property
    def log(self) -> str:
        return (self.path / "server.log").read_text()

    def _get_status(self, path: str) -> int:
        try:
            return self.http.get(self.url + path, timeout=5).status_code
        except requests.RequestException:
            return 0

    def _until(self, is_true: Any, seconds: float = 300) -> None:
        deadline = time.monotonic() + seconds
        while not is_true():
            assert self.process is not None and self.process.poll() is None, self.log[-3000:]
            assert time.monotonic() < deadline, self.log[-3000:]
            time.sleep(0.05)

    def stop(self, number: signal.Signals = signal.SIGTERM, *, tree: bool = False) -> int:
        """End the server alone, or with all that it started. Returns its exit code."""
        assert self.process is not None
        if tree:
            for one in self.survivors():
                one.send_signal(number)
        elif self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(60)

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        return self.http.request(method, self.url + path, timeout=options.pop("timeout", 120), **options)

    def submit(self, file: Path | tuple[str, bytes], **fields: str) -> dict[str, Any]:
        """Hand in a recording as a job."""
        part = (file.name, file.read_bytes()) if isinstance(file, Path) else file
        answer = self.call("POST", "/v1/jobs", files={"file": part}, data=fields)
        assert answer.status_code == 202, answer.text
        told: dict[str, Any] = answer.json()
        assert answer.headers["Location"] == f"/v1/jobs/{told['id']}"
        return told

    def job(self, job: str) -> dict[str, Any]:
        told: dict[str, Any] = self.call("GET", f"/v1/jobs/{job}").json()
        return told

    def until(self, job: str, *states: str, seconds: float = 600) -> dict[str, Any]:
        """Wait until a job is in one of these states (default: ended)."""
        wanted = states or ("done", "failed", "cancelled")
        deadline = time.monotonic() + seconds
        while (told := self.job(job))["status"] not in wanted:
            assert time.monotonic() < deadline, f"{told}\n{self.log[-3000:]}"
            time.sleep(0.05)
        return told

    def transcript(self, job: str, name: str = "json") -> bytes:
        answer = self.call("GET", f"/v1/jobs/{job}/transcript.{name}")
        assert answer.status_code == 200, answer.text
        return answer.content

    def close(self) -> None:
        self.http.close()
        if self.process is not None and self.process.poll() is None:
            # Politely: what it executed of the library is counted at its end.
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(20)
        super().close()


def _measured() -> list[str]:
    """Words that let the server count what it executes, where the tests themselves are measured (.ci/run)."""
    coverage = sys.modules.get("coverage")
    if coverage is None or coverage.Coverage.current() is None:
        return []
    return ["-m", "coverage", "run", "-p", f"--rcfile={ROOT / 'pyproject.toml'}"]
