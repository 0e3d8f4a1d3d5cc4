"""Messages between ranks, with an MPI library played by the test."""

from types import SimpleNamespace
from typing import Any

import pytest

from audiogrid.core.errors import EXIT_RETRY, StoreError
from audiogrid.transcribing.mpi import MpiLink, World


class LazyComm:
    """Like Open MPI: a probe that finds nothing lets in what has arrived, for the next one to find."""

    def __init__(self) -> None:
        self.arrived: list[str] = []
        self.inside: list[str] = []
        self.probes = 0

    def Get_rank(self) -> int:  # noqa: N802
        return 0

    def Get_size(self) -> int:  # noqa: N802
        return 2

    def improbe(self, source: int, tag: int, status: Any) -> Any:
        self.probes += 1
        if self.inside:
            message = self.inside.pop(0)
            return SimpleNamespace(recv=lambda: message)
        self.inside, self.arrived = self.arrived, []
        return None


def make() -> tuple[LazyComm, MpiLink]:
    comm = LazyComm()
    status = SimpleNamespace(Get_source=lambda: 1)
    return comm, MpiLink(comm, SimpleNamespace(Status=lambda: status, ANY_SOURCE=-1))


def test_what_has_arrived_is_found_at_once():
    comm, link = make()
    comm.arrived = ["one", "two"]
    assert link.receive() == [(1, "one"), (1, "two")]


def test_without_messages_it_does_not_wait():
    comm, link = make()
    assert link.receive() == []
    assert comm.probes == 2


class AloneComm(LazyComm):
    """The communicator of a job of one rank that notes how it was aborted."""

    aborted: int | None = None

    def Get_size(self) -> int:  # noqa: N802
        return 1

    def Dup(self) -> Any:  # noqa: N802
        return self

    def Abort(self, code: int) -> None:  # noqa: N802
        self.aborted = code


@pytest.mark.parametrize("kind", [StoreError, ValueError])
def test_the_error_that_ends_the_job_shows_no_secret(
    kind: type[Exception], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    comm = AloneComm()
    monkeypatch.setattr("audiogrid.transcribing.mpi.import_mpi", lambda: SimpleNamespace(COMM_WORLD=comm))
    with pytest.raises(kind), World(1):
        raise kind("cannot read https://user:word@host/x.wav?sig=abc")
    said = capsys.readouterr().err
    assert "cannot read https://***@host/x.wav?sig=***" in said
    assert "word@" not in said and "abc" not in said
    assert ("Traceback" in said) == (kind is ValueError)
    assert comm.aborted == (kind("").exit_code if isinstance(kind(""), StoreError) else EXIT_RETRY)
