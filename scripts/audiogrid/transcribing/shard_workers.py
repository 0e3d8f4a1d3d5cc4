"""The worker processes of one rank of a job: how many there are, on which device, with how many threads each."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace

from audiogrid.core.errors import AudiogridError
from audiogrid.hardware.cores import divide, usable_memory
from audiogrid.hardware.device_choice import choose_device
from audiogrid.hardware.node_share import NodeShare
from audiogrid.records.run_folder import RunFolder
from audiogrid.transcribing.worker import WorkerSettings


@dataclass(frozen=True)
class Workers:
    """Worker processes of this rank, the settings of each, and warnings about the choice of device."""

    processes: int
    settings: WorkerSettings
    warnings: tuple[str, ...] = ()


def decoding_workers(
    arguments: argparse.Namespace, share: NodeShare, planned_hash: str, encoder: str = "auto"
) -> Workers:
    """Returns the processes that decode on this rank: chooses the device, and divides cores and GPUs among processes.

    ``arguments``: of the command `transcribe`. ``planned_hash``: content hash of the model in ``arguments.model_dir``;
    ``encoder``: the run's option, for the known clip.

    A rank whose device cannot be used has no process, if other ranks can do its work. Alone, it raises the error.
    """
    cores = min(arguments.cores or share.cores, share.cores)
    model_bytes = (arguments.model_dir / "model.bin").stat().st_size
    division = divide(cores, model_bytes, usable_memory() // share.ranks, arguments.processes, arguments.threads)
    settings = WorkerSettings(
        model_dir=str(arguments.model_dir),
        model_hash=planned_hash,
        device="cpu",
        compute_type=arguments.compute_type,
        threads=division.threads,
        batch_size=arguments.batch_size,
        store=str(arguments.store),
        own_store=str(RunFolder(arguments.run_dir).own_store),
        examine=arguments.examine == "yes",
        encoder=encoder,
    )
    if arguments.device == "cuda" and share.gpus == []:
        # There are more ranks than GPUs on this node: this one has nothing to decode on.
        return Workers(0, settings)
    try:
        choice = choose_device(
            arguments.device, arguments.model_dir, arguments.compute_type, division.threads, share.gpus
        )
    except AudiogridError as error:
        if arguments.mpi_tasks <= 1:
            raise
        return Workers(0, settings, (str(error),))
    settings = replace(settings, device=choice.device, why=choice.why)
    if choice.device == "cpu":
        return Workers(division.processes, settings, choice.warnings)
    # Whatever ``processes`` is, which is for CPUs.
    per_gpu = arguments.processes_per_gpu
    count = len(choice.gpus) * per_gpu
    settings = replace(
        settings,
        gpus=choice.gpus,
        per_gpu=per_gpu,
        # Each of them has just decoded the clip.
        examine=False,
        threads=arguments.threads or max(1, min(4, cores // count)),
        reserve=(division.processes, division.threads) if arguments.device == "auto" else (0, 0),
    )
    return Workers(count, settings, choice.warnings)
