"""The transcription service: latency, throughput beside the batch pipeline, memory, restart, and a peer.

    python benchmarks/serve.py                    everything; wants an idle machine (20 minutes on two cores)
    python benchmarks/serve.py latency clients --clips 40
    python benchmarks/serve.py throughput --clips 500 --clients 50
    python benchmarks/serve.py memory --mb 1000
    python benchmarks/serve.py beside --long-minutes 600
    python benchmarks/serve.py peer --peer PYTHON     of an environment with `pip install faster-whisper-server`

latency: a clip of 10 s on a warm server, and what of that was the engine. clients: p50, p95 with 1, 4 and 16.
throughput: clips of 5 to 30 s from many clients, then the same in one run of Snakemake. beside: p95 of short clips
while a long recording is at work, and while its run is suspended, in turns: what else runs on the machine burdens both.
memory: of the server itself while a large file arrives. restart: until a model is loaded. peer: faster-whisper-server
(batches of 8); without --peer a wrapper of a few lines over faster-whisper's batched pipeline, as people write it.
Figures come with the CPU seconds behind them, which mean something also where other programs run.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import functools
import itertools
import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import textwrap
import time
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import requests

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests")]

import speech  # noqa: E402
from media import write_media  # noqa: E402
from servers import Server  # noqa: E402

PEER_PORT = 8099
PEER_URL = f"http://127.0.0.1:{PEER_PORT}"
PEER = """
    import io, os
    import uvicorn
    from faster_whisper import BatchedInferencePipeline, WhisperModel
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    model = BatchedInferencePipeline(WhisperModel(os.environ["MODEL"], device="cpu", compute_type="int8"))

    def decode(data):
        segments, info = model.transcribe(io.BytesIO(data), language="en", batch_size=8)
        return " ".join(segment.text.strip() for segment in segments)

    async def transcribe(request):
        form = await request.form()
        return JSONResponse({"text": await run_in_threadpool(decode, await form["file"].read())})

    async def ready(request):
        return JSONResponse({})

    uvicorn.run(
        Starlette(routes=[Route("/v1/audio/transcriptions", transcribe, methods=["POST"]), Route("/readyz", ready)]),
        port=int(os.environ["PORT"]), log_level="error",
    )
