"""Checks a machine: one verdict for each thing that transcribing needs, with advice where it is wrong."""

from __future__ import annotations

import os
import platform
import secrets
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from audiogrid.core.errors import InputError
from audiogrid.hardware.cores import usable_cores, usable_memory
from audiogrid.hardware.device_choice import GpuSearch, find_gpus, is_worth_telling
from audiogrid.hardware.gpu_surroundings import why_no_gpu
from audiogrid.hardware.known_clip import CLIP_SECONDS, ClipResult, try_clip
from audiogrid.models.registry import open_staged

State = Literal["ok", "warn", "wrong"]
GIGABYTE = 1e9
# Below these a run is likely to end in the middle.
LEAST_SPACE = 2 * GIGABYTE
LEAST_MEMORY = 1.5 * GIGABYTE
_PROBE_BYTES = 32 << 20


@dataclass(frozen=True)
class Verdict:
    """The result of one check. ``advice``: what to do, if it is not ok."""

    subject: str
    state: State
    found: str
    advice: str = ""

    def __str__(self) -> str:
        """Returns the line that is printed."""
        advice = f"  -> {self.advice}" if self.advice else ""
        return f"{self.state:<5}  {self.subject:<10} {self.found}{advice}"


def check_python() -> Verdict:
    """Returns version and folder of this Python."""
    return Verdict("python", "ok", f"{platform.python_version()} in {sys.prefix} on {platform.node()}")


def check_libraries() -> Verdict:
    """Returns whether every dependency of the project is installed, in a version that it allows."""
    from importlib.metadata import PackageNotFoundError, requires, version

    from packaging.requirements import Requirement

    try:
        wanted = [Requirement(text) for text in requires("audiogrid") or []]
    except PackageNotFoundError:
        return Verdict("libraries", "wrong", "audiogrid is not installed in this Python", "make setup, then use .venv")
    trouble, found = [], {}
    for requirement in wanted:
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            found[requirement.name] = version(requirement.name)
        except PackageNotFoundError:
            trouble.append(f"{requirement.name} is missing")
            continue
        if not requirement.specifier.contains(found[requirement.name], prereleases=True):
            trouble.append(f"{requirement.name} {found[requirement.name]} is not {requirement.specifier}")
    if trouble:
        return Verdict("libraries", "wrong", "; ".join(trouble), "make setup renews the environment")
    shown = ("snakemake", "faster-whisper", "ctranslate2", "av", "numpy")
    return Verdict("libraries", "ok", ", ".join(f"{name} {found[name]}" for name in shown if name in found))


def check_memory() -> Verdict:
    """Returns the cores and memory that this process may use."""
    memory = usable_memory()
    found = f"{usable_cores()} core(s) and {memory / GIGABYTE:.1f} GB of memory may be used"
    if memory < LEAST_MEMORY:
        return Verdict("memory", "warn", found, "ask for 2 GB or more, or use a smaller model")
    return Verdict("memory", "ok", found)


def check_device(device: str, search: GpuSearch | None = None) -> Verdict:
    """Returns the devices that are present. Whether they work is found out with the known clip."""
    try:
        import ctranslate2
    except ImportError as error:
        return Verdict("device", "wrong", f"CTranslate2 cannot be loaded: {error}", "make setup, then use .venv")
    types = ", ".join(sorted(ctranslate2.get_supported_compute_types("cpu")))
    on_cpu = f"the CPU can be used as {types}"
    if device == "cpu":
        return Verdict("device", "ok", on_cpu)
    search = search or find_gpus()
    if search.gpus:
        return Verdict("device", "ok", f"{len(search.gpus)} GPU(s) may be used: {', '.join(search.gpus)}; {on_cpu}")
    reason = why_no_gpu()
    if reason is not None and (reason.is_sign or device == "cuda"):
        state: State = "wrong" if device == "cuda" else "warn"
        return Verdict("device", state, f"no GPU: {reason.found}; {on_cpu}", reason.advice)
    if device == "cuda":
        advice = "mend that, ask for a GPU (gpu=1 or gres), or set device: cpu"
        return Verdict("device", "wrong", f"no GPU: {search.cause}", advice)
    if is_worth_telling(search.cause):
        return Verdict("device", "warn", f"no GPU: {search.cause}; {on_cpu}", "the CPU will be used")
    return Verdict("device", "ok", f"{on_cpu}; {search.cause}")


