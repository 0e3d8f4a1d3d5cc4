"""What a machine lacks is one sentence at the start of a run."""

import os
import sys
from pathlib import Path

import pytest

from audiogrid.config import resolve as configuration
from audiogrid.core.errors import InputError, RetryableError
from audiogrid.hardware.device_choice import GpuSearch
from audiogrid.transcribing import preflight
from audiogrid.transcribing.mpi_library import Mpi


def program(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def check(executor="local", on_cluster=False, targets=(), warn=print, **config) -> None:
    preflight.check_machine(configuration.resolve(config), executor, on_cluster, targets, warn)


def test_an_ordinary_run_needs_nothing(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    check()


def test_slurm_must_be_here_and_answer(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/usr/bin{os.pathsep}/bin")
    monkeypatch.setattr(preflight.shutil, "which", lambda name: None)
    with pytest.raises(InputError, match="has no sbatch: start it on a login node"):
        check("slurm", on_cluster=True)
    monkeypatch.undo()
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/usr/bin{os.pathsep}/bin")
    program(tmp_path, "sbatch", "exit 0")
    program(tmp_path, "squeue", "exit 0")
    check("slurm", on_cluster=True)
    program(tmp_path, "squeue", "echo 'squeue: error: Unable to contact slurm controller' >&2; exit 1")
    with pytest.raises(RetryableError, match=r"does not answer on .*Unable to contact slurm controller\. Start again"):
        check("slurm", on_cluster=True)
    program(tmp_path, "squeue", "exec sleep 60")
    with pytest.raises(RetryableError, match="gave no answer in 0 s"):
        preflight.check_slurm(timeout=0.2)
    # Looking ahead needs no cluster.
    check("slurm", on_cluster=True, targets={"plan"})


def test_a_launcher_must_be_a_command(monkeypatch):
    with pytest.raises(InputError, match="has no command 'nompi'"):
        check(mpi={"tasks": 2, "launcher": "nompi -x"})
    # In a cluster's job it may be there.
    check(on_cluster=True, mpi={"tasks": 2, "launcher": "nompi -x"})
    monkeypatch.setattr(preflight, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"needs mpi4py, which is not installed: run pip install '\.\[mpi\]'"):
        check(mpi={"tasks": 2})
    with pytest.raises(InputError, match=r"snakemake compare needs jiwer.*'\.\[compare\]'"):
        check(targets={"compare"})


def test_without_an_mpi_one_is_fetched_and_more_ranks_than_cores_are_told(monkeypatch):
    said: list[str] = []
    mpi = {"tasks": 10_000, "launcher": "auto"}
    monkeypatch.setattr(preflight, "check_mpi_library", lambda found: None)
    preflight.check_mpi(mpi, False, said.append, lambda: None, lambda: Mpi(Path("/venv/share/x/bin/mpirun"), True))
    assert said[0] == "no MPI on this machine: Open MPI from a wheel is used, in /venv/share/x"
    assert said[1].startswith("mpi: 10000 ranks share ") and len(said) == 2
    preflight.check_mpi(mpi, True, said.append, lambda: None)
    assert len(said) == 2


def test_a_library_that_mpi4py_cannot_load_is_named(tmp_path, monkeypatch):
    (tmp_path / "mpi4py").mkdir()
    (tmp_path / "mpi4py" / "__init__.py").write_text("")
    (tmp_path / "mpi4py" / "MPI.py").write_text("raise RuntimeError('cannot load MPI library')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(InputError, match=r"there is /x/mpirun, but .* \(RuntimeError: cannot load MPI library\)"):
        preflight.check_mpi_library(Mpi(Path("/x/mpirun"), False))
    (tmp_path / "mpi4py" / "MPI.py").write_text("")
    preflight.check_mpi_library(Mpi(Path(sys.executable), False))


def test_a_gpu_that_is_asked_for_must_be_there():
    with pytest.raises(InputError, match=r"device: cuda is set, but .* no driver"):
        preflight.check_gpu(lambda: GpuSearch((), "no driver", True))
    with pytest.raises(RetryableError, match="CUDA_VISIBLE_DEVICES"):
        preflight.check_gpu(lambda: GpuSearch((), "CUDA_VISIBLE_DEVICES='' leaves none"))
    preflight.check_gpu(lambda: GpuSearch(("GPU-a",)))
    # What a cluster's nodes have cannot be seen from here.
    check(on_cluster=True, device="cuda")


def test_a_checkpoint_that_cannot_be_converted_is_told_before_anything_is_staged(tmp_path, monkeypatch):
    checkpoint = tmp_path / "tuned"
    checkpoint.mkdir()
    (checkpoint / "model.safetensors").touch()
    (checkpoint / "config.json").write_text('{"model_type": "whisper"}')
    monkeypatch.setattr("audiogrid.models.conversion.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"torch and transformers are missing: run pip install '\.\[convert\]'"):
        preflight.check_converter({"tuned": str(checkpoint)}, tmp_path / "models")
    preflight.check_converter({"base": "base"}, tmp_path / "models")
    (tmp_path / "models" / "tuned").mkdir(parents=True)
    (tmp_path / "models" / "tuned" / "audiogrid.json").touch()
    preflight.check_converter({"tuned": str(checkpoint)}, tmp_path / "models")
