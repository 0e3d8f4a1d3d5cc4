"""The child process in which decoding happens: one warm model, results straight into the store."""

from __future__ import annotations

import os
import platform
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audiogrid import __version__
from audiogrid.core.errors import InputError, RetryableError
from audiogrid.decoding.revisions import REVISION
from audiogrid.decoding.whisper.device_access import device_access
from audiogrid.records.chunks import BundleManifest, Chunk, pcm_hash, read_pcm
from audiogrid.records.outcome import Outcome
from audiogrid.records.store import R, ResultStore, Store

if TYPE_CHECKING:
    from audiogrid.decoding.memory_fallback import AdaptiveEngine


@dataclass(frozen=True)
class WorkerSettings:
    """What a worker process needs once, at its start.

    ``model_hash``: of the model that the plan was made for; ``device``: ``cpu`` or ``cuda``; ``gpus``: UUIDs, of which
    each process gets one; ``per_gpu``: processes that share it; ``batch_size``: 0 = choose; ``examine``: decode a known
    clip first, with ``encoder``; ``why``: the reason for the choice of device; ``reserve``: processes on the CPU, and
    threads of each, that take over when all GPUs have failed (0: none); ``own_store``: takes results that ``store``
    does not let this user write. ``program``: the module whose ``start``, ``ready`` and ``work`` the process runs.
    """

    model_dir: str
    model_hash: str
    device: str
    compute_type: str
    threads: int
    batch_size: int
    store: str
    own_store: str
    examine: bool = False
    encoder: str = "auto"
    gpus: tuple[str, ...] = ()
    per_gpu: int = 1
    why: str = ""
    reserve: tuple[int, int] = (0, 0)
    program: str = __name__


@dataclass(frozen=True)
class Job:
    """One chunk to decode. ``folder``: its bundle's folder; ``options``: all decoding options."""

    chunk: Chunk
    key: str
    folder: str
    options: dict[str, Any]

    @property
    def name(self) -> str:
        """The chunk's id."""
        return self.chunk.chunk

    @property
    def audio(self) -> int:
        """Samples to decode."""
        return self.chunk.context_end - self.chunk.context_start


_LARGE_PAGES = "glibc.malloc.hugetlb"
_engine: AdaptiveEngine | None = None
_settings: WorkerSettings | None = None
_start_error: BaseException | None = None
_is_refused = False