"""


@functools.cache
def spoken() -> list[np.ndarray]:
    """Sentences that clips are put together from."""
    return [speech.say(text, number) for number, text in zip(range(80), speech.sentences(1), strict=False)]


def clip(folder: Path, seconds: float, seed: int) -> Path:
    """A recording of exactly so many seconds, each seed another order of sentences."""
    parts: list[np.ndarray | float] = [0.3]
    length = 0.3
    for pcm in random.Random(seed).sample(spoken(), len(spoken())):
        if length >= seconds:
            break
        parts += [pcm, 0.7]
        length += len(pcm) / speech.RATE + 0.7
    return write_media(folder / f"clip{seed:04d}.wav", speech.join(*parts)[: int(seconds * speech.RATE)])


def long_recording(folder: Path, minutes: float) -> Path:
    """A recording of many minutes: 7 minutes again and again, each time quieter, so that no two chunks are equal."""
    piece = speech.long_speech(min(431.0, minutes * 60), 9999).pcm
    left = int(minutes * 60 * 16_000)
    path = folder / "long.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        for turn in itertools.count():
            if left <= 0:
                return path
            part = (piece[:left] * (1 - min(turn, 500) / 1000)).astype("<i2")
            file.writeframes(part.tobytes())
            left -= len(part)
    return path


def cpu(pids: list[int]) -> float:
    """CPU seconds of processes and all below them, so far."""
    total = 0.0
    for pid in pids:
        process = psutil.Process(pid)
        for one in (process, *process.children(recursive=True)):
            try:
                times = one.cpu_times()
            except psutil.Error:
                # It has just ended: its parent counts it.
                continue
            total += times.user + times.system + times.children_user + times.children_system
    return total


def ask(url: str, file: Path, data: dict[str, str] | None = None) -> tuple[float, requests.Response]:
    began = time.perf_counter()
    with requests.Session() as session:
        session.trust_env = False
        answer = session.post(
            f"{url}/v1/audio/transcriptions",
            files={"file": (file.name, file.read_bytes())},
            data=data or {"model": "base"},
            timeout=3600,
        )
    if not answer.ok:
        raise SystemExit(f"{file.name}: {answer.status_code} {answer.text}")
    return time.perf_counter() - began, answer


def shares(seconds: list[float]) -> str:
    if not seconds:
        return "nothing measured"
    ordered = sorted(seconds)
    return (
        f"p50 {statistics.median(ordered):.2f} s, p95 {ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]:.2f} s"
    )


def many(url: str, files: list[Path], clients: int, data: dict[str, str] | None = None) -> list[float]:
    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        return [seconds for seconds, _ in pool.map(lambda file: ask(url, file, data), files)]


class Bench:
    def __init__(self, folder: Path, options: argparse.Namespace) -> None:
        self.folder = folder
        self.options = options
        self.seed = 0
        self.most = 0
        self.server = Server(folder / "server", ROOT / "models" / "base")
        try:
            self.start()
        except BaseException:
            self.server.close()
            raise

    def start(self) -> None:
        # As for its users: without compiled modules every process that starts compiles them again.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        self.server.start("--config", "language=en", "service={min_free: 0}")

    def clips(self, count: int, low: float = 10.0, high: float = 10.0) -> list[Path]:
        made = []
        for _ in range(count):
            self.seed += 1
            seconds = low if low == high else random.Random(self.seed).uniform(low, high)
            made.append(clip(self.folder, seconds, self.seed))
        return made

    @property
    def pid(self) -> int:
        assert self.server.process is not None
        return self.server.process.pid

    def latency(self) -> None:
        above, whole = [], []
        for file in self.clips(self.options.clips // 5 or 1):
            seconds, answer = ask(self.server.url, file)
            job = self.server.job(answer.headers["X-Audiogrid-Job"])
            above.append(seconds - job["decode_seconds"])
            whole.append(seconds)
        print(f"latency: {shares(whole)}; above the engine's time: {shares(above)} (at most 0.15 s)")
        files = [file for file in self.clips(1) for _ in range(20)]
        ask(self.server.url, files[0])
        began = cpu([self.pid])
        many(self.server.url, files, 1)
        print(f"   CPU of everything but the engine: {(cpu([self.pid]) - began) / len(files) * 1000:.0f} ms a request")

    def clients(self) -> None:
        for number in (1, 4, 16):
            print(f"{number} client(s): {shares(many(self.server.url, self.clips(self.options.clips), number))}")

    def throughput(self) -> None:
        files = self.clips(self.options.clips, 5, 30)
        audio = sum(file.stat().st_size - 44 for file in files) / 32_000
        began, before = time.perf_counter(), cpu([self.pid])
        answered = len(many(self.server.url, files, self.options.clients))
        wall, spent = time.perf_counter() - began, cpu([self.pid]) - before
        print(f"service: {answered} of {len(files)} answered, {audio / wall:.1f}x real time, {spent:.0f} CPU s")
        folder = self.folder / "batch"
        (folder / "in").mkdir(parents=True)
        (folder / "models").symlink_to(ROOT / "models")
        for file in files:
            shutil.copy(file, folder / "in" / file.name)
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "scripts")}
        argv = [sys.executable, "-m", "audiogrid.cli", "run", "in", "--run", "x", "--config", "language=en"]
        began = time.perf_counter()
        before = sum(os.times()[2:4])
        subprocess.run(argv, cwd=folder, env=environment, check=True, capture_output=True)
        batch, batch_spent = time.perf_counter() - began, sum(os.times()[2:4]) - before
        print(f"batch: {audio / batch:.1f}x real time, {batch_spent:.0f} CPU s")
        print(f"   service / batch: {batch / wall:.2f} by time, {batch_spent / spent:.2f} by CPU (at least 0.85)")

    def _run_of_long(self) -> list[psutil.Process]:
        """Processes of the long recording's run: they have a lower priority than the server and its workers."""
        server = psutil.Process(self.pid)
        found = []
        for one in server.children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if one.nice() > server.nice():
                    found.append(one)
        return found

    @contextlib.contextmanager
    def _suspended(self) -> Iterator[None]:
        stopped = []
        try:
            for one in self._run_of_long():
                with contextlib.suppress(psutil.Error):
                    one.suspend()
                    stopped.append(one)
            yield
        finally:
            # Workers first: whoever watches them finds them at work.
            for one in reversed(stopped):
                with contextlib.suppress(psutil.Error):
                    one.resume()

    def beside(self) -> None:
        if os.nice(0) >= 19:
            raise SystemExit(
                "beside: the run cannot be told from the server at the lowest priority: start it without nice"
            )
        files = self.clips(self.options.clips)
        job = self._hand_in(long_recording(self.folder, self.options.long_minutes))
        self.server.until(job, "running")
        while not list(self.server.state.glob("runs/*/results/*/journal/*")):
            if (told := self.server.job(job))["status"] != "running":
                raise SystemExit(f"beside: the long recording is {told['status']}: {told['error']}")
            time.sleep(0.5)
        with_it: list[float] = []
        without: list[float] = []
        for file in files:
            if len(with_it) <= len(without):
                seconds = ask(self.server.url, file)[0]
                if self.server.job(job)["status"] != "running":
                    print("   the long recording has ended: the others are left out (--long-minutes)")
                    break
                with_it.append(seconds)
            else:
                with self._suspended():
                    without.append(ask(self.server.url, file)[0])
        told = self.server.job(job)
        print(
            f"short clips alone: {shares(without)}; beside {self.options.long_minutes:.0f} minutes "
            f"({told['status']}, {told['progress']:.1%}): {shares(with_it)} (p95: at most 1.5 times)"
        )
        self.server.call("DELETE", f"/v1/jobs/{job}")
        ends = time.monotonic() + 120
        while self._run_of_long() and time.monotonic() < ends:
            time.sleep(0.5)

    def _hand_in(self, file: Path) -> str:
        """Hand in a file that is too large for the memory. Returns the id of its job."""
        command = ["curl", "-s", "--noproxy", "*", "-F", f"file=@{file}", f"{self.server.url}/v1/jobs"]
        answer = subprocess.run(command, capture_output=True, check=True, text=True).stdout
        told = json.loads(answer)
        if "id" not in told:
            raise SystemExit(f"{file.name}: {answer}")
        return str(told["id"])

    def memory(self) -> None:
        file = self.folder / "large.wav"
        size = self.options.mb * 1_000_000
        with wave.open(str(file), "wb") as made:
            made.setparams((1, 2, 16_000, size // 2, "NONE", ""))
            part = clip(self.folder, 1.0, 9998).read_bytes()[44:]
            while made.tell() * 2 < size:
                made.writeframesraw(part)
        most = 0
        answer = self.folder / "answer.json"
        command = [
            "curl",
            "-s",
            "--noproxy",
            "*",
            "-o",
            str(answer),
            "-F",
            f"file=@{file}",
            f"{self.server.url}/v1/jobs",
        ]
        before = cpu([self.pid])
        with subprocess.Popen(command) as sending:
            while sending.poll() is None:
                most = max(most, psutil.Process(self.pid).memory_info().rss)
                time.sleep(0.02)
        spent = cpu([self.pid]) - before
        most = max(most, psutil.Process(self.pid).memory_info().rss)
        if sending.returncode or "id" not in json.loads(answer.read_text()):
            raise SystemExit(f"memory: the file was not accepted: {answer.read_text() if answer.exists() else ''}")
        print(f"memory: {most / 1e6:.0f} MB while {self.options.mb} MB arrived (below 100), {spent:.1f} CPU s")

    def peak(self) -> int:
        """Most bytes of memory that a server of this benchmark has had so far."""
        with contextlib.suppress(OSError):
            status = Path(f"/proc/{self.pid}/status").read_text()
            self.most = max(self.most, int(status.partition("VmHWM:")[2].split()[0]) * 1024)
        return self.most

    def restart(self) -> None:
        self.peak()
        took = []
        for _ in range(3):
            self.server.stop(signal.SIGKILL)
            began = time.perf_counter()
            self.start()
            took.append(time.perf_counter() - began)
        print(f"restart until the model is loaded: {', '.join(f'{one:.1f}' for one in took)} s (at most 5)")

    def peer(self) -> None:
        with subprocess.Popen(self._peer_command(), cwd=self.folder, env=_peer_environment()) as process:
            try:
                _wait_for_peer(process)
                self._measure("peer", PEER_URL, process.pid, {"model_name": "base", "language": "en"})
                # Its threads would go on taking part, and other clips are new to the store here.
                process.kill()
                process.wait()
                self._measure("here", self.server.url, self.pid, None)
            finally:
                process.kill()

    def _measure(self, name: str, url: str, pid: int, data: dict[str, str] | None) -> None:
        ask(url, self.clips(1)[0], data)
        for clients, count in ((1, 5), (16, self.options.clips)):
            files = self.clips(count)
            began, before = time.perf_counter(), cpu([pid])
            seconds = many(url, files, clients, data)
            spent, wall = cpu([pid]) - before, time.perf_counter() - began
            speed = 10 * len(seconds) / wall
            print(f"{name}, {clients} client(s): {shares(seconds)}, {speed:.1f}x real time, {spent:.1f} CPU s")

    def _peer_command(self) -> list[str]:
        if self.options.peer is None:
            program = self.folder / "peer.py"
            program.write_text(textwrap.dedent(PEER))
            return [sys.executable, str(program)]
        options = {"device": "cpu", "compute_type": "int8", "cpu_threads": 2}
        model = {"name": "base", "path": str(ROOT / "models" / "base"), "batch_size": 8, "model_options": options}
        (self.folder / "peer.json").write_text(json.dumps({"models": [model]}))
        # A file in JSON is one in YAML.
        where = ["--host", "127.0.0.1", "--port", str(PEER_PORT)]
        return [self.options.peer, "-m", "faster_whisper_server", "--config", "peer.json", *where]


def _wait_for_peer(process: subprocess.Popen[bytes]) -> None:
    """Returns when it answers, whatever it says."""
    with requests.Session() as session:
        session.trust_env = False
        while process.poll() is None:
            with contextlib.suppress(requests.RequestException):
                session.get(f"{PEER_URL}/readyz", timeout=5)
                return
            time.sleep(0.2)
    raise SystemExit(f"peer: it ended with exit code {process.returncode}")


def _peer_environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return {**kept, "MODEL": str(ROOT / "models" / "base"), "PORT": str(PEER_PORT), "OMP_NUM_THREADS": "2"}


def main() -> None:
    names = ["latency", "clients", "throughput", "beside", "memory", "restart", "peer"]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[*names, []])
    parser.add_argument("--clips", type=int, default=60)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--long-minutes", type=float, default=30.0)
    parser.add_argument("--mb", type=int, default=1000)
    parser.add_argument("--peer", metavar="PYTHON", help="with faster-whisper-server installed")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="serve") as folder:
        bench = Bench(Path(folder).resolve(), options)
        try:
            for name in options.names or names:
                measure: Callable[[], Any] = getattr(bench, name)
                measure()
                sys.stdout.flush()
            print(f"most memory of the server itself: {bench.peak() / 1e6:.0f} MB (below 150)")
        finally:
            bench.server.close()


if __name__ == "__main__":
    main()