def check_model(folder: Path, *, full: bool) -> Verdict:
    """Returns whether the staged model is complete: files and hash."""
    began = time.perf_counter()
    try:
        model = open_staged(folder, full=full)
    except InputError as error:
        return Verdict("model", "wrong", str(error), "`audiogrid models NAME`, where there is a network")
    how = f"every byte verified in {time.perf_counter() - began:.1f} s" if full else "sizes and times verified"
    return Verdict("model", "ok", f"{model.name} from {model.source}, hash {model.hash[:12]}, {how}")


def check_clip(model_dir: Path, device: str, compute_type: str, threads: int, gpu: str = "") -> Verdict:
    """Returns whether the known clip, decoded in a child process, has the right text."""
    return judge_clip(try_clip(model_dir, device, compute_type, threads, gpu=gpu, warm=device == "cuda"), device)


def judge_clip(result: ClipResult, device: str) -> Verdict:
    """Returns the verdict on a result of the known clip."""
    cpu = "" if device == "cpu" else "; device: cpu works without a GPU"
    if result.error:
        advice = "out of memory: ask for more, or a smaller compute_type" if "memory" in result.error else ""
        return Verdict(
            "decoding", "wrong", f"the known clip failed: {result.error}", advice or f"keep jobs off this node{cpu}"
        )
    speed = f"{CLIP_SECONDS / max(result.seconds, 1e-3):.0f}x real time"
    where = result.gpu or result.device
    found = (
        f"{result.likeness:.0%} of the known clip's words on {where} as {result.compute_type}, "
        f"{speed}, model loaded in {result.load_seconds:.1f} s"
    )
    if not result.text.strip():
        return Verdict("decoding", "wrong", f"{found}: no text at all", f"driver and libraries do not fit{cpu}")
    if not result.is_right:
        return Verdict("decoding", "wrong", f"{found}: it heard {result.text[:80]!r}", f"keep jobs off this node{cpu}")
    return Verdict("decoding", "ok", found)


def check_folder(folder: Path) -> Verdict:
    """Returns free space and speed of a folder, in which fsync and rename must work."""
    subject = "files"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
        # Another process may check the same folder at the same moment, so the name must be unique.
        path = folder / f".doctor-{platform.node()}-{os.getpid()}-{secrets.token_hex(4)}"
        moved = path.with_name(path.name + ".moved")
        try:
            write, read = _time_file(path, moved)
        finally:
            path.unlink(missing_ok=True)
            moved.unlink(missing_ok=True)
    except OSError as error:
        return Verdict(
            subject, "wrong", f"{folder}: {error}", "choose a folder that can be written, or make room in it"
        )
    megabytes = _PROBE_BYTES / 1e6
    found = (
        f"{folder}: {free / GIGABYTE:.1f} GB free, "
        f"writes {megabytes / write:.0f} MB/s, reads {megabytes / read:.0f} MB/s (from memory, maybe)"
    )
    if free < LEAST_SPACE:
        return Verdict(subject, "warn", found, "make room: an hour of audio takes 115 MB while it is transcribed")
    return Verdict(subject, "ok", found)


def _time_file(path: Path, moved: Path) -> tuple[float, float]:
    """Returns the seconds to write (with fsync and rename) and to read a file."""
    data = os.urandom(1 << 20) * (_PROBE_BYTES >> 20)
    began = time.perf_counter()
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    path.replace(moved)
    written = time.perf_counter()
    if moved.read_bytes() != data:
        raise OSError("a file that was written has other contents when it is read")
    return max(written - began, 1e-6), max(time.perf_counter() - written, 1e-6)


def run_checks(
    model_dir: Path, folder: Path, device: str = "auto", compute_type: str = "auto", *, full: bool = True
) -> Iterator[Verdict]:
    """Yields each verdict as soon as it is known. ``full=False``: only the quick checks, for the start of a job."""
    search = GpuSearch() if device == "cpu" else find_gpus()
    checks: list[Callable[[], Verdict]] = [check_python, check_libraries, check_memory]
    checks.append(lambda: check_device(device, search))
    checks.append(lambda: check_model(model_dir, full=full))
    if full:
        checks.append(lambda: check_folder(folder))
    broken = False
    for check in checks:
        verdict = check()
        broken = broken or (verdict.subject in ("libraries", "model") and verdict.state == "wrong")
        yield verdict
    if broken or (device == "cuda" and not search.gpus):
        yield Verdict("decoding", "wrong", "not tried", "correct the above first")
        return
    threads = min(4, usable_cores())
    for gpu in search.gpus:
        yield check_clip(model_dir, "cuda", compute_type, threads, gpu)
    if not search.gpus:
        yield check_clip(model_dir, "cpu", compute_type, threads)