def leave_signals_to_parent() -> None:
    """Ignore the signals that end a job.

    Ctrl-C and the end of a cluster job send signals to every process of the job. The parent decides when work ends:
    this process may finish its task within the time of grace. It ends with its parent (``core.child_process``).
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def start(settings: WorkerSettings) -> None:
    """Load the model; called once per process. ``ready`` raises what fails here."""
    global _engine, _settings, _start_error
    leave_signals_to_parent()
    _settings = settings
    if settings.gpus:
        # Before any CUDA library is loaded: this process sees one GPU only.
        os.environ["CUDA_VISIBLE_DEVICES"] = settings.gpus[0]
    try:
        _engine = open_checked_engine(settings)
    except Exception as error:
        _start_error = error


def open_checked_engine(settings: WorkerSettings) -> AdaptiveEngine:
    """Returns the engine that ``settings`` describe, loaded. Raises ``InputError`` if the model is another one."""
    from audiogrid.decoding.memory_fallback import EngineSettings, open_engine

    wanted = EngineSettings(
        settings.device,
        settings.compute_type,
        settings.threads,
        settings.batch_size,
        bool(settings.reserve[0]),
        settings.per_gpu,
    )
    before = _file_states(Path(settings.model_dir))
    engine = open_engine(Path(settings.model_dir), wanted)
    _check_hash(settings, before)
    if settings.examine:
        from audiogrid.hardware.known_clip import check_model

        check_model(engine, settings.encoder)
    return engine


def _file_states(model_dir: Path) -> list[tuple[str, int, int]]:
    """Returns name, inode and time of change of every file of a model."""
    states = [(path.name, path.stat()) for path in sorted(model_dir.iterdir()) if path.is_file()]
    return [(name, state.st_ino, state.st_mtime_ns) for name, state in states]


def _check_hash(settings: WorkerSettings, before: list[tuple[str, int, int]]) -> None:
    """Raise ``InputError`` if the loaded model is not the one that the plan was made for.

    Results are stored under the plan's hash: those of another model would be taken for its results for ever.
    ``before``: the model's files before it was loaded.
    """
    from audiogrid.models.registry import hash_files

    folder = Path(settings.model_dir)
    found = hash_files(folder)
    if found != settings.model_hash or _file_states(folder) != before:
        raise InputError(
            f"the model in {folder} on {socket.gethostname()} has changed since the plan was made (its hash is "
            f"{found[:12]}, planned was {settings.model_hash[:12]}). Nothing was decoded with it. "
            f"If the change was meant, remove {folder} and run again: the model is staged and everything planned anew"
        )


def loaded() -> tuple[AdaptiveEngine, WorkerSettings]:
    """Returns the model that ``start`` has loaded, and its settings; raises what failed there."""
    if _start_error is not None:
        raise _start_error
    assert _engine is not None and _settings is not None
    return _engine, _settings


def ready() -> dict[str, Any]:
    """Returns what this process decodes with; raises what failed in ``start``."""
    return provenance(*loaded())


def provenance(engine: AdaptiveEngine, settings: WorkerSettings) -> dict[str, Any]:
    """Returns what a result records of the machine and the versions that made it; none of it is part of the key.

    ``device_why``: the reason for the choice of device; ``adapted``: how memory was saved where it was short.
    """
    from importlib.metadata import version

    gpu = engine.gpu
    return {
        "audiogrid": __version__,
        "revision": REVISION,
        "faster_whisper": version("faster-whisper"),
        "ctranslate2": version("ctranslate2"),
        "python": platform.python_version(),
        "device": engine.device,
        "compute_type": engine.compute_type,
        "threads": settings.threads,
        "batch_size": engine.batch_size,
        "host": socket.gethostname(),
        "device_why": settings.why,
        **({"gpu": {"name": gpu.name, "uuid": gpu.uuid}} if gpu and engine.device == "cuda" else {}),
        **({"adapted": engine.adapted} if engine.adapted else {}),
    }


_manifests: dict[str, BundleManifest] = {}


def read_chunk(job: Job) -> Any:
    """Returns the samples of a chunk, int16. Raises ``RetryableError`` when its audio file is damaged."""
    if job.folder not in _manifests:
        _manifests.clear()
        _manifests[job.folder] = BundleManifest.read(Path(job.folder))
    pcm = read_pcm(Path(job.folder), _manifests[job.folder], job.chunk)
    if pcm_hash(pcm) != job.chunk.pcm_sha256:
        raise RetryableError(f"the audio of chunk {job.name} in {job.folder} is damaged; delete that folder, run again")
    return pcm


def work(jobs: Sequence[Job]) -> list[Outcome]:
    """Decode ``jobs`` together and store each result as soon as it is complete."""
    return decode_into_store(*loaded(), jobs)


def decode_into_store(engine: AdaptiveEngine, settings: WorkerSettings, jobs: Sequence[Job]) -> list[Outcome]:
    """Decode ``jobs`` together with ``engine`` and store each result as soon as it is complete."""
    from audiogrid.decoding.engine import ChunkAudio
    from audiogrid.decoding.options import DecodeOptions

    store = Store(Path(settings.store), Path(settings.own_store))
    known = len(engine.adapted)
    # Another job (an older one that is still running, for instance) may have decoded some of them meanwhile.
    outcomes = [Outcome(job.name, job.key, "stored", job.audio) for job in jobs if store.has(job.key)]
    there = {outcome.chunk for outcome in outcomes}
    jobs = [job for job in jobs if job.name not in there]
    audio = []
    for job in jobs:
        owned = (job.chunk.start - job.chunk.context_start, job.chunk.end - job.chunk.context_start)
        audio.append(ChunkAudio(read_chunk(job), owned, DecodeOptions(**job.options), job.name))
    began, at = time.perf_counter(), round(time.time(), 3)
    new: dict[str, bool] = {}
    for index, result in engine.decode(audio):
        made_with = provenance(engine, settings) | {"encoder": engine.encoder_name(audio[index].options.encoder)}
        new[jobs[index].name] = store.put(jobs[index].key, result, made_with)
    # Chunks that were decoded together share the time by their length.
    pace = (time.perf_counter() - began) / (sum(job.audio for job in jobs) or 1)
    memory = peak_memory_mb()
    notes = (*engine.adapted[known:], *_refusal(store))
    process = f"{socket.gethostname()}/{os.getpid()}"
    for job in jobs:
        outcome = Outcome(job.name, job.key, "decoded" if new[job.name] else "stored", job.audio)
        seconds = round(pace * job.audio, 3)
        outcome = replace(outcome, seconds=seconds, notes=notes, memory_mb=memory)
        outcomes.append(replace(outcome, began=at, worker=process, device=engine.device))
        notes = ()
    return outcomes


def store_each(
    jobs: Sequence[Job], store: ResultStore[R], stage: str, make: Callable[[Job], tuple[R, dict[str, Any]]]
) -> list[Outcome]:
    """Work through ``jobs`` one after another and store each result as soon as it is complete.

    ``stage``: its name; ``make``: returns the result of a job and what it was made with, the device among it.
    """
    who = f"{socket.gethostname()}/{os.getpid()}"
    outcomes = []
    for job in jobs:
        if store.has(job.key):
            outcomes.append(Outcome(job.name, job.key, "stored", job.audio))
            continue
        device_access().before_chunk(f"{stage}:{job.name}")
        began, at = time.perf_counter(), round(time.time(), 3)
        result, made = make(job)
        is_new = store.put(job.key, result, made)
        outcomes.append(
            Outcome(
                job.name,
                job.key,
                "decoded" if is_new else "stored",
                job.audio,
                seconds=round(time.perf_counter() - began, 3),
                memory_mb=peak_memory_mb(),
                began=at,
                worker=who,
                device=made["device"],
            )
        )
    return outcomes


def _refusal(store: Store) -> Iterator[str]:
    """Yields a sentence the first time that the store refuses a result."""
    global _is_refused
    if store.refused and not _is_refused:
        _is_refused = True
        yield (
            f"the store does not let this user write ({store.refused}). Results are kept in {store.own}, where other "
            f"runs do not find them. To share the store, let its group write: chmod -R g+rwX {store.root}"
        )


def peak_memory_mb() -> int:
    """Returns the most memory that this process has held, in MB."""
    import resource

    # Linux counts in KiB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1_000_000)


def worker_environment(threads: int) -> dict[str, str]:
    """Returns environment variables of a worker process; they must be set before it starts.

    They limit numeric libraries to its threads (NumPy's BLAS to one: the little that it does gains nothing from more)
    and make glibc use large pages. The encoder allocates and frees 70 MB for every layer of a window; with small pages
    these are 100,000 page faults a window, a fifth of its time (`benchmarks/model.py`).
    """
    tunables = os.environ.get("GLIBC_TUNABLES", "")
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
    return {
        **dict.fromkeys(names, str(threads)),
        "OPENBLAS_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "GLIBC_TUNABLES": tunables if _LARGE_PAGES in tunables else f"{tunables}:{_LARGE_PAGES}=1".lstrip(":"),
    }
